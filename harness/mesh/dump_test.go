package mesh

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/fault"
)

// A largeProxy is the admin interface of a sidecar in a mesh of many services, as
// Envoy 1.40 answers.
type largeProxy struct {
	services int
	answers  []int // their sizes
}

func (p *largeProxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path == "/stats" {
		fmt.Fprintf(w, "cluster_manager.active_clusters: %d\n", p.services)
		return
	}
	query := r.URL.Query()
	names := regexp.MustCompile("^(?:" + cmp.Or(query.Get("name_regex"), "(?s).*") + ")$")
	lists := p.lists(names, query.Get("resource"))
	var sections []any
	switch resource, mask := query.Get("resource"), query.Get("mask"); {
	case resource == "ecds_filters":
		http.Error(w, resource+" not found in config dump", http.StatusNotFound)
		return
	case resource != "":
		for _, element := range lists[resource] {
			typed := maps.Clone(element)
			typed["@type"] = adminType + "Any"
			sections = append(sections, typed)
		}
	case mask == "bootstrap":
		sections = append(sections, map[string]any{"@type": adminType + "BootstrapConfigDump",
			"bootstrap": map[string]any{"node": map[string]any{"id": "a"}}},
			map[string]any{"@type": adminType + "ClustersConfigDump"})
	default:
		sections = append(sections, map[string]any{"@type": adminType + "BootstrapConfigDump",
			"bootstrap": map[string]any{"node": map[string]any{"id": "a"}}})
		for _, part := range parts[:len(parts)-1] {
			section := map[string]any{"@type": adminType + part.message}
			for _, list := range part.lists {
				if len(lists[list]) > 0 {
					section[list] = lists[list]
				}
			}
			sections = append(sections, section)
		}
	}
	text, _ := json.Marshal(map[string]any{"configs": sections})
	if sections == nil {
		text = []byte("{}")
	}
	p.answers = append(p.answers, len(text))
	_, _ = w.Write(text)
}

// lists are the elements with names that match, of one list or, where only is "", of all.
func (p *largeProxy) lists(names *regexp.Regexp, only string) map[string][]map[string]any {
	lists := map[string][]map[string]any{}
	add := func(list, name string, element map[string]any) {
		if (only == "" || only == list) && names.MatchString(name) {
			lists[list] = append(lists[list], element)
		}
	}
	many := append([]string{"BlackHoleCluster", "PassthroughCluster", "", "xds.", ".x", "a\nb"}, p.names()...)
	if only != "" && !strings.HasPrefix(only, "dynamic_active") && !strings.HasPrefix(only, "dynamic_endpoint") {
		many = nil
	}
	for _, name := range many {
		add("dynamic_active_clusters", name,
			map[string]any{"version_info": "1", "cluster": map[string]any{"name": name, "type": "EDS"}})
		add("dynamic_endpoint_configs", name, map[string]any{"endpoint_config": map[string]any{"cluster_name": name}})
	}
	add("static_clusters", "agent", map[string]any{"cluster": map[string]any{"name": "agent"}})
	add("dynamic_listeners", "0.0.0.0_80", map[string]any{"name": "0.0.0.0_80"})
	add("dynamic_route_configs", "80", map[string]any{"route_config": map[string]any{"name": "80"}})
	return lists
}

func (p *largeProxy) names() []string {
	var names []string
	for n := range p.services {
		names = append(names, fmt.Sprintf("outbound|80||svc-%05d.shop-%d.svc.cluster.local", n, n%40))
	}
	return names
}

// canonical is a dump with its sections and lists in one order.
func canonical(t *testing.T, dump []byte) string {
	t.Helper()
	var all struct{ Configs []map[string]any }
	if err := json.Unmarshal(dump, &all); err != nil {
		t.Fatal(err)
	}
	for _, section := range all.Configs {
		for name, value := range section {
			if list, ok := value.([]any); ok {
				slices.SortFunc(list, func(a, b any) int { return strings.Compare(text(a), text(b)) })
				section[name] = list
			}
		}
	}
	return text(all.Configs)
}

func text(v any) string {
	b, _ := json.Marshal(v)
	return string(b)
}

// TestLargeDumpIsSliced reads a proxy of 18,000 services: what comes of it is what one answer would
// have been, and no answer is long enough to hold its main thread up.
func TestLargeDumpIsSliced(t *testing.T) {
	proxy := &largeProxy{services: 18000}
	s := adminAnswering(t, proxy.ServeHTTP)
	sliced, err := s.Dump(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	answers := slices.Clone(proxy.answers)
	whole, err := s.dumpOf(t.Context(), wholeDump, maxAnswer)
	if err != nil {
		t.Fatal(err)
	}
	if canonical(t, sliced) != canonical(t, whole) {
		t.Error("what comes of the slices is not the dump")
	}
	if most := slices.Max(answers); most > len(whole)/12 {
		t.Errorf("the largest of %d answers has %d bytes of %d", len(answers), most, len(whole))
	}
	reads := s.Reads()
	var bytes int64
	for _, r := range reads[:len(reads)-1] {
		bytes += r.Bytes
		if r.Took <= 0 || r.Path == "" {
			t.Errorf("%+v", r)
		}
	}
	if bytes < int64(len(whole)) {
		t.Errorf("%d bytes were noted", bytes)
	}
}

// TestSmallDumpIsOneAnswer asks a proxy of few clusters for all of it at once,
// which is of one moment.
func TestSmallDumpIsOneAnswer(t *testing.T) {
	proxy := &largeProxy{services: 100}
	if _, err := adminAnswering(t, proxy.ServeHTTP).Dump(t.Context()); err != nil || len(proxy.answers) != 1 {
		t.Errorf("%d answers, %v", len(proxy.answers), err)
	}
}

// TestMaxDump stops reading at the limit, of one answer and of all slices together.
func TestMaxDump(t *testing.T) {
	for _, services := range []int{100, 5000} {
		proxy := &largeProxy{services: services}
		s := adminAnswering(t, proxy.ServeHTTP)
		s.pod.mesh = &Mesh{limits: Limits{Dump: 4 << 10}}
		_, err := s.Dump(t.Context())
		check(t, err, "give --max-dump SIZE, 512 MiB at most", fault.Environment)
	}
}

// TestNamesApart gives each name to one slice.
func TestNamesApart(t *testing.T) {
	for _, name := range []string{"", "a", "A", ".", "a.b", "0.b", "é.b", "outbound|80||svc-7.a.svc.cluster.local",
		"inbound|80||", "a\nb.c", "-.-", "x\n.1", "..", "a..b"} {
		n := 0
		for _, apart := range namesApart {
			if regexp.MustCompile("^(?:" + apart + ")$").MatchString(name) {
				n++
			}
		}
		if n != 1 {
			t.Errorf("%q is in %d slices", name, n)
		}
	}
}
