package authority

import (
	"fmt"
	"math/rand/v2"
	"testing"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

// TestRecorded takes listeners, routes and clusters of sidecars that ran in the workshop's lab and
// sends everything through them that the workshop's tables speak of, and random mixtures of it.
func TestRecorded(t *testing.T) {
	envoyOrSkip(t)
	for _, pod := range []string{"netshoot", "fortio-server"} {
		t.Run(pod, func(t *testing.T) {
			d, err := configdump.Open(t.Context(), "../../../scenarios/dumps/"+pod+".json.gz")
			if err != nil {
				t.Fatal(err)
			}
			g := &generator{rand.New(rand.NewPCG(*randomSeed, 99))}
			requests := table(d.Node().IPs[0])
			for range *randomRequests / 4 {
				requests = append(requests, g.meshRequest(d.Node().IPs[0]))
			}
			for _, text := range judge(t, start(t, d, Options{}), infer.New(d), requests) {
				if text != "" {
					t.Error(text)
				}
			}
		})
	}
}

var meshALPN = [][]string{nil, {"istio"}, {"istio-peer-exchange", "istio"}, {"istio-http/1.1", "istio", "http/1.1"},
	{"istio-h2"}, {"h2"}, {"h2", "http/1.1"}}

const meshSNI = "outbound_.8080_._.fortio-server.mark.svc.cluster.local"

// table is the workshop's truth table in full: every port, protocol, TLS mode and ALPN
// of the inbound side.
func table(ip string) []flow.Request {
	var all []flow.Request
	for _, port := range []uint32{8080, 9999, 15006} {
		for _, protocol := range []string{"http", "http2", "tcp"} {
			all = append(all, flow.Request{Direction: flow.Inbound, Address: ip, Port: port, Protocol: protocol,
				Authority: "fortio-server:8080"})
			for _, mode := range []string{flow.TLS, flow.MTLS} {
				for _, alpn := range meshALPN {
					all = append(all, flow.Request{Direction: flow.Inbound, Address: ip, Port: port, Protocol: protocol,
						TLS: mode, ALPN: alpn, SNI: meshSNI, Authority: "fortio-server:8080"})
				}
			}
		}
	}
	return all
}

// meshRequest draws a request of either direction as a pod of the workshop could make or get it.
func (g *generator) meshRequest(ip string) flow.Request {
	r := flow.Request{Protocol: pick(g, "http", "http", "http2", "grpc", "tcp", "http1.0"), Method: pick(g, methods...),
		Path: pick(g, paths...),
		Authority: pick(g, "fortio-server", "fortio-server:8080", "fortio-server.mark", "fortio-server.default:8080",
			"fortio-server-l2.mark.svc.cluster.local", "10.96.215.136:8080", "x.y", "kubernetes.default")}
	r.Source = fmt.Sprintf("172.21.206.%d:%d", g.IntN(250)+1, 1024+g.IntN(60000))
	if g.IntN(2) == 0 {
		r.Direction, r.Address, r.Port = flow.Inbound, ip, pick[uint32](g, 8070, 8079, 8080, 80, 9999, 15006)
		if g.IntN(2) == 0 {
			r.TLS, r.ALPN, r.SNI = pick(g, flow.TLS, flow.MTLS), pick(g, meshALPN...), pick(g, meshSNI, "", "other")
		}
		return r
	}
	r.Direction, r.Address = flow.Outbound, pick(g, "10.96.215.136", "10.96.0.10", "10.96.0.1", "8.8.8.8", ip)
	r.Port = pick[uint32](g, 8070, 8079, 8080, 53, 443, 15001, 15010, 15012, 12345)
	if g.IntN(4) == 0 {
		r.TLS, r.ALPN, r.SNI = flow.TLS, pick(g, meshALPN...), pick(g, "", "x.y")
	}
	return r
}
