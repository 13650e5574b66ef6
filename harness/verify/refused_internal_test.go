package verify

import (
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// TestRefusedBy holds that an endpoint is said to have refused a request only where it refused each
// attempt of the proxy that answered.
func TestRefusedBy(t *testing.T) {
	const proxy, one, other = "netshoot.mark", "10.0.0.1:80", "10.0.0.2:80"
	const refused = "connect error: Connection refused"
	try := func(by, endpoint, failure string) flow.Attempt {
		return flow.Attempt{Proxy: by, Endpoint: endpoint, Failure: failure}
	}
	for name, c := range map[string]struct {
		tried []flow.Attempt
		want  string
	}{
		"no attempt is told of": {nil, ""},
		"the one attempt":       {[]flow.Attempt{try(proxy, one, refused)}, one + " refused the connection"},
		"both attempts": {[]flow.Attempt{try(proxy, one, refused), try(proxy, one, refused)},
			one + " refused the connection, twice"},
		"two endpoints": {[]flow.Attempt{try(proxy, one, refused), try(proxy, other, refused)}, ""},
		"one attempt was cut off": {[]flow.Attempt{try(proxy, one, refused),
			try(proxy, one, "connection termination")}, ""},
		"another proxy's was refused": {[]flow.Attempt{try("gateway.istio", one, refused)}, ""},
		"another proxy's was answered": {[]flow.Attempt{try("gateway.istio", other, ""), try(proxy, one, refused)},
			one + " refused the connection"},
	} {
		if got := refusedBy(flow.Answer{By: proxy, Tried: c.tried}); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}
