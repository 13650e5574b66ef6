//go:build linux

package node

import (
	"bytes"
	"embed"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"text/template"

	"github.com/flowproof/lab/internal/components"
)

//go:embed conf
var confFiles embed.FS

// confValues is what the files in conf may name.
type confValues struct {
	ContainerdRoot, ContainerdRun, Pause, Conf, PKI string
	PodCIDR, NodeIP, DNS, ClusterDomain             string
	Bridge                                          bool // the root has that CNI plugin
}

// writeConf fills in the components' configuration files below dir.
func writeConf(dir string) error {
	values := confValues{
		ContainerdRoot: containerdDir, ContainerdRun: containerdRun, Pause: components.PauseImage,
		Conf: confDir, PKI: pkiDir,
		PodCIDR: podCIDR, NodeIP: nodeIP, DNS: dnsIP, ClusterDomain: clusterDomain, Bridge: hasPlugin("bridge"),
	}
	return fs.WalkDir(confFiles, "conf", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		t, err := template.ParseFS(confFiles, path)
		if err != nil {
			return fmt.Errorf("read configuration %s: %w", path, err)
		}
		var text bytes.Buffer
		if err := t.Execute(&text, values); err != nil {
			return fmt.Errorf("fill in configuration %s: %w", path, err)
		}
		rel, _ := filepath.Rel("conf", path)
		target := filepath.Join(dir, rel)
		if err := os.MkdirAll(filepath.Dir(target), 0o700); err != nil {
			return err
		}
		return writeSecret(target, text.Bytes())
	})
}

// pluginDirs are where CNI plugins lie: in kind's node image, and in Debian.
var pluginDirs = []string{"/opt/cni/bin", "/usr/lib/cni"}

// hasPlugin says whether the root file system has a CNI plugin. kind's node image has no bridge.
func hasPlugin(name string) bool {
	return slices.ContainsFunc(pluginDirs, func(dir string) bool {
		_, err := os.Stat(filepath.Join(dir, name))
		return err == nil
	})
}

// A program is one component of the node.
type program struct {
	name string
	args []string
	env  []string
	// GOGC of the Go runtime. A start makes much garbage and a lab is small: the apiserver and
	// those that wait for it collect it later, which is a second of the bring-up, and what rests
	// collects it earlier, which is memory.
	gogc string
	// ready blocks until the component can be used by the next; nil: at once
	ready func(*supervisor) error
	// bake says that the component is needed to prepare etcd's data
	bake bool
}

func client(name string) string { return filepath.Join(confDir, name+".kubeconfig") }

func pki(name string) string { return filepath.Join(pkiDir, name) }

// etcd keeps the cluster's data in memory. It speaks on a socket that only root of
// the node can open.
func etcd() program {
	return program{name: "etcd", bake: true, gogc: "50", ready: (*supervisor).awaitEtcd, args: []string{
		"--data-dir=" + etcdDir,
		"--listen-client-urls=unix://" + etcdSocket, "--advertise-client-urls=unix://" + etcdSocket,
		"--listen-peer-urls=unix:///run/lab/etcd-peer.sock", "--initial-advertise-peer-urls=http://localhost:2380",
		"--initial-cluster=default=http://localhost:2380",
		"--unsafe-no-fsync", "--log-level=warn", "--snapshot-count=5000",
	}}
}

