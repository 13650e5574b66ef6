package authority

import (
	"context"
	"fmt"
	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"testing"
)

func TestZZ(t *testing.T) {
	for _, file := range []string{"/tmp/fixtures/dump-fortio-server.json", "/tmp/fixtures/dump-netshoot.json", "/tmp/infer/real/2022.json"} {
		d, err := configdump.Open(file)
		if err != nil {
			t.Fatal(err)
		}
		bin, err := Find()
		if err != nil {
			t.Skip(err)
		}
		e, err := Start(context.Background(), bin, t.TempDir(), d, Options{})
		if err != nil {
			t.Fatal(err)
		}
		ip := d.Node().IPs[0]
		var reqs []flow.Request
		for _, port := range []uint32{8080, 8070, 8079, 9999, 15006} {
			for _, p := range []string{"http", "http1.0", "http2", "grpc", "tcp"} {
				for _, tl := range []string{"plaintext", "tls", "mtls"} {
					for _, alpn := range [][]string{nil, {"istio"}, {"istio-peer-exchange"}, {"istio-http/1.1"}, {"h2"}, {"h2", "http/1.1"}, {"istio-h2"}} {
						if tl == "plaintext" && alpn != nil {
							continue
						}
						reqs = append(reqs, flow.Request{Direction: "inbound", Address: ip, Port: port, Protocol: p, TLS: tl, ALPN: alpn, Authority: "fortio-server:8080", SNI: "outbound_.8080_._.fortio-server.mark.svc.cluster.local"})
					}
				}
			}
		}
		for _, a := range []string{"10.96.215.136", "10.96.0.10", "8.8.8.8", "10.96.0.1"} {
			for _, port := range []uint32{8080, 8070, 8079, 53, 443, 15010, 15001, 9000} {
				for _, p := range []string{"http", "http2", "tcp"} {
					for _, host := range []string{"fortio-server", "fortio-server:8080", "fortio-server.default", "fortio-server-l2.mark.svc:8080", "x.y"} {
						reqs = append(reqs, flow.Request{Direction: "outbound", Address: a, Port: port, Protocol: p, Authority: host})
					}
				}
			}
		}
		rs, err := e.Ask(context.Background(), reqs)
		if err != nil {
			fmt.Println("ERR", err)
		}
		eng := infer.New(d)
		bad := 0
		for i, r := range rs {
			dec, err := eng.Decide(reqs[i])
			if err != nil {
				t.Fatal(err)
			}
			if diff := Differences(dec, r); len(diff) > 0 {
				bad++
				if bad < 25 {
					fmt.Printf("%+v\n   %v %v\n   %v\n", reqs[i], diff, r.Problem, r.Entries)
				}
			}
		}
		fmt.Println(file, len(reqs), "bad", bad)
		e.Close()
	}
}
