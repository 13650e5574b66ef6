//go:build linux

// Package node is the embedded node: a whole Kubernetes with Istio on this host, without Docker.
// One supervisor is the init of its own network, mount, PID, IPC, UTS and cgroup namespaces; all
// state lives in a tmpfs of that mount namespace, so that the end of the init is the end of
// everything: processes, mounts, interfaces, keys and data.
//
// It lives in an enclosure: see there for how its processes share the work.
package node

import (
	"net/netip"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/internal/enclosure"
)

// Addresses and names inside the node. The pod range and the node's name are those of the workshop.
const (
	nodeName      = "worknode5"
	nodeIP        = "10.89.0.1"
	podCIDR       = "172.21.206.192/26"
	serviceCIDR   = "10.96.0.0/16"
	kubernetesIP  = "10.96.0.1"
	dnsIP         = "10.96.0.10"
	clusterDomain = "cluster.local"
	apiserverPort = "6443"
)

// Places inside the node's root file system.
const (
	binDir        = "/opt/lab/bin"
	confDir       = "/run/lab/conf"
	pkiDir        = "/run/lab/pki"
	logDir        = "/run/lab/log"
	etcdDir       = "/var/lib/etcd"
	etcdSocket    = "/run/lab/etcd.sock"
	containerdDir = "/var/lib/containerd"
	containerdRun = "/run/containerd"
)

// enclosed is what the node lives in.
var enclosed = enclosure.Kind{Name: "node", Noun: "lab", Verb: Verb, Exposed: true}

func init() { enclosed.Resident = newSupervisor }

// Backend is the cluster.Backend of the embedded node.
type Backend struct{}

// New returns the embedded node's backend.
func New() *Backend { return &Backend{} }

var _ cluster.Backend = (*Backend)(nil)

// Name is what --backend calls it.
func (*Backend) Name() string { return "node" }

var nodeAddr = netip.MustParsePrefix(nodeIP + "/24")
