package report

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/bytesize"
)

// Touched says in one line what a run changed outside itself, and what of it is again as it was.
func Touched(all []flow.Touch) string {
	if len(all) == 0 {
		return "touched: nothing"
	}
	var parts []string
	for _, kind := range []flow.TouchKind{flow.TouchLogLevel, flow.TouchLease, flow.TouchConnections, flow.TouchObjects,
		flow.TouchRestart, flow.TouchProbes} {
		if part := touchedOf(kind, all); part != "" {
			parts = append(parts, part)
		}
	}
	return "touched: " + strings.Join(parts, " · ")
}

// touchedOf is one kind: "log level of a.b, c.b (restored)".
func touchedOf(kind flow.TouchKind, all []flow.Touch) string {
	var what []string
	restored := true
	for _, t := range all {
		if t.Kind != kind {
			continue
		}
		restored = restored && t.Restored
		switch kind {
		case flow.TouchConnections, flow.TouchRestart:
			what = append(what, t.Pod+": "+t.What)
		case flow.TouchObjects:
			what = append(what, t.What)
		default:
			what = append(what, t.Pod)
		}
	}
	if len(what) == 0 {
		return ""
	}
	name := map[flow.TouchKind]string{flow.TouchLogLevel: "log level of ", flow.TouchLease: "lease on ",
		flow.TouchProbes: "eBPF probes on "}[kind]
	end := " (restored)"
	switch {
	case kind == flow.TouchConnections || kind == flow.TouchRestart:
		end = ""
	case kind == flow.TouchProbes && !restored:
		end = " (still on)"
	case !restored:
		end = " (NOT restored: `lab reset`)"
	case kind == flow.TouchLease || kind == flow.TouchProbes:
		end = " (taken off)"
	case kind == flow.TouchObjects:
		end = " (deleted)"
	}
	return name + clean(strings.Join(what, ", ")) + end
}

// Reads says in one line what a run read from proxies' admin interfaces.
func Reads(all []flow.Read) string {
	var dumps, others int
	var bytes int64
	slowest := flow.Read{}
	for _, r := range all {
		if strings.HasPrefix(r.Path, "/config_dump") {
			dumps++
		} else {
			others++
		}
		bytes += r.Bytes
		if r.Seconds > slowest.Seconds {
			slowest = r
		}
	}
	path, _, _ := strings.Cut(slowest.Path, "?")
	return fmt.Sprintf("read: %d answers of /config_dump and %d others of Envoy's admin interface, %s; "+
		"the slowest took %.0f ms (%s of %s)",
		dumps, others, bytesize.Text(bytes), slowest.Seconds*1000, clean(path), clean(slowest.Pod))
}
