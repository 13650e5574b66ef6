package envoy

// Names of the probes on an Envoy, by which a recording says which of them are on, and by
// which they are left off.
const (
	ProbeFilterChain = "filter.chain" // the name of the filter chain that was chosen for a connection
	ProbeCluster     = "cluster"      // the name of the cluster that was chosen for a request
	ProbeSNI         = "sni"          // the server name of a ClientHello
	ProbeJoin        = "join"         // the two connections of a request
	ProbeJoinCluster = "cluster by the join"
	ProbeJoinID      = "connection id by the join"
	ProbeStatements  = "statements" // the log statements that are reached
)
