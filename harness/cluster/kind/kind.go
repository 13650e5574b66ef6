// Package kind is the backend that runs a lab in Docker, with kind: the program itself,
// its node image, its names. Where no Docker runs, one is started in namespaces of its
// own; where no registry answers, the node image and all others are assembled from the
// parts of the embedded node.
//
// What was made is known by labels alone. A lab in another's Docker can be found, joined and
// removed by every user who knows its name; a lab in our own Docker ends with it.
package kind

import "github.com/flowproof/lab/harness/cluster"

// Backend is the cluster.Backend of clusters made with kind.
type Backend struct{}

// New returns the backend.
func New() *Backend { return &Backend{} }

var _ cluster.Backend = (*Backend)(nil)

// Name is what --backend calls it.
func (*Backend) Name() string { return "kind" }

// LabLabel is on every container, image, network and volume that belongs to a lab; its value is the
// lab's name. Who makes more of them for a lab gives them this label, and they go with it.
const LabLabel = "dev.flowproof.lab"

// kindLabel is how kind itself labels the containers of a cluster.
const kindLabel = "io.x-k8s.kind.cluster"

// clusterName is what kind calls the cluster of a lab.
func clusterName(lab string) string { return "flowproof-" + lab }

// nodeName is the container of the lab's only node.
func nodeName(lab string) string { return clusterName(lab) + "-control-plane" }

// Network is the Docker network of a lab, in which further containers can reach its node.
func Network(lab string) string { return clusterName(lab) }

// imageRef is the name under which a lab's node image is loaded. Each lab has its own, so that one
// can go without the other.
func imageRef(lab, digest string) string { return "lab.local/kind-" + lab + ":" + digest[:12] }

// preparedRef is the node image's name in a Docker of our own.
const preparedRef = "lab.local/kind-node:prepared"
