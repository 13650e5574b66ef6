package run_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/harness/run/runtest"
	"github.com/flowproof/lab/harness/verify"
)

// doubled is a dump in which a cluster has one more endpoint of the same kind, before the first.
func doubled(t *testing.T, dump []byte, cluster, address string) []byte {
	t.Helper()
	at := bytes.Index(dump, []byte(`"cluster_name": "`+cluster+`"`))
	if at < 0 {
		t.Fatalf("no endpoints of %s", cluster)
	}
	open := at + bytes.IndexByte(dump[at+bytes.Index(dump[at:], []byte(`"lb_endpoints"`)):], '{') +
		bytes.Index(dump[at:], []byte(`"lb_endpoints"`))
	depth, end := 0, open
	for ; depth > 0 || end == open; end++ {
		switch dump[end] {
		case '{':
			depth++
		case '}':
			depth--
		}
	}
	own := dump[open:end]
	was := own[bytes.Index(own, []byte(`"address": "`))+len(`"address": "`):]
	was = was[:bytes.IndexByte(was, '"')]
	return slices.Concat(dump[:open], bytes.Replace(own, was, []byte(address), 1), []byte(","), dump[open:])
}

// TestTheEndpointThatTookIt sends to a Service of two endpoints. Which one takes the request no
// dump says: the way is inferred to the one that was seen to take it, and is verified to it.
func TestTheEndpointThatTookIt(t *testing.T) {
	const cluster = "outbound|8080||fortio-server.mark.svc.cluster.local"
	two := func() *runtest.Lab {
		lab := recorded(t, "inbound")
		client := lab.PodsByRef["netshoot.mark"]
		for i, dump := range client.Dumps {
			client.Dumps[i] = doubled(t, dump, cluster, "172.21.206.250")
		}
		return lab
	}
	lab := two()
	result, err := run.Do(t.Context(), lab.Run(), plan(t, "http://fortio-server:8080/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	took := lab.PodsByRef["fortio-server.mark"].Address + ":8080"
	at := slices.IndexFunc(result.Run.Path.Hops, func(h flow.Hop) bool {
		return h.Side == flow.Client && h.Kind == flow.Connect
	})
	hop := result.Run.Path.Hops[at]
	if len(hop.Choices) != 2 || !strings.HasSuffix(hop.Decision, "→ "+took) {
		t.Errorf("%s, of %d choices; %s took it", hop.Decision, len(hop.Choices), took)
	}
	if verdict := verify.Judge(result.Run); verdict.Result != flow.Verified {
		t.Errorf("%s: %v", verdict.Result, verdict.Problems)
	}
}
