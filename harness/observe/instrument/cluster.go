package instrument

// A Cluster is what a cluster and this machine allow.
type Cluster struct {
	Exec, Forward, Logs bool   // the rights to create pods/exec and pods/portforward, and to get pods/log
	Local               bool   // the pods' processes are on this machine
	Root, BPF           bool   // this process is root's, and the kernel takes its BPF programs
	AccessLog           string // form of the access log that the mesh declares; "": it declares none
}

// Demanding is an instrument that needs something of a cluster. Any other takes part everywhere.
type Demanding interface {
	// Takes says whether the instrument would take part in a run, and what it needs, or why not.
	Takes(on Cluster) (part bool, why string)
}

// NoRight says why an instrument does not take part that has not the right to VERB RESOURCE.
func NoRight(right string) (part bool, why string) { return false, "there is no right to " + right }

// HostOnly says why an instrument does not take part that looks at the pods' processes from
// their host; fits is true where it can.
func HostOnly(on Cluster) (fits bool, why string) {
	switch {
	case !on.Local:
		return false, "the pods' processes are on other machines"
	case !on.Root:
		return false, "only root can look at the pods' processes"
	}
	return true, ""
}
