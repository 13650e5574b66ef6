package accesslog

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/observetest"
)

// requestOfLog is the request of the test data: two real sidecars of one run.
const requestOfLog = "d1bd9705-f406-4bb6-85b0-3dbe66b959d6"

func observe(t testing.TB, name string, edit func(string) string, sel Selection) ([]flow.Observation, flow.Watch) {
	t.Helper()
	text := string(log(t, name))
	if edit != nil {
		edited := edit(text)
		if edited == text {
			t.Fatal("the edit changes nothing")
		}
		text = edited
	}
	lines, damaged := Parse([]byte(text))
	return Observe(lines, damaged, sel)
}

// TestObserve reads the lines of two real sidecars about one request.
func TestObserve(t *testing.T) {
	for _, c := range []struct {
		file string
		side flow.Side
		want []string
	}{
		{"client.log", flow.Client, []string{
			"app status=200", "app upstream.attempts=1",
			"cluster cluster=outbound|8080||fortio-server.mark.svc.cluster.local",
			"connect upstream.local=172.21.206.197:@", "connect upstream.remote=172.21.206.196:8080",
			"downstream-tls tls.version=none",
			"endpoint endpoint=172.21.206.196:8080", "filter-chain filter.chain=unnamed",
			"listener downstream.peer=172.21.206.197:@",
			"listener listener=0.0.0.0_8080", "network-filters codec=http1", "network-filters connection.id=@",
			"redirect original.dst=10.96.215.136:8080", "redirect redirect.port=15001",
			"route response.details=via_upstream", "route route=default",
			"route virtual.host=fortio-server.mark.svc.cluster.local:8080",
			"upstream-tls peer.uri=spiffe://cluster.local/ns/mark/sa/default",
			"upstream-tls sni=outbound_.8080_._.fortio-server.mark.svc.cluster.local",
			"upstream-tls tls.version=TLSv1.3", "upstream-tls transport=tls"}},
		{"server.log", flow.Server, []string{
			"app status=200", "app upstream.attempts=1", "cluster cluster=inbound|8080||",
			"connect upstream.local=127.0.0.6:@", "connect upstream.remote=172.21.206.196:8080",
			"downstream-tls peer.uri=spiffe://cluster.local/ns/mark/sa/default", "downstream-tls tls.version=TLSv1.3",
			"endpoint endpoint=172.21.206.196:8080",
			"filter-chain filter.chain=0.0.0.0_8080", "listener downstream.peer=172.21.206.197:@",
			"listener listener=virtualInbound",
			"listener-filters sni=outbound_.8080_._.fortio-server.mark.svc.cluster.local",
			"network-filters codec=http1", "network-filters connection.id=@",
			"redirect original.dst=172.21.206.196:8080", "redirect redirect.port=15006",
			"route response.details=via_upstream", "route route=default",
			"route virtual.host=inbound|http|8080", "upstream-tls tls.version=none",
			"upstream-tls transport=raw_buffer"}},
	} {
		t.Run(c.file, func(t *testing.T) {
			seen, w := observe(t, c.file, nil, Selection{RequestID: requestOfLog, Pod: "a.b", Side: c.side})
			got := observetest.Sorted(seen)
			for i, f := range got {
				for _, kind := range []string{"upstream.local=", "downstream.peer="} {
					if strings.Contains(f, kind) {
						got[i] = f[:strings.LastIndexByte(f, ':')] + ":@"
					}
				}
				if name, _, ok := strings.Cut(f, "connection.id="); ok {
					got[i] = name + "connection.id=@"
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			if !w.Complete || w.Instrument != flow.AccessLog || w.Pod != "a.b" || w.Side != c.side {
				t.Errorf("watch %+v", w)
			}
			for _, o := range seen {
				able := slices.ContainsFunc(w.Sees, func(s flow.Capability) bool {
					return s.Kind == o.Kind && s.Fact == o.Facts[0].Name
				})
				if !able || o.Raw == "" || o.Where.Pod != "a.b" || o.Where.Connection == "" || o.Time.IsZero() {
					t.Errorf("%s %s: able %v, at %v in %+v", o.Kind, o.Facts[0].Name, able, o.Time, o.Where)
				}
			}
		})
	}
}

// TestWhatIsNotSeen says what an access log does not prove, and that it says so.
func TestWhatIsNotSeen(t *testing.T) {
	member := func(name, value string) func(string) string {
		return func(text string) string {
			i := strings.Index(text, `"`+name+`":`)
			end := i + strings.IndexAny(text[i:], ",}")
			if value == "" { // the format has no such member
				return text[:i] + `"x":0` + text[end:]
			}
			return text[:i] + `"` + name + `":` + value + text[end:]
		}
	}
	for _, c := range []struct {
		name      string
		edit      func(string) string
		kind      flow.HopKind
		fact      string
		want      string // "": not seen
		cannotSee bool
	}{
		{"the format lacks the listener", member(listenerName, ""), flow.Listener, flow.FactListener, "", true},
		{"no listener", member(listenerName, "null"), flow.Listener, flow.FactListener, "", false},
		{"the format lacks the chain", member(filterChainName, ""), flow.FilterChain, flow.FactFilterChain, "", true},
		{"no HTTP and no cluster, so no chain is shown", func(s string) string {
			return member(upCluster, "null")(member(protocol, "null")(s))
		}, flow.FilterChain, flow.FactFilterChain, "", false},
		{"a filter of a chain without a name chose a cluster", member(protocol, "null"), flow.FilterChain,
			flow.FactFilterChain, flow.Unnamed, false},
		{"no HTTP, so TLS is not ruled out", member(protocol, "null"), flow.DownstreamTLS,
			flow.FactTLSVersion, "", true},
		{"a handshake failed", member(downTLSFailure, `"TLS_error:|268435703"`), flow.DownstreamTLS,
			flow.FactTLSVersion, "", false},
		{"no upstream connection", func(s string) string {
			return member(upLocal, "null")(member(upTLSVersion, "null")(s))
		}, flow.UpstreamTLS, flow.FactTransport, "", false},
		{"the format lacks the upstream's TLS", member(upTLSVersion, ""), flow.UpstreamTLS,
			flow.FactTransport, "", true},
		{"no answer", member(responseCode, "0"), flow.App, flow.FactStatus, "", true},
		{"flags", member(responseFlags, `"UF,URX"`), flow.App, flow.FactFlags, "UF,URX", false},
		{"a client that a header names", member(downRemote, `"10.0.0.1:0"`), flow.Listener, flow.FactPeer, "", true},
		{"HTTP/2", member(protocol, `"HTTP/2"`), flow.NetworkFilters, flow.FactCodec, "http2", false},
		{"no address", member(downDirectLocal, `"envoy://internal"`), flow.Redirect, flow.FactRedirectPort, "", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen, w := observe(t, "client.log", c.edit, Selection{RequestID: requestOfLog, Side: flow.Client})
			got := ""
			for _, o := range seen {
				if o.Kind == c.kind && o.Facts[0].Name == c.fact {
					got = o.Facts[0].Value
				}
			}
			can := slices.ContainsFunc(w.Sees, func(s flow.Capability) bool {
				return s.Kind == c.kind && s.Fact == c.fact
			})
			if got != c.want || can == c.cannotSee {
				t.Errorf("saw %q, want %q; it says that it can: %v", got, c.want, can)
			}
		})
	}
}

func TestIncomplete(t *testing.T) {
	for _, c := range []struct {
		name    string
		edit    func(string) string
		sel     Selection
		problem string
	}{
		{"another request", nil, Selection{RequestID: "58759b51-2b82-4c4a-96d4-d485264bf2a5"},
			"no line of the request 58759b51-2b82-4c4a-96d4-d485264bf2a5 among 1"},
		{"the line has not come", func(s string) string {
			return s[:strings.Index(s, "{")]
		}, Selection{RequestID: requestOfLog, Problem: "not within 10s"}, "among 0; not within 10s"},
		{"the line is cut", func(s string) string {
			return s[:strings.Index(s, "{")+500]
		}, Selection{RequestID: requestOfLog},
			"line 7 of the log begins as a line of the access log and cannot be read"},
		{"twice", func(s string) string {
			return s + s[strings.Index(s, "{"):]
		}, Selection{RequestID: requestOfLog, Side: flow.Client}, "2 lines are of the request"},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen, w := observe(t, "client.log", c.edit, c.sel)
			abstains := c.name == "twice"
			if w.Complete != abstains || !strings.Contains(w.Problem+w.Abstains, c.problem) || len(seen) > 0 ||
				abstains && len(w.Sees) > 0 {
				t.Errorf("%d observations, watch %+v", len(seen), w)
			}
		})
	}
	// A sidecar whose application passes the request on writes a line for each way.
	both := func(s string) string {
		return s + strings.Replace(s[strings.Index(s, "{"):], ":15001\"", ":15006\"", 1)
	}
	for side, port := range map[flow.Side]string{flow.Client: "15001", flow.Server: "15006"} {
		seen, w := observe(t, "client.log", both, Selection{RequestID: requestOfLog, Side: side})
		if !w.Complete || !slices.Contains(observetest.Sorted(seen), "redirect redirect.port="+port) {
			t.Errorf("%s: %v, %s", side, observetest.Sorted(seen), w.Problem)
		}
	}
}

