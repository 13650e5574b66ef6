// Command bench measures inference against its peers on one machine in one run: it makes a dump of
// a hundred megabytes from a recorded one and times one request's inference, istioctl and jq on the
// same file, each in a process of its own.
package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
)

// A growth says how a recorded dump becomes a large one: every resource of one Service is
// repeated for many others.
type growth struct {
	service   string // name of the Service that is repeated, as name.namespace
	clusterIP string // its address
	services  int    // how many there are to be beside it
}

// clone returns the text of a resource for the n-th further Service.
func (g growth) clone(text []byte, n int) []byte {
	name, _, _ := strings.Cut(g.service, ".")
	text = bytes.ReplaceAll(text, []byte(name), fmt.Appendf(nil, "svc-%05d", n))
	return bytes.ReplaceAll(text, []byte(g.clusterIP), fmt.Appendf(nil, "10.%d.%d.%d", 97+n>>16, n>>8&255, n&255))
}

// owns says whether a resource's text is the Service's own.
func (g growth) owns(text []byte) bool {
	return bytes.Contains(text, []byte(`"outbound|`)) && bytes.Contains(text, []byte("||"+g.service+".svc."))
}

// write writes the large dump with the fields in the order of the recorded one.
func (g growth) write(out io.Writer, recorded *configdump.Dump) error {
	w := bufio.NewWriterSize(out, 1<<20)
	w.WriteString("{\n \"configs\": [\n")
	for i, section := range recorded.Root().Get("configs").Elements() {
		comma(w, i)
		w.WriteString("  {")
		first := 0
		for key, v := range section.Fields() {
			comma(w, first)
			first++
			fmt.Fprintf(w, "%q: ", key)
			if v.IsArray() {
				g.array(w, v)
			} else {
				w.Write(v.Raw())
			}
		}
		w.WriteString("}")
	}
	w.WriteString("\n ]\n}\n")
	return w.Flush()
}

func comma(w *bufio.Writer, i int) {
	if i > 0 {
		w.WriteString(",\n")
	}
}

// array writes the elements of a section's array, each of the Service's own followed by its clones.
// In a route configuration it is the virtual host that is repeated.
func (g growth) array(w *bufio.Writer, v configdump.Value) {
	w.WriteString("[\n")
	for i, e := range v.Elements() {
		comma(w, i)
		if hosts := e.Get("route_config", "virtual_hosts"); hosts.Exists() {
			g.table(w, e, hosts)
			continue
		}
		w.Write(e.Raw())
		if g.owns(e.Raw()) {
			g.clones(w, e.Raw())
		}
	}
	w.WriteString("]")
}

// table writes a route configuration with more virtual hosts.
func (g growth) table(w *bufio.Writer, e, hosts configdump.Value) {
	text := e.Raw()
	for _, vh := range hosts.Elements() {
		if !bytes.Contains(vh.Get("name").Raw(), []byte(g.service+".svc.")) {
			continue
		}
		at := bytes.Index(text, vh.Raw()) + len(vh.Raw())
		w.Write(text[:at])
		g.clones(w, vh.Raw())
		text = text[at:]
	}
	w.Write(text)
}

func (g growth) clones(w *bufio.Writer, text []byte) {
	for n := range g.services {
		w.WriteString(",\n")
		w.Write(g.clone(text, n))
	}
}
