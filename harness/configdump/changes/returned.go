package changes

import (
	"reflect"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// again notes a resource that both dumps have word for word, and that was another one in between,
// or was not there: Envoy took it in anew. Envoy keeps a resource, and the time of its last
// update, when the same is sent to it again. What an update changed beside the way cannot be told
// from that, so a resource of which a single word changed is compared by its words alone. Source:
// envoy/admin/v3/config_dump_shared.proto, last_updated; Envoy's blockUpdate of listeners and
// clusters, and onRdsUpdate.
func (w *way) again(before, after *configdump.Resource) {
	if before == nil || after == nil || before.Kind == configdump.Secret {
		return // a certificate that is renewed is not compared by its words at all
	}
	if !w.restarted && updated(w.before, before.Value()) != updated(w.after, after.Value()) &&
		reflect.DeepEqual(message(before), message(after)) {
		w.note(title(before.Kind, before.Name), flow.Returned)
	}
}

// restart notes that both dumps are of one proxy and not of one Envoy: the one after the request
// loaded everything anew.
func (w *way) restart() {
	before, after := updated(w.before, w.before.Bootstrap()), updated(w.after, w.after.Bootstrap())
	if before != "" && after != "" && before != after {
		w.restarted = true
		w.note("bootstrap", flow.Restarted)
	}
}

func (w *way) note(resource, how string) {
	w.changes = append(w.changes, flow.Change{Proxy: w.before.Node().Proxy(), Resource: resource, How: how})
}

// updated is the time that stands beside a value of a dump; "" where none does.
func updated(d *configdump.Dump, v configdump.Value) string {
	pointer := v.Pointer()
	return d.At(pointer[:max(strings.LastIndexByte(pointer, '/'), 0)]).Get("last_updated").Text()
}
