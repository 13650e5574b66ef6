package observe

import (
	"slices"
	"sync"

	"github.com/flowproof/lab/harness/observe/accesslog"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/harness/observe/envoylog"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/harness/observe/netfilter"
	"github.com/flowproof/lab/harness/observe/sockets"
	"github.com/flowproof/lab/harness/observe/stats"
	"github.com/flowproof/lab/harness/observe/trace/capture"
)

// An Instrument is one way to see a request: see package instrument.
type Instrument = instrument.Instrument

// Described is an instrument that brings what it is.
type Described = instrument.Described

// Instruments returns every instrument that there is, new for one run, in the order in which they
// look and tell. A new one is a folder beside this file and a line here.
func Instruments() []Instrument {
	return []Instrument{
		curl.Instrument{},
		envoylog.Instrument{},
		stats.Instrument{},
		accesslog.Instrument{},
		netfilter.Instrument{},
		sockets.Instrument{},
		&capture.Instrument{},
	}
}

// Parts are the names of all parts of evidence that instruments keep of a pod, sorted.
var Parts = sync.OnceValue(func() []string {
	var all []string
	for _, i := range Instruments() {
		all = append(all, i.Parts()...)
	}
	slices.Sort(all)
	return slices.Compact(all)
})
