package components

import "strings"

// A program is one component, or several that are built together: what is built from which of the
// toolchain's modules.
type program struct {
	name     string
	module   string   // folder of its go.mod, in the toolchain folder
	packages []binary // built at once, so that one is linked while another is compiled
	links    []string // further names of the first binary
	local    []string // folders with our own sources, below module
}

// A binary is a main package and the file it becomes, which go build calls by the package's last
// name.
type binary struct {
	file  string
	path  string
	flags []string // -X flags for the linker
}

const (
	containerd = "github.com/containerd/containerd/v2/cmd/"
	istio      = "istio.io/istio/"
)

// programs are what every lab has, those first that nothing waits for. Their modules have one set
// of versions: what two programs share is compiled once. containerd is a module of its own for the
// sake of one interface, of which it needs a later version than the kubelet.
var programs = []program{
	{name: containerdName, module: "containerd", local: []string{"."}, packages: []binary{
		{file: "containerd", path: "."},
		{file: "ctr", path: containerd + "ctr"},
		{file: "containerd-shim-runc-v2", path: containerd + "containerd-shim-runc-v2"},
	}},
	{name: kubeName, module: ".", local: []string{"coredns", "etcd", "kube", "pause"}, links: kubeNames,
		packages: []binary{
			{file: "kube", path: "./kube", flags: kubernetesVersion("1", "36", "1")},
			{file: "coredns", path: "./coredns"},
			{file: "etcd", path: "./etcd"},
			{file: "fortio", path: "fortio.org/fortio"},
			{file: "pause", path: "./pause"},
			{file: "pilot-agent", path: istio + "pilot/cmd/pilot-agent"},
			{file: "pilot-discovery", path: istio + "pilot/cmd/pilot-discovery"},
		}},
}

// Names of programs, by which what was made of them is found.
const (
	containerdName = "containerd"
	kubeName       = "node" // Kubernetes, Istio and the images' programs
	istioctlName   = "istioctl"
)

// istioctl is built when it is asked for: the manifest that it would generate is kept
// (manifests.Istio).
var istioctl = program{name: istioctlName, module: ".",
	packages: []binary{{file: istioctlName, path: istio + "istioctl/cmd/istioctl"}}}

// kubeNames are the programs that the binary kube is, by the name that it is called by.
var kubeNames = []string{"kubelet", "kubectl", "kube-apiserver", "kube-controller-manager",
	"kube-scheduler", "kube-proxy"}

// NodePrograms are the programs of a set that root runs before anything else, on the node.
func NodePrograms() []string {
	return append([]string{"etcd", "containerd", "containerd-shim-runc-v2"}, kubeNames...)
}

// KubernetesVersion is what every program of Kubernetes calls itself.
const KubernetesVersion = "v1.36.1"

// kindPrograms are what a cluster made with kind needs beside.
var kindPrograms = []program{
	{name: "kind", module: ".", packages: []binary{{file: "kind", path: "sigs.k8s.io/kind"}}},
	{name: "kubeadm", module: ".", packages: []binary{
		{file: "kubeadm", path: "k8s.io/kubernetes/cmd/kubeadm", flags: kubernetesVersion("1", "36", "1")}}},
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

// linkerFlags leave out symbol tables and debug information: these binaries are not debugged, and
// they halve in size.
const linkerFlags = "-s -w"

// ldflags are the linker's flags for each of p's programs, as arguments of go build.
func (p program) ldflags() []string {
	args := []string{"-ldflags=" + linkerFlags}
	for _, b := range p.packages {
		if len(b.flags) > 0 {
			args = append(args, "-ldflags="+b.path+"="+linkerFlags+" "+strings.Join(b.flags, " "))
		}
	}
	return args
}
