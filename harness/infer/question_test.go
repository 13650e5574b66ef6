package infer

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// text is a recorded dump as it was read.
func text(t *testing.T, pod string) []byte {
	t.Helper()
	file, err := os.Open("../../scenarios/dumps/" + pod + ".json.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	z, err := gzip.NewReader(file)
	if err != nil {
		t.Fatal(err)
	}
	all, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// TestAQuestionAskedAgain gets the same path from a question that went through JSON, and none where
// a dump is missing, cannot be read or is another pod's.
func TestAQuestionAskedAgain(t *testing.T) {
	dumps := map[string][]byte{"netshoot.mark": text(t, "netshoot"), "fortio-server.mark": text(t, "fortio-server")}
	kept, err := json.Marshal(Question{Schema: QuestionSchema, Call: workshop, Client: "netshoot.mark",
		Server: "fortio-server.mark", Options: WayOptions{Cold: true}})
	if err != nil {
		t.Fatal(err)
	}
	var asked Question
	if err := json.Unmarshal(kept, &asked); err != nil {
		t.Fatal(err)
	}
	path, err := asked.Path(dumps)
	want, _ := Way(recorded(t, "netshoot"), recorded(t, "fortio-server"), workshop, WayOptions{Cold: true})
	if err != nil || !reflect.DeepEqual(path, want) {
		t.Errorf("%v: %d hops, want %d", err, len(path.Hops), len(want.Hops))
	}
	for name, c := range map[string]struct {
		question Question
		dumps    map[string][]byte
		want     error
		says     string
	}{
		"no dump of the client": {Question{Client: "a.b"}, dumps, ErrWay, "there is no dump of a.b"},
		"no dump of the server": {Question{Client: "netshoot.mark", Server: "a.b"}, dumps, ErrWay,
			"there is no dump of a.b"},
		"one that cannot be read": {Question{Client: "a.b"}, map[string][]byte{"a.b": []byte("{")}, configdump.ErrRead,
			"dump of a.b"},
		"another pod's": {Question{Client: "a.b"}, map[string][]byte{"a.b": dumps["netshoot.mark"]}, nil,
			"it is the dump of netshoot.mark"},
		"neither": {Question{Call: workshop}, dumps, ErrWay, "neither"},
	} {
		if _, err := c.question.Path(c.dumps); err == nil || c.want != nil && !errors.Is(err, c.want) ||
			!strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v, want %v, %q", name, err, c.want, c.says)
		}
	}
}

// TestHiddenValuesAreNoBytes goes the way of a request whose kept form hides a value: the mark in
// its place is not what was sent.
func TestHiddenValuesAreNoBytes(t *testing.T) {
	client, server := recorded(t, "netshoot"), recorded(t, "fortio-server")
	for _, url := range []string{"/echo?q=«redacted 5 B»", "/echo?q=«redacted 5 B, 2»&p=«redacted 1 B»"} {
		call := workshop
		call.URL = "http://fortio-server:8080" + url
		call.Headers = map[string][]string{"x-secret": {"«redacted 5 B»"}}
		path, err := Way(client, server, call, WayOptions{Cold: true})
		if err != nil || path.Outcome != flow.Forwarded || path.Hops[len(path.Hops)-1].Kind != flow.App {
			t.Errorf("%s: %s after %d hops, %v: %s", url, path.Outcome, len(path.Hops), err,
				path.Hops[len(path.Hops)-1].Why)
		}
	}
}

// TestCallsThatMakeNoSense is the table of URLs, addresses and rules that no way can be inferred
// for: the error names what is wrong.
func TestCallsThatMakeNoSense(t *testing.T) {
	client, server := recorded(t, "netshoot"), recorded(t, "fortio-server")
	nodePort := &NodePort{Service: "a.b", Port: 32463, Endpoints: []netip.AddrPort{}}
	for name, c := range map[string]struct {
		client, server *configdump.Dump
		url            string
		opts           WayOptions
		want           string
	}{
		"no host":                  {client, server, "http://", WayOptions{}, "it has no host"},
		"not a URL":                {client, server, "http://a b:c", WayOptions{}, "it has no host"},
		"another scheme":           {client, server, "ftp://fortio-server", WayOptions{}, "its scheme is ftp"},
		"port 0":                   {client, server, "fortio-server:0", WayOptions{}, "not between 1 and 65535"},
		"a port that is too large": {client, server, "fortio-server:70000", WayOptions{}, "not between 1 and 65535"},
		"an address that is none": {client, server, "fortio-server:8080", WayOptions{Resolved: "x"},
			`"x" is not an IP`},
		"the same, to the pod": {nil, server, "fortio-server:8080", WayOptions{Resolved: "x"}, `"x" is not an IP`},
		"a client's rules": {client, server, "fortio-server:8080", WayOptions{ClientRules: "x"},
			"client: read"},
		"a server's rules": {client, server, "fortio-server:8080", WayOptions{ServerRules: "x"},
			"server: read"},
		"a node's port to no pod": {nil, server, "192.0.2.1:32463", WayOptions{NodePort: nodePort},
			"none of the 0 endpoints"},
		"a name that is not there": {client, server, "nothing:8080", WayOptions{}, "the dump does not say"},
		"a name with its last dot": {client, server, "nothing.:8080", WayOptions{}, "has the name (nothing)"},
		"a name of six parts": {client, server, "a.b.c.d.e.f:80", WayOptions{},
			"(a.b.c.d.e.f, a.b.c.d.e.f.mark.svc"},
		"the dump of another's pod": {client, client, "fortio-server:8080", WayOptions{}, "give the dump of the pod"},
	} {
		_, err := Way(c.client, c.server, flow.Call{URL: c.url}, c.opts)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
	if _, err := Destination(client, flow.Call{URL: "http://"}, WayOptions{}); err == nil {
		t.Error("hosts of a call to no URL")
	}
}

// TestAddressFillsWhatIsNotSaid takes of a URL what a request does not say itself.
func TestAddressFillsWhatIsNotSaid(t *testing.T) {
	e := New(recorded(t, "netshoot"))
	for url, want := range map[string]flow.Request{
		"http://fortio-server:8080/a?b": {Address: "10.96.215.136", Port: 8080, Scheme: "http",
			Authority: "fortio-server:8080", Path: "/a?b"},
		"https://192.0.2.1": {Address: "192.0.2.1", Port: 443, Scheme: "https", Authority: "192.0.2.1", Path: "/"},
	} {
		var got flow.Request
		if err := e.Address(&got, url, ""); err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: %+v, %v, want %+v", url, got, err, want)
		}
	}
	own := flow.Request{Address: "192.0.2.9", Port: 81, Scheme: "https", Authority: "a", Path: "/own"}
	kept := own
	if err := e.Address(&kept, "http://fortio-server:8080/x", ""); err != nil || !reflect.DeepEqual(kept, own) {
		t.Errorf("%+v, %v, want %+v", kept, err, own)
	}
	for _, url := range []string{"http://", "http://nothing/"} {
		if err := e.Address(&flow.Request{}, url, ""); err == nil {
			t.Errorf("%s has an address", url)
		}
	}
}

// weighted is the workshop's client with a route to two clusters instead of one.
func weighted(t *testing.T, first, second string) *configdump.Dump {
	t.Helper()
	const one = `"cluster": "outbound|8080||fortio-server.mark.svc.cluster.local",
           "timeout"`
	cluster := func(name string) string {
		return `{"name": "outbound|8080||` + name + `.svc.cluster.local", "weight": 50}`
	}
	before := string(text(t, "netshoot"))
	after := strings.Replace(before, one, `"weighted_clusters": {"clusters": [`+cluster(first)+", "+cluster(second)+
		`]}, "timeout"`, 1)
	if after == before {
		t.Fatal("the recorded dump has another form")
	}
	d, err := configdump.Parse([]byte(after))
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// TestChanceBetweenClusters follows both ways of a request whose cluster chance decides: the one
// that comes to the server's pod is the path, whichever stands first, and the other is a variant.
func TestChanceBetweenClusters(t *testing.T) {
	server := recorded(t, "fortio-server")
	for _, order := range [][2]string{
		{"fortio-server.mark", "fortio-server.default"}, {"fortio-server.default", "fortio-server.mark"},
	} {
		path, err := Way(weighted(t, order[0], order[1]), server, workshop, WayOptions{Cold: true})
		if err != nil {
			t.Fatal(err)
		}
		if path.Certainty == flow.Certain || len(path.Variants) == 0 {
			t.Errorf("%v: %s with %d variants", order, path.Certainty, len(path.Variants))
		}
		all := append([]flow.Variant{{Hops: path.Hops}}, path.Variants...)
		if !slices.ContainsFunc(all, func(v flow.Variant) bool {
			return len(v.Hops) > 0 && v.Hops[len(v.Hops)-1].Kind == flow.App
		}) {
			t.Errorf("%v: no way comes to the application", order)
		}
		clusters := map[string]bool{}
		for _, v := range all {
			for _, hop := range v.Hops {
				if hop.Side == flow.Client && hop.Kind == flow.Cluster {
					clusters[hop.Decision] = true
				}
			}
		}
		if len(clusters) < 2 {
			t.Errorf("%v: the ways are of %v alone", order, clusters)
		}
	}
}