func apiserver() program {
	return program{name: "kube-apiserver", bake: true, gogc: "300", ready: (*supervisor).awaitAPIServer, args: []string{
		"--etcd-servers=unix://" + etcdSocket,
		"--secure-port=" + apiserverPort, "--bind-address=0.0.0.0", "--advertise-address=" + nodeIP,
		"--tls-cert-file=" + pki("apiserver.crt"), "--tls-private-key-file=" + pki("apiserver.key"),
		"--client-ca-file=" + pki("ca.crt"), "--anonymous-auth=false", "--authorization-mode=Node,RBAC",
		"--kubelet-certificate-authority=" + pki("ca.crt"), "--kubelet-preferred-address-types=InternalIP",
		"--kubelet-client-certificate=" + pki("apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + pki("apiserver-kubelet-client.key"),
		"--service-account-issuer=https://kubernetes.default.svc." + clusterDomain,
		"--service-account-key-file=" + pki("service-account.key"),
		"--service-account-signing-key-file=" + pki("service-account.key"),
		"--service-cluster-ip-range=" + serviceCIDR, "--allow-privileged=true",
		"--enable-admission-plugins=NodeRestriction",
		"--enable-aggregator-routing=true", // webhooks are dialled at their endpoint: no need to wait for kube-proxy
		"--enable-priority-and-fairness=false", "--profiling=false", "--event-ttl=1h",
		"--endpoint-reconciler-type=lease",
		"--storage-media-type=application/vnd.kubernetes.protobuf", "--cert-dir=/run/lab/cert",
	}}
}

func controllerManager() program {
	return program{name: "kube-controller-manager", gogc: "150", args: []string{
		"--kubeconfig=" + client("kube-controller-manager"),
		"--authentication-kubeconfig=" + client("kube-controller-manager"),
		"--authorization-kubeconfig=" + client("kube-controller-manager"), "--bind-address=127.0.0.1",
		"--service-account-private-key-file=" + pki("service-account.key"), "--root-ca-file=" + pki("ca.crt"),
		"--use-service-account-credentials=true", "--leader-elect=false", "--allocate-node-cidrs=false",
		"--profiling=false",
		"--cert-dir=/run/lab/cert-kcm", "--kube-api-qps=1000", "--kube-api-burst=1000",
		"--controllers=" + strings.Join(enabledControllers(), ","),
	}}
}

// enabledControllers are all of Kubernetes' own but those whose objects a lab on one node
// without disks cannot have: volumes, quotas, devices, signing requests. Each that runs costs
// memory and a part of the start.
func enabledControllers() []string {
	all := []string{"*"}
	for _, without := range []string{
		"certificatesigningrequest-approving-controller", "certificatesigningrequest-cleaner-controller",
		"device-taint-eviction-controller", "ephemeral-volume-controller",
		"legacy-serviceaccount-token-cleaner-controller",
		"node-ipam-controller", "node-route-controller", "persistentvolume-attach-detach-controller",
		"persistentvolume-binder-controller",
		"persistentvolume-expander-controller", "persistentvolume-protection-controller",
		"persistentvolumeclaim-protection-controller",
		"replicationcontroller-controller", "resourceclaim-controller", "resourcequota-controller",
		"selinux-warning-controller",
		"service-cidr-controller", "service-lb-controller", "ttl-controller",
		"validatingadmissionpolicy-status-controller", "volumeattributesclass-protection-controller",
	} {
		all = append(all, "-"+without)
	}
	return all
}

func scheduler() program {
	return program{name: "kube-scheduler", gogc: "150", args: []string{
		"--kubeconfig=" + client("kube-scheduler"), "--authentication-kubeconfig=" + client("kube-scheduler"),
		"--authorization-kubeconfig=" + client("kube-scheduler"), "--bind-address=127.0.0.1", "--leader-elect=false",
		"--profiling=false", "--cert-dir=/run/lab/cert-scheduler", "--kube-api-qps=1000", "--kube-api-burst=1000",
	}}
}

func containerd() program {
	return program{name: "containerd", gogc: "150", ready: (*supervisor).awaitContainerd,
		args: []string{"--config", filepath.Join(confDir, "containerd.toml")}}
}

func kubelet() program {
	return program{name: "kubelet", gogc: "150", args: []string{
		"--config=" + filepath.Join(confDir, "kubelet.yaml"), "--kubeconfig=" + client("kubelet"),
		"--node-ip=" + nodeIP, "--hostname-override=" + nodeName, "--root-dir=/var/lib/kubelet",
		"--node-labels=topology.kubernetes.io/region=us-east-1,topology.kubernetes.io/zone=worker005",
	}}
}

func kubeProxy() program {
	return program{name: "kube-proxy", gogc: "150", args: []string{
		"--kubeconfig=" + client("kube-proxy"), "--proxy-mode=iptables", "--hostname-override=" + nodeName,
		"--cluster-cidr=" + podCIDR, "--conntrack-max-per-core=0", "--conntrack-tcp-timeout-established=0s",
		"--conntrack-tcp-timeout-close-wait=0s", "--healthz-bind-address=127.0.0.1:10256",
		"--metrics-bind-address=127.0.0.1:10249", "--iptables-min-sync-period=100ms",
	}}
}
