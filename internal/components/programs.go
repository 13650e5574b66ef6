package components

// A program is one Go component: what is built from which of the toolchain's modules.
type program struct {
	name     string
	module   string   // folder of its go.mod, in the toolchain folder
	packages []binary // built one after the other
	links    []string // further names of the first binary
	flags    []string // -X flags for the linker
	local    string   // folder with our own sources, below module; empty when there are none
}

// A binary is a main package and the file it becomes.
type binary struct {
	file string
	path string
}

const (
	containerd = "github.com/containerd/containerd/v2/cmd/"
	istio      = "istio.io/istio/"
)

// programs are in the order in which they are built: those that nothing waits for come last.
var programs = []program{
	{name: "containerd", module: "containerd", packages: []binary{
		{"containerd", containerd + "containerd"},
		{"ctr", containerd + "ctr"},
		{"containerd-shim-runc-v2", containerd + "containerd-shim-runc-v2"},
	}},
	{name: "etcd", module: "etcd", packages: []binary{{"etcd", "."}}, local: "."},
	{name: "fortio", module: "fortio", packages: []binary{{"fortio", "fortio.org/fortio"}}},
	{name: "coredns", module: "coredns", packages: []binary{{"coredns", "."}}, local: "."},
	{name: "pause", module: ".", packages: []binary{{"pause", "./pause"}}, local: "pause"},
	{name: "pilot-agent", module: ".", packages: []binary{{"pilot-agent", istio + "pilot/cmd/pilot-agent"}}},
	{
		name: "pilot-discovery", module: ".",
		packages: []binary{{"pilot-discovery", istio + "pilot/cmd/pilot-discovery"}},
	},
	{name: "istioctl", module: ".", packages: []binary{{"istioctl", istio + "istioctl/cmd/istioctl"}}},
	{name: "kube", module: ".", packages: []binary{{"kube", "./kube"}}, local: "kube", links: kubeNames,
		flags: kubernetesVersion("1", "36", "1")},
}

// kubeNames are the programs that the binary kube is, by the name that it is called by.
var kubeNames = []string{"kubelet", "kubectl", "kube-apiserver", "kube-controller-manager",
	"kube-scheduler", "kube-proxy"}

// KubernetesVersion is what every program of Kubernetes calls itself.
const KubernetesVersion = "v1.36.1"

// kindModule is the folder of the module that kind's programs are built from, in
// the toolchain folder.
const kindModule = "kind"

// kindPrograms are what a cluster made with kind needs beside.
var kindPrograms = []program{
	{name: "kind", module: kindModule, packages: []binary{{"kind", "sigs.k8s.io/kind"}}},
	{name: "kubeadm", module: kindModule, packages: []binary{{"kubeadm", "k8s.io/kubernetes/cmd/kubeadm"}},
		flags: kubernetesVersion("1", "36", "1")},
}

// kubernetesVersion stamps the version that Kubernetes' own build stamps; without it a kubelet
// calls itself v0.0.0.
func kubernetesVersion(major, minor, patch string) []string {
	const version = "k8s.io/component-base/version."
	return []string{
		"-X " + version + "gitVersion=v" + major + "." + minor + "." + patch,
		"-X " + version + "gitMajor=" + major,
		"-X " + version + "gitMinor=" + minor,
		"-X " + version + "gitTreeState=clean",
	}
}
