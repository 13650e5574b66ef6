package mesh

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
)

const clusters = `outbound|8080||a.b.svc.cluster.local::default_priority::max_requests::4294967295
outbound|8080||a.b.svc.cluster.local::10.0.0.1:8080::cx_active::3
outbound|8080||a.b.svc.cluster.local::10.0.0.1:8080::rq_active::2
outbound|8080||a.b.svc.cluster.local::10.0.0.1:8080::rq_total::40
outbound|8080||a.b.svc.cluster.local::10.0.0.1:80801::rq_active::7
outbound|8080||a.b.svc.cluster.local::110.0.0.1:8080::rq_active::7
PassthroughCluster::10.0.0.1:8080::rq_active::1
PassthroughCluster::10.0.0.1:8080::rq_total::2
`

func TestUse(t *testing.T) {
	for _, tt := range []struct {
		name, answer, address string
		want                  Use
		err                   string
	}{
		{"of all clusters", clusters, "10.0.0.1:8080", Use{3, 42}, ""},
		{"of an address that no cluster has", clusters, "10.0.0.9:8080", Use{}, ""},
		{"without a newline at the end", strings.TrimSpace(clusters), "10.0.0.1:8080", Use{3, 42}, ""},
		{"beside a line of any length", strings.Repeat("x", 1<<18) + "\n" + clusters, "10.0.0.1:8080", Use{3, 42}, ""},
		{"IPv6", "a::[fd00::1]:80::rq_active::4\n", "[fd00::1]:80", Use{4, 0}, ""},
		{"no number", "a::10.0.0.1:8080::rq_active::many\n", "10.0.0.1:8080",
			Use{}, `rq_active "many" is not a number`},
		{"no answer of /clusters", "<html>\n", "10.0.0.1:8080", Use{}, errNoClusters.Error()},
		{"nothing", "", "10.0.0.1:8080", Use{}, errNoClusters.Error()},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parseUse(strings.NewReader(tt.answer), tt.address)
			if fmt.Sprint(err) != tt.err && (err != nil || tt.err != "") || err == nil && got != tt.want {
				t.Errorf("%+v, %v, want %+v, %s", got, err, tt.want, tt.err)
			}
		})
	}
}

// TestInUse looks twice: what is under way at either look counts, and so does what
// began between them.
func TestInUse(t *testing.T) {
	for _, tt := range []struct {
		name          string
		looks         [2]Use
		active, began uint64
	}{
		{"nothing under way", [2]Use{{0, 9}, {0, 9}}, 0, 0},
		{"one at the first look", [2]Use{{1, 9}, {0, 9}}, 1, 0},
		{"short ones that no look meets", [2]Use{{0, 9}, {0, 12}}, 0, 3},
		{"a host that was forgotten", [2]Use{{0, 9}, {0, 0}}, 0, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			look := 0
			s := adminAnswering(t, func(w http.ResponseWriter, r *http.Request) {
				fmt.Fprintf(w, "c::10.0.0.1:80::rq_active::%d\nc::10.0.0.1:80::rq_total::%d\n", tt.looks[look].Active,
					tt.looks[look].Total)
				look++
			})
			active, began, err := s.InUse(t.Context(), "10.0.0.1:80")
			if err != nil || active != tt.active || began != tt.began {
				t.Errorf("%d, %d, %v", active, began, err)
			}
		})
	}
}

func FuzzUse(f *testing.F) {
	f.Add(clusters, "10.0.0.1:8080")
	f.Fuzz(func(t *testing.T, answer, address string) {
		if use, err := parseUse(strings.NewReader(answer), address); err == nil && use.Active > 0 &&
			!strings.Contains(answer, address) {
			t.Errorf("%+v of an address that is not there", use)
		}
	})
}
