package run_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/run"
)

// TestNamesThatNoServiceHas calls names of which the apiserver knows nothing. Whether the request
// is sent, the resolver of the container that sends it says, or curl's --resolve; where nothing can
// say, nothing is refused for its name.
func TestNamesThatNoServiceHas(t *testing.T) {
	for _, c := range []struct {
		name     string
		resolver *mesh.Output // what getent in the container comes to; nil: there is none
		fails    string       // the answer of the lab that fails
		curl     []string
		resolved string // to what inference takes it
		err      error  // that the run ends with
	}{
		{"the resolver knows it", &mesh.Output{Stdout: []byte("192.0.2.7 STREAM nothing\n192.0.2.8 STREAM\n")},
			"", nil, "192.0.2.7", nil},
		{"the resolver does not know it", &mesh.Output{Code: 2}, "", nil, "", run.ErrUnknownHost},
		{"the resolver is out of reach", &mesh.Output{Code: 1}, "", nil, "", infer.ErrUnresolved},
		{"there is no getent", nil, "", nil, "", infer.ErrUnresolved},
		{"the pod cannot be asked", nil, "exec netshoot.mark getent", nil, "", infer.ErrUnresolved},
		{"curl says it", &mesh.Output{Code: 2}, "", []string{"--resolve", "nothing:8080:192.0.2.9,192.0.2.10"},
			"192.0.2.9", nil},
		{"curl says it of each name", &mesh.Output{Code: 2}, "", []string{"--resolve", "+*:8080:[2001:db8::9]"},
			"2001:db8::9", nil},
		{"curl says it of another", &mesh.Output{Code: 2}, "", []string{"--resolve", "other:8080:192.0.2.9"},
			"", run.ErrUnknownHost},
	} {
		t.Run(c.name, func(t *testing.T) {
			lab, sent := workshop(t)
			client := lab.PodsByRef["netshoot.mark"]
			answer := client.Answer
			client.Answer = func(command []string, stdin []byte) *mesh.Output {
				if command[0] == "getent" {
					return c.resolver
				}
				return answer(command, stdin)
			}
			lab.Fails = func(what string) error {
				if what == c.fails {
					return errRefused
				}
				return nil
			}
			p := plan(t, "http://nothing:8080/")
			p.Curl = c.curl
			result, err := run.Do(t.Context(), lab.Run(), p, nil)
			if !errors.Is(err, c.err) || (len(*sent) == 0) != (c.err != nil) {
				t.Errorf("%v, sent %d, want %v", err, len(*sent), c.err)
			}
			if got := result.Question.Options.Resolved; err == nil && got != c.resolved {
				t.Errorf("inferred for the address %q, want %q", got, c.resolved)
			}
		})
	}
}

// TestOwnLoopback refuses what a pod calls of itself without the network, before anything is
// touched, by each way to write it.
func TestOwnLoopback(t *testing.T) {
	for _, c := range []struct {
		url  string
		curl []string
	}{
		{"http://localhost:15021/healthz/ready", nil}, {"http://LOCALHOST.:8080/", nil}, {"http://a.localhost/", nil},
		{"http://127.0.0.1:15000/", nil}, {"http://127.1:8080/", nil}, {"http://127.9.9.9/", nil},
		{"http://0.0.0.0:8080/", nil}, {"http://[::1]:8080/", nil}, {"http://[::ffff:127.0.0.1]:8080/", nil},
		{"http://nothing:8080/", []string{"--resolve", "nothing:8080:127.0.0.1"}},
	} {
		lab, sent := workshop(t)
		p := plan(t, c.url)
		p.Curl = c.curl
		if _, err := run.Do(t.Context(), lab.Run(), p, nil); !errors.Is(err, run.ErrLoopback) || len(*sent) > 0 {
			t.Errorf("%s %v: %v, sent %d", c.url, c.curl, err, len(*sent))
		}
	}
}

// TestCallsWithoutASidecar sends from a pod that has none, or to one: the way is inferred from the
// dump that there is, and what is on the other side is said.
func TestCallsWithoutASidecar(t *testing.T) {
	const url = "http://fortio-server:8080/"
	for _, c := range []struct {
		name, from string
		behind     mesh.Behind
		without    []string // pods that are not there
		fails      string
		sides      string // of the hops
		beyond     string // why no sidecar is at the other end
		err        string
	}{
		{"from a pod outside the mesh", "plain", mesh.Behind{Pods: []string{"fortio-server.mark"}, Port: 8080},
			[]string{"netshoot.mark"}, "", "server", "", ""},
		{"from one, with two dumps", "plain", mesh.Behind{Pods: []string{"fortio-server.mark"}, Port: 8080},
			nil, "", "server", "", ""},
		{"from one, to a pod that has none", "plain", mesh.Behind{Pods: []string{"plain.mark"}, Port: 8080},
			nil, "", "", "", "no pod behind fortio-server has a sidecar"},
		{"where no pod has one", "plain", mesh.Behind{Pods: []string{"plain.mark"}, Port: 8080},
			[]string{"netshoot.mark", "fortio-server.mark"}, "", "", "", "no pod on the way has a sidecar"},
		{"to a pod that has none", "netshoot", mesh.Behind{Pods: []string{"plain.mark"}, Port: 8080},
			[]string{"fortio-server.mark"}, "", "client", "plain.mark has no sidecar", ""},
		{"to an address that no pod has", "netshoot", mesh.Behind{},
			[]string{"fortio-server.mark"}, "", "client", "no pod of the cluster has the address", ""},
		{"to a pod that is gone", "netshoot", mesh.Behind{Pods: []string{"gone.mark"}, Port: 8080},
			[]string{"fortio-server.mark"}, "", "", "", mesh.ErrNoPod.Error()},
	} {
		t.Run(c.name, func(t *testing.T) {
			lab, sent := workshop(t)
			server := lab.PodsByRef["fortio-server.mark"].Address
			lab.Behinds["fortio-server:8080"] = c.behind
			lab.Behinds[server+":8080"] = c.behind
			if c.name == "to an address that no pod has" || c.name == "to a pod that is gone" {
				lab.Behinds["fortio-server:8080"] = mesh.Behind{Service: "fortio-server.mark"}
			}
			for _, ref := range c.without {
				delete(lab.PodsByRef, ref)
			}
			call, err := run.NewCall(c.from, url, "mark")
			if err != nil {
				t.Fatal(err)
			}
			result, err := run.Do(t.Context(), lab.Run(), run.Plan{Call: call, Without: []flow.Instrument{flow.Trace}},
				nil)
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || len(*sent) > 0 {
					t.Errorf("%v, sent %d, want %q", err, len(*sent), c.err)
				}
				return
			}
			if err != nil || len(*sent) != 1 {
				t.Fatalf("%v, sent %d", err, len(*sent))
			}
			sides := map[string]bool{}
			for _, hop := range result.Run.Path.Hops {
				sides[string(hop.Side)] = true
			}
			if len(sides) != 1 || !sides[c.sides] {
				t.Errorf("the hops are of %v, want %s", sides, c.sides)
			}
			if got := result.Question.Options.Beyond; c.beyond == "" && got != "" || !strings.Contains(got, c.beyond) {
				t.Errorf("beyond: %q, want %q", got, c.beyond)
			}
			if source := result.Question.Options.Source; c.from == "plain" && source != "10.0.0.9" {
				t.Errorf("inferred as from %q", source)
			}
		})
	}
}
