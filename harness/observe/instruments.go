package observe

import (
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

// Instruments returns every instrument that there is, new for one run, in the order in which they look and tell. A new one is a
// folder beside this file and a line here.
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
