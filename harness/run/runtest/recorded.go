package runtest

import (
	"context"
	"fmt"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// Recorded makes a lab of a bundle: its pods have the configurations, and show the logs, counters,
// rules and sockets, that were recorded in a real one, before the request and, once curl was asked
// for it, after it. The id of the request that is sent takes the place of the recorded one, so that
// a run of the same request is verified, but for eBPF, which watches no pod that is not there.
func Recorded(ctx context.Context, dir string) (*Lab, error) {
	kept, err := bundle.Read(ctx, dir)
	if err != nil {
		return nil, err
	}
	if kept.Recording == nil {
		return nil, fmt.Errorf("replay %s: it keeps no evidence", dir)
	}
	to, err := kept.Run.Call.Parsed()
	if err != nil {
		return nil, err
	}
	port, err := strconv.ParseUint(to.Port(), 10, 16)
	if err != nil {
		return nil, err
	}
	tape := &tape{kept: kept, resolved: kept.Question.Options.Resolved}
	var pods []*Pod
	for _, recorded := range []observe.Pod{kept.Recording.Client, kept.Recording.Server} {
		pods = append(pods, tape.pod(recorded))
	}
	lab := New(pods...)
	lab.Log = kept.Recording.AccessLog
	lab.Behinds[to.Host] = mesh.Behind{Pods: []string{kept.Recording.Server.Name}, Port: uint16(port)}
	name, namespace := mesh.SplitRef(to.Hostname(), lab.Namespace())
	lab.Services[name+"."+namespace] = &mesh.Service{Name: name, Namespace: namespace, ClusterIP: tape.resolved,
		Ports: []string{to.Port()}, Endpoints: []string{net.JoinHostPort(kept.Recording.Server.IP, to.Port())}}
	return lab, nil
}

// A tape is a recorded run that is played again.
type tape struct {
	kept     bundle.Contents
	resolved string
	id       string // of the request that was sent; "": none was
}

func (t *tape) pod(recorded observe.Pod) *Pod {
	p := &Pod{Ref_: recorded.Name, Address: recorded.IP}
	for _, dump := range [][]byte{t.kept.Dumps[recorded.Name], t.kept.After[recorded.Name]} {
		if dump != nil {
			p.Dumps = append(p.Dumps, dump)
		}
	}
	part := func(before, after string) []byte {
		if t.id == "" {
			return recorded.Parts[before]
		}
		return recorded.Parts[after]
	}
	p.Version = t.version()
	p.Counters = func(string) []byte { return part(instrument.StatsBefore, instrument.StatsAfter) }
	p.Answer = func(command []string, stdin []byte) *mesh.Output {
		out := &mesh.Output{}
		switch command[0] {
		case "curl":
			t.send(string(stdin))
			out.Stderr = t.renamed(t.kept.Recording.Curl)
			for _, each := range p.lab.PodsByRef {
				each.Lines = string(t.renamed(t.log(each.Ref_)))
			}
		case "getent":
			out.Stdout = []byte(t.resolved + " STREAM " + command[len(command)-1] + "\n")
		case "ss":
			if slices.Contains(command, "-K") {
				return nil
			}
			out.Stdout = part(instrument.SocketsBefore, instrument.SocketsAfter)
		case "iptables-save":
			out.Stdout = part(instrument.RulesBefore, instrument.RulesAfter)
		case "cat":
			out.Stdout = part(instrument.ConntrackBefore, instrument.ConntrackAfter)
		default:
			return nil
		}
		return out
	}
	return p
}

// version is what the recorded curl would say of itself, as far as it named itself to the server.
func (t *tape) version() []byte {
	told, err := curl.Parse(t.kept.Recording.Curl)
	number, ok := strings.CutPrefix(told.Request.Headers["user-agent"], "curl/")
	if err != nil || !ok {
		return nil
	}
	return []byte("curl " + number + " (recorded)\n")
}

func (t *tape) log(ref string) []byte {
	for _, pod := range []observe.Pod{t.kept.Recording.Client, t.kept.Recording.Server} {
		if pod.Name == ref {
			return pod.Parts[instrument.LogText]
		}
	}
	return nil
}

// given finds the id of a request in what curl is given.
var given = regexp.MustCompile(`x-request-id: ([0-9a-f-]+)`)

func (t *tape) send(config string) {
	t.id = "none"
	if found := given.FindStringSubmatch(config); found != nil {
		t.id = found[1]
	}
}

// renamed is a recorded text with the id of the request that was sent.
func (t *tape) renamed(text []byte) []byte {
	return []byte(strings.ReplaceAll(string(text), t.kept.Recording.RequestID, t.id))
}
