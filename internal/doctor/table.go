package doctor

// table lists the checks in the order of the report. The build's own come after it.
var table = []check{
	{purpose: Lab, name: "Linux", why: "a lab is namespaces, cgroups and netfilter", mend: "run it on Linux, or in a virtual machine", find: findKernel},
	{purpose: Lab, name: "root", why: "makes namespaces and mounts", mend: "sudo lab up", find: findRoot},
	{purpose: Lab, name: "capabilities", root: true, why: "a container's root may lack what a node does", mend: "docker run --privileged, when this is a container", find: findCapabilities},
	{purpose: Lab, name: "namespaces", root: true, why: "the node lives in its own", mend: "sysctl -w user.max_net_namespaces=1024 user.max_mnt_namespaces=1024 user.max_pid_namespaces=1024", find: findNamespaces},
	{purpose: Lab, name: "network devices", root: true, why: "pods hang on a bridge by veth pairs", mend: "modprobe veth bridge", find: findDevices},
	{purpose: Lab, name: "netfilter", root: true, why: "Istio redirects connections by nat rules", mend: "modprobe nf_tables nft_compat xt_REDIRECT", find: findNetfilter},
	{purpose: Lab, name: "overlayfs", why: "containers' file systems are layers", mend: "modprobe overlay", find: findOverlay},
	{purpose: Lab, name: "cgroups", root: true, why: "the kubelet keeps pods in them", mend: "mount -t cgroup2 none /sys/fs/cgroup", find: findCgroups},
	{purpose: Lab, name: "inotify", why: "kubelet, containerd and istiod watch files", mend: "sysctl -w fs.inotify.max_user_instances=512 fs.inotify.max_user_watches=65536", find: findInotify},
	{purpose: Lab, name: "memory", why: "Kubernetes, Istio and three pods take 1.5 GiB", mend: "end something large, or add swap", find: findMemory},
	{purpose: Lab, name: "disk for a lab", why: "logs and writable layers", mend: "free some space where /run and the temporary folder are", find: findDisk},
	{purpose: Instruments, name: "SOCK_DESTROY", root: true, why: "empties connection pools before a cold request", mend: "a kernel with CONFIG_INET_DIAG_DESTROY=y", find: findSockDestroy},
	{purpose: Instruments, name: "BPF tracepoints", root: true, why: "watch the kernel's own account of connections", mend: "a kernel from 5.8 on with CONFIG_BPF_EVENTS=y", find: findBPFTracepoints},
	{purpose: Instruments, name: "BPF ring buffer", root: true, why: "carries events without losing their order", mend: "a kernel from 5.8 on", find: findBPFRingBuffer},
	{purpose: Instruments, name: "BTF", why: "lets one probe fit any kernel", mend: "a kernel with CONFIG_DEBUG_INFO_BTF=y", find: findBTF},
	{purpose: Instruments, name: "tracefs", root: true, why: "names the tracepoints", mend: "mount -t tracefs none /sys/kernel/tracing", find: findTracefs},
	{purpose: Build, name: "Go module proxy", why: "serves Kubernetes, Istio, etcd, containerd, CoreDNS, fortio", mend: "go env GOPROXY; go env -w GOPROXY=…", network: true, find: findGoProxy},
	{purpose: Build, name: "Python package index", why: "serves Envoy", mend: "python3 -m pip config list; pip config set global.index-url …", network: true, find: findPip},
	{purpose: Build, name: "Debian mirror", why: "serves the base file system", mend: "apt-get update", network: true, find: findApt},
	{purpose: Kind, name: "Docker", why: "the backend kind runs its node in one, which is started where none runs; the default backend needs none", mend: "hack/setup.sh kind", find: findDocker},
	{purpose: Kind, name: "images", why: "come from packages or from a registry", mend: "lab up --images built", network: true, find: findImages},
}
