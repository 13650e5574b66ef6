package script

import (
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/fault"
)

// TestWitnesses calls the commands of counters and controls in ways that must fail, each
// with its own reason.
func TestWitnesses(t *testing.T) {
	for _, tc := range []struct {
		name   string
		script string
		kind   fault.Kind
		reason string
	}{
		{"control before request", "control a -> http://b/\n", fault.Usage,
			"control: it comes once, after request (usage: control FROM -> URL)"},
		{"control of nothing", "control\n", fault.Usage, "write FROM -> URL"},
		{"stats without a pod", "stats\n", fault.Usage, "stats: it needs a pod (usage: stats POD...)"},
		{"netfilter without a pod", "netfilter\n", fault.Usage, "netfilter: it needs a pod (usage: netfilter POD...)"},
		{"stats without a lab", "stats a\n", fault.Environment, "find pod a.mark:"},
		{"netfilter without a lab", "netfilter a b\n", fault.Environment, "find pod a.mark:"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			result := Run(t.Context(), noLab(t), Parse("t", []byte(tc.script)), Options{})
			if fault.Of(result.Err) != tc.kind || !strings.Contains(result.Reason, tc.reason) {
				t.Errorf("kind %q: %q; want %q: %q", fault.Of(result.Err), result.Reason, tc.kind, tc.reason)
			}
		})
	}
}

func TestAddressVariable(t *testing.T) {
	for pod, want := range map[string]string{"netshoot": "NETSHOOT_IP", "fortio-server-l2": "FORTIO_SERVER_L2_IP",
		"a.b-c": "A_B_C_IP"} {
		if got := addressVariable(pod); got != want {
			t.Errorf("%s: %s, want %s", pod, got, want)
		}
	}
}

func TestOwnCounters(t *testing.T) {
	for counter, own := range map[string]bool{
		"http.admin.downstream_rq_2xx": true, "listener.admin.downstream_cx_total": true,
		"listener.0.0.0.0_15021.worker_0.downstream_cx_total": true,
		"http.inbound_0.0.0.0_8080;.downstream_rq_2xx":        false,
		"listener.0.0.0.0_15006.downstream_cx_total":          false,
	} {
		if ownCounters.MatchString(counter) != own {
			t.Errorf("%s: own is not %v", counter, own)
		}
	}
}
