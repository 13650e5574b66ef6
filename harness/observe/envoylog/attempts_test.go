package envoylog

import (
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestAttempts holds what the log of an Envoy tells of attempts that ended in four ways: given up
// after the time of one try, over TLS that the endpoint does not speak, cut off and then refused,
// and with a TLS handshake that did not end in the time to connect.
func TestAttempts(t *testing.T) {
	const (
		late = "upstream per try timeout"
		tls  = "remote connection failure: TLS_error:|268435703:SSL routines:OPENSSL_internal:" +
			"WRONG_VERSION_NUMBER:TLS_error_end"
		cut     = "connection termination"
		refused = "remote connection failure: delayed connect error: Connection refused"
		timeout = "connection timeout"
	)
	lines := read(t, "client-retries-1.40.log")
	for path, want := range map[string][]string{
		"/hang": {"1 127.0.0.1:24581 new " + late, "2 127.0.0.1:24581 new " + late, "3 127.0.0.1:24581 new " + late},
		"/tls":  {"1 127.0.0.1:24583  " + tls, "2 127.0.0.1:24583  " + tls},
		"/mix":  {"1 127.0.0.1:24582 new " + cut, "2 127.0.0.1:24582  " + refused},
		"/slow": {"1 127.0.0.1:24581  " + timeout, "2 127.0.0.1:24581  " + timeout},
	} {
		seen, _ := Observe(lines, Selection{Authority: "127.0.0.1:24580", Path: path, Side: flow.Client})
		var got []string
		for _, o := range seen {
			facts := map[string]string{}
			for _, f := range o.Facts {
				facts[f.Name] = f.Value
			}
			if facts[flow.FactAttempt] == "" {
				continue
			}
			if facts[flow.FactAttemptAfter] == "" || facts[flow.FactAttemptStatus] != "" {
				t.Errorf("%s: %v", path, facts)
			}
			got = append(got, strings.Join([]string{facts[flow.FactAttempt], facts[flow.FactAttemptEndpoint],
				facts[flow.FactAttemptConnects], facts[flow.FactAttemptFailure]}, " "))
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s:\n%s\nwant\n%s", path, strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
	}
}
