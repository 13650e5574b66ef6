package page

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/redact"
)

// mostLines of an excerpt are shown.
const mostLines = 48

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

// excerpt is the field that a JSON pointer leads to, indented and without secrets; "" where the dump is not there or has none.
func (p *Page) excerpt(proxy, pointer string) string {
	d := p.Dumps[proxy]
	if d == nil || pointer == "" {
		return ""
	}
	v := d.At(pointer)
	if !v.Exists() {
		return ""
	}
	hidden, err := redact.JSON(v.Raw())
	if err != nil {
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

// leads says of a filter chain that lost where it would have led, as far as its dump says it in one field: whether TLS is
// ended, and the cluster. Of anything else it says nothing.
func (p *Page) leads(h flow.Hop) func(flow.Alternative) string {
	return func(a flow.Alternative) string {
		d := p.Dumps[h.Proxy]
		if d == nil || h.Kind != flow.FilterChain {
			return ""
		}
		chain := d.At(strings.TrimSuffix(a.Source, "/filter_chain_match"))
		if !chain.Has("filters") {
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

// clusterOf is the one cluster that the filters of a chain name; "" where they name none or several.
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
