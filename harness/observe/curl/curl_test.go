package curl

import (
	"strings"
	"testing"
	"time"

	"github.com/flowproof/lab/harness/flow"
)

const verbose = `*   Trying 10.96.215.136:8080...
* Connected to fortio-server (10.96.215.136) port 8080 (#0)
> GET / HTTP/1.1
> Host: fortio-server:8080
> Authorization: Bearer abc.secret
> x-request-id: 6f1d3c52-8a5b-4e0b-9d11-0c0ffee00001
>
< HTTP/1.1 200 OK
< content-length: 0
< Set-Cookie: sid=1
< x-envoy-upstream-service-time: 3
< server: envoy
<
* Connection #0 to host fortio-server left intact
`

const numbers = "flowproof-curl: status=200 version=1.1 local=172.21.206.198|52342 remote=10.96.215.136|8080 " +
	"namelookup=0.000018 connect=0.001557 starttransfer=0.009952 total=0.010011\n"

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name, text, remote, local string
		status                    int
		failure, err              string
		complete                  bool
	}{
		{"-v and -w", verbose + numbers, "10.96.215.136:8080", "172.21.206.198:52342", 200, "", "", true},
		{"-v and -w '%{json}'",
			verbose + `{"certs":"","http_code":200,"http_version":"1.1","local_ip":"10.77.0.1","local_port":35328,` +
				`"remote_ip":"10.96.215.136","remote_port":8080,"time_total":0.010011}`,
			"10.96.215.136:8080", "10.77.0.1:35328", 200, "", "", true},
		{"-w '%{json}' cut", "* Connected to x (10.0.0.9) port 80\n" + `{"certs":"","http_code":200,"local_`,
			"10.0.0.9:80", "invalid AddrPort", 0, "", "", false},
		{"-v alone", verbose, "10.96.215.136:8080", "invalid AddrPort", 200, "", "", true},
		{"curl 8.16", "* Established connection to x (10.0.0.9 port 80) from 10.0.0.1 port 4711 \n< HTTP/2 404 \n",
			"10.0.0.9:80", "10.0.0.1:4711", 404, "", "", true},
		{"IPv6", "* Connected to x (fd00::9) port 80\n", "[fd00::9]:80", "invalid AddrPort", 0, "", "", false},
		{"reset", "* Connected to x (10.0.0.9) port 80\n* Recv failure: Connection reset by peer\ncurl: (56) Recv " +
			"failure: Connection reset by peer\n" +
			"flowproof-curl: status=000 version=0 local=10.0.0.1|4711 remote=10.0.0.9|80 namelookup=0 connect=0 " +
			"starttransfer=0 total=0\n",
			"10.0.0.9:80", "10.0.0.1:4711", 0, "(56) Recv failure: Connection reset by peer", "", true},
		{"name does not resolve", "* Could not resolve host: absent\ncurl: (6) Could not resolve host: absent\n",
			"invalid AddrPort", "invalid AddrPort", 0, "(6) Could not resolve host: absent", "", true},
		{"interim response", "< HTTP/1.1 100 Continue\n< \n< HTTP/1.1 403 Forbidden\n", "invalid AddrPort",
			"invalid AddrPort", 403, "", "", true},
		{"cut", "* Connected to x (10.0.0.9) port 80\n> GET / HTTP/1.1\n", "10.0.0.9:80",
			"invalid AddrPort", 0, "", "", false},
		{"not curl", "sh: curl: not found\n", "", "", 0, "", "no line of it", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := Parse([]byte(c.text))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("error %v, want %q", err, c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if r.Remote.String() != c.remote || r.Local.String() != c.local || r.Status != c.status ||
				r.Failure != c.failure {
				t.Errorf("got remote %s local %s status %d failure %q", r.Remote, r.Local, r.Status, r.Failure)
			}
			if _, w := Observe(r, "netshoot.mark", time.Time{}); w.Complete != c.complete {
				t.Errorf("complete %v: %s", w.Complete, w.Problem)
			}
		})
	}
}

func TestObserve(t *testing.T) {
	r, err := Parse([]byte(verbose + numbers))
	if err != nil {
		t.Fatal(err)
	}
	seen, _ := Observe(r, "netshoot.mark", time.Time{})
	var got []string
	for _, o := range seen {
		got = append(got, string(o.Kind)+" "+o.Facts[0].Name+"="+o.Facts[0].Value+" in "+o.Raw)
	}
	want := []string{
		"resolve resolved.address=10.96.215.136 in * Connected to fortio-server (10.96.215.136) port 8080 (#0)",
		"redirect original.dst=10.96.215.136:8080 in * Connected to fortio-server (10.96.215.136) port 8080 (#0)",
		"redirect downstream.peer=172.21.206.198:52342 in " + strings.TrimSpace(numbers),
		"app status=200 in < HTTP/1.1 200 OK",
		"app answer.after=10.011ms in " + strings.TrimSpace(numbers),
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if r.Headers["set-cookie"] != "«redacted 5 B»" || r.Timing.Connect != 1557*time.Microsecond {
		t.Errorf("headers %v, timing %v", r.Headers, r.Timing)
	}
	if seen[0].Side != flow.Client {
		t.Errorf("side %q", seen[0].Side)
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(verbose + numbers))
	f.Add([]byte("* Established connection to x (10.0.0.9 port 80) from 10.0.0.1 port 4711 \n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		r, err := Parse(text)
		if err == nil {
			Observe(r, "a.b", time.Time{})
		}
	})
}
