package infer

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// port is what the workshop's Service says, with a pod behind it that is not the dump's.
func port(server string, local bool) *NodePort {
	return &NodePort{Service: "fortio-server.mark", Name: "http", Port: 32463, Local: local,
		Endpoints: []netip.AddrPort{netip.MustParseAddrPort(server + ":8080"),
			netip.MustParseAddrPort("192.0.2.7:8080")}}
}

// TestNodePortComesFirst takes a call from outside of the mesh through kube-proxy to the twin of
// the filter chain that the mesh does not take.
func TestNodePortComesFirst(t *testing.T) {
	server := recorded(t, "fortio-server")
	ip := server.Node().IPs[0]
	call := flow.Call{From: "laptop", Outside: true, URL: "http://172.18.0.2:32463/"}
	path, err := Way(nil, server, call, WayOptions{NodePort: port(ip, false), Source: "172.18.0.9", Cold: true})
	if err != nil {
		t.Fatal(err)
	}
	first := path.Hops[0]
	if first.Kind != flow.NodePort || first.Decision != "172.18.0.2:32463 → "+ip+":8080" || len(first.Choices) != 2 ||
		first.Choices[1].Share != 0.5 {
		t.Errorf("first hop: %+v", first)
	}
	if len(first.Expect) != 1 || first.Expect[0].Name != flow.FactOriginalDst || first.Expect[0].Value != ip+":8080" {
		t.Errorf("expected of it: %+v", first.Expect)
	}
	clear := hopOf(t, path, flow.DownstreamTLS)
	meshed, err := Way(recorded(t, "netshoot"), server, workshop, WayOptions{})
	if err != nil {
		t.Fatal(err)
	}
	twin, chain := hopOf(t, meshed, flow.FilterChain), hopOf(t, path, flow.FilterChain)
	if path.Outcome != flow.Forwarded || !strings.HasPrefix(clear.Decision, "clear text") ||
		chain.Source == twin.Source {
		t.Errorf("%s, %q, chain %s; the mesh takes %s", path.Outcome, clear.Decision, chain.Source, twin.Source)
	}
}

// TestNodePortLeavesNoSource shows what the client's address decides: it arrives only where
// the Service says so.
func TestNodePortLeavesNoSource(t *testing.T) {
	server := recorded(t, "fortio-server")
	for local, want := range map[bool]string{false: "", true: "172.18.0.9"} {
		a := &arrival{opts: WayOptions{NodePort: port(server.Node().IPs[0], local), Source: "172.18.0.9"},
			target: target{host: "172.18.0.2", port: 32463}}
		if err := a.throughNode(server.Node(), &flow.Path{}); err != nil || a.request.Source != want {
			t.Errorf("externalTrafficPolicy Local %v: source %q, %v, want %q", local, a.request.Source, err, want)
		}
	}
}

func TestNodePortErrors(t *testing.T) {
	server := recorded(t, "fortio-server")
	for _, tt := range []struct {
		name, url string
		port      *NodePort
		want      string
	}{
		{"another port", "http://172.18.0.2:32265/", port(server.Node().IPs[0], false),
			"the URL names port 32265, and node port 32463"},
		{"a name", "http://worknode5:32463/", port(server.Node().IPs[0], false),
			`"worknode5" is not the address of a node`},
		{"the dump of another pod", "http://172.18.0.2:32463/", port("192.0.2.8", false),
			"none of the 2 endpoints of Service fortio-server.mark"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			_, err := Way(nil, server, flow.Call{URL: tt.url}, WayOptions{NodePort: tt.port})
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

func hopOf(t *testing.T, path flow.Path, kind flow.HopKind) flow.Hop {
	t.Helper()
	i := slices.IndexFunc(path.Hops, func(h flow.Hop) bool { return h.Kind == kind && h.Side == flow.Server })
	if i < 0 {
		t.Fatalf("no hop %s", kind)
	}
	return path.Hops[i]
}
