package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/redact"
)

// mostLines of an excerpt are shown.
const mostLines = 48

// resourceDepth is how many tokens of a JSON pointer lead to a resource of a dump, the empty one in
// front of the first slash among them: /configs/3/dynamic_listeners/10.
const resourceDepth = 5

// version is the version of a proxy's Envoy, as its dump says it.
func (p *Page) version(proxy string) string {
	d := p.Dumps[proxy]
	if d == nil {
		return ""
	}
	v := d.At("/configs/0/bootstrap/node/user_agent_build_version/version")
	if !v.Exists() {
		return ""
	}
	return fmt.Sprintf("%d.%d.%d", v.Get("major_number").Uint(), v.Get("minor_number").Uint(), v.Get("patch").Uint())
}

// excerpt is the field that a JSON pointer leads to, indented and without secrets; "" where the
// dump is not there or has none.
func (p *Page) excerpt(proxy, pointer string) string {
	d := p.Dumps[proxy]
	if d == nil || pointer == "" {
		return ""
	}
	tokens := strings.Split(pointer, "/")
	at := min(resourceDepth, len(tokens))
	for i, token := range tokens {
		tokens[i] = strings.NewReplacer("~1", "/", "~0", "~").Replace(token)
	}
	// what stands above a field may say that it is a secret
	hidden, ok := redact.Part(d.At(strings.Join(strings.Split(pointer, "/")[:at], "/")).Raw(), tokens[at:]...)
	if !ok {
		return ""
	}
	var text bytes.Buffer
	if json.Indent(&text, bytes.TrimSpace(hidden), "", "  ") != nil {
		return ""
	}
	lines := strings.Split(text.String(), "\n")
	if more := len(lines) - mostLines; more > 1 {
		lines = append(lines[:mostLines], fmt.Sprintf("… and %d more lines", more))
	}
	return strings.Join(lines, "\n")
}

// leads says of a filter chain that lost where it would have led, as far as its dump says it in one
// field: whether TLS is ended, and the cluster. Of anything else it says nothing.
func (p *Page) leads(h flow.Hop) func(flow.Alternative) string {
	return func(a flow.Alternative) string {
		chain := p.chain(h.Proxy, a)
		if h.Kind != flow.FilterChain || !chain.Has("filters") {
			return ""
		}
		text := "clear text"
		if chain.Has("transport_socket") {
			text = "TLS"
		}
		if cluster := clusterOf(chain); cluster != "" {
			text += " → " + cluster
		}
		return "(" + text + ")"
	}
}

// otherClusters are the clusters that the filter chains lead to which lost on the way to the
// cluster at an index.
func (p *Page) otherClusters(h flow.Hop, at int) []flow.Alternative {
	var all []flow.Alternative
	for i := at - 1; i >= 0 && p.Path.Hops[i].Proxy == h.Proxy; i-- {
		chains := p.Path.Hops[i]
		if chains.Kind != flow.FilterChain {
			continue
		}
		for _, lost := range chains.Rejected {
			name := clusterOf(p.chain(h.Proxy, lost))
			if name == "" || name == h.Decision || slices.ContainsFunc(all, func(a flow.Alternative) bool {
				return a.Name == name
			}) {
				continue
			}
			all = append(all, flow.Alternative{Name: name,
				Why: "filter chain " + lost.Name + " leads there, and it lost"})
		}
	}
	return all
}

// chain is the filter chain that an alternative is; nothing where it is another thing or
// its dump is not there.
func (p *Page) chain(proxy string, a flow.Alternative) configdump.Value {
	d := p.Dumps[proxy]
	if d == nil || a.Source == "" {
		return configdump.Value{}
	}
	return d.At(strings.TrimSuffix(a.Source, "/filter_chain_match"))
}

// circuitBreakers are the bounds of a hop's cluster; "" where it has none of its own.
func (p *Page) circuitBreakers(h flow.Hop) string {
	d := p.Dumps[h.Proxy]
	if d == nil {
		return ""
	}
	var bounds []string
	for key, value := range d.At(h.Source).Get("circuit_breakers").Get("thresholds").Element(0).Fields() {
		if text := value.Text(); text == unlimited {
			bounds = append(bounds, key+" unlimited")
		} else if text != "" {
			bounds = append(bounds, key+" "+text)
		}
	}
	return strings.Join(bounds, ", ")
}

// unlimited is the largest number that a bound of Envoy's can have, which Istio writes where
// there is to be none.
const unlimited = "4294967295"

// clusterOf is the one cluster that the filters of a chain name; "" where they name
// none or several.
func clusterOf(chain configdump.Value) string {
	names := map[string]bool{}
	for _, filter := range chain.Get("filters").Elements() {
		config := filter.Get("typed_config")
		names[config.Get("cluster").Text()] = true
		for _, host := range config.Get("route_config").Get("virtual_hosts").Elements() {
			for _, route := range host.Get("routes").Elements() {
				names[route.Get("route").Get("cluster").Text()] = true
			}
		}
	}
	delete(names, "")
	if len(names) != 1 {
		return ""
	}
	for name := range names {
		return name
	}
	return ""
}
