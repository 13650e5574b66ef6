package flow

// A TouchKind is a kind of thing that a run can change outside itself.
type TouchKind string

// What a run can touch. On a cluster that is not the lab's own each of them is done only where it
// was asked for by its name; TouchLease and TouchProbes come with what they are for.
const (
	TouchConnections TouchKind = "connections" // pooled connections of sidecars are ended
	TouchLogLevel    TouchKind = "log-level"   // the loggers of sidecars are raised
	TouchObjects     TouchKind = "objects"     // objects are made in the cluster
	TouchRestart     TouchKind = "restart"     // sidecars are ended, so that others start
	TouchLease       TouchKind = "lease"       // an annotation says who has a pod's sidecar alone
	TouchProbes      TouchKind = "probes"      // eBPF programs are on processes
)

// A Touch is one thing that a run changed outside itself, or would change.
type Touch struct {
	Kind     TouchKind `json:"kind"`
	Pod      string    `json:"pod,omitempty"` // "pod.namespace" whose it is
	What     string    `json:"what"`          // "debug instead of warning; misc at error"
	Restored bool      `json:"restored"`      // it is again as it was; an ended connection never is
}

// A Read is what a run read from a proxy's admin interface, which answers on the
// proxy's main thread.
type Read struct {
	Pod     string  `json:"pod"`  // "pod.namespace"
	Path    string  `json:"path"` // "/config_dump?include_eds"
	Bytes   int64   `json:"bytes"`
	Seconds float64 `json:"seconds"` // the way through the apiserver included
}
