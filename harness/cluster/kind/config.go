package kind

import (
	"sigs.k8s.io/yaml"

	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/docker"
)

// object is a part of a configuration file.
type object = map[string]any

// clusterConfig is kind's configuration of a lab's cluster: one node. In a Docker of our own the
// apiserver is published at the port that its forwarder leads to, elsewhere kind chooses one.
func clusterConfig(parts *components.Kind, ours bool) ([]byte, error) {
	node := object{"role": "control-plane", "labels": object{
		"topology.kubernetes.io/region": "us-east-1", "topology.kubernetes.io/zone": "worker005"}}
	networking := object{}
	if ours {
		networking["apiServerPort"] = docker.ForwardPort
	}
	patches := []object{quickKubelet(), quickProxy(), quickControlPlane()}
	if parts.Store != "" {
		node["extraMounts"] = []object{{"hostPath": parts.Store, "containerPath": "/opt/lab/store", "readOnly": true}}
		networking["disableDefaultCNI"] = true // the node image brings a bridge
		patches = append(patches, builtImages(), ownDNS())
	}
	config := object{"kind": "Cluster", "apiVersion": "kind.x-k8s.io/v1alpha4", "networking": networking,
		"nodes": []object{node}}
	var texts []string
	for _, p := range patches {
		text, err := yaml.Marshal(p)
		if err != nil {
			return nil, err
		}
		texts = append(texts, string(text))
	}
	config["kubeadmConfigPatches"] = texts
	return yaml.Marshal(config)
}

// quickKubelet also runs on hosts with cgroups of version 1, where systemd's slices would
// race with the kubelet.
func quickKubelet() object {
	return object{"kind": "KubeletConfiguration", "failCgroupV1": false, "cgroupDriver": "cgroupfs",
		"serializeImagePulls": false, "syncFrequency": "10s", "kubeAPIQPS": 1000, "kubeAPIBurst": 1000}
}

func quickProxy() object {
	return object{"kind": "KubeProxyConfiguration", "iptables": object{"minSyncPeriod": "100ms"}}
}

// quickControlPlane leaves out what only a cluster that has to survive needs.
func quickControlPlane() object {
	leader := args("leader-elect", "false", "kube-api-qps", "1000", "kube-api-burst", "1000")
	return object{"kind": "ClusterConfiguration",
		"etcd": object{"local": object{"extraArgs": args("unsafe-no-fsync", "true")}},
		// Webhooks are dialled at their endpoint: no need to wait for kube-proxy.
		"apiServer":         object{"extraArgs": args("enable-aggregator-routing", "true")},
		"controllerManager": object{"extraArgs": leader},
		"scheduler":         object{"extraArgs": leader},
	}
}

// builtImages name the images of the store.
func builtImages() object {
	return object{"kind": "ClusterConfiguration", "imageRepository": components.KubernetesImages,
		"etcd": object{"local": object{"imageTag": components.EtcdTag}}}
}

// ownDNS leaves cluster DNS to the lab's own manifest, which says at once that outside
// names do not exist.
func ownDNS() object {
	return object{"kind": "InitConfiguration", "skipPhases": []string{"preflight", "addon/coredns"}}
}

// args are extra arguments of a component as kubeadm's v1beta4 takes them; kind converts them
// for older versions.
func args(pairs ...string) []object {
	var all []object
	for i := 0; i+1 < len(pairs); i += 2 {
		all = append(all, object{"name": pairs[i], "value": pairs[i+1]})
	}
	return all
}