// TestWrittenOn reads a log that goes on after an answer without a line of it: Envoy wrote none,
// and nothing can be seen of it.
func TestWrittenOn(t *testing.T) {
	_, w := observe(t, "client.log", nil, Selection{RequestID: "another", Answered: time.Unix(0, 0)})
	if !w.Complete || len(w.Sees) > 0 {
		t.Errorf("%+v", w)
	}
	_, w = observe(t, "client.log", nil, Selection{RequestID: "another", Answered: time.Unix(1<<40, 0)})
	if w.Complete {
		t.Error("the log ends before the answer, and yet is complete")
	}
	cut := func(s string) string { return s + "{\n" }
	if _, w = observe(t, "client.log", cut, Selection{RequestID: "another", Answered: time.Unix(0, 0)}); w.Complete {
		t.Error("the line that cannot be read may be the request's")
	}
}

// TestStream finds the line of a connection that is no HTTP by its client's end.
func TestStream(t *testing.T) {
	const line = `{"request_id":null,"response_code":0,"response_flags":"-","protocol":null,` +
		`"downstream_remote_address":"10.0.0.1:5",` +
		`"downstream_local_address":"10.0.0.2:15006","downstream_direct_local_address":"10.0.0.2:15006",` +
		`"upstream_cluster":"PassthroughCluster"}`
	lines, _ := Parse([]byte(line))
	seen, w := Observe(lines, nil, Selection{RequestID: requestOfLog, Peer: "10.0.0.1:5"})
	if got := strings.Join(observetest.Sorted(seen), " "); !w.Complete ||
		!strings.Contains(got, "cluster cluster=PassthroughCluster") || strings.Contains(got, "redirect.port") {
		t.Errorf("%s; %s", got, w.Problem)
	}
	if seen, _ = Observe(lines, nil, Selection{RequestID: requestOfLog, Peer: "10.0.0.1:6"}); len(seen) > 0 {
		t.Error("another client's connection was taken")
	}
}
