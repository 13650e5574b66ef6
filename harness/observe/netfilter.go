package observe

// A Netfilter is what netfilter printed in a pod's network namespace at one moment. What is nil could not be read.
type Netfilter struct {
	Rules     []byte // iptables-save -c
	Conntrack []byte // /proc/net/nf_conntrack
}
