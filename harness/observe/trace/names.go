package trace

import "github.com/flowproof/lab/harness/symbols"

// Names of the values that probes on Envoy read.
const (
	valueFilterChain = symbols.ValueFilterChain
	valueCluster     = symbols.ValueCluster
	valueSNI         = symbols.ValueSNI
)
