package components

// A Version is one part of the lab and the version that is built or fetched.
type Version struct {
	Part    string `json:"part"`
	Version string `json:"version"`
}

// The versions of what is built from the modules below toolchain. A test holds them
// against the modules.
const (
	istioVersion      = "v0.0.0-20260827124520-eed52ebb66ad"
	containerdVersion = "v2.4.2"
	etcdVersion       = "v3.7.3"
	corednsVersion    = "v1.15.0"
	fortioVersion     = "v1.66.5"
)

// Versions are the parts of a lab whose images are Built, those first that people ask for.
func Versions() []Version {
	return []Version{
		{"Kubernetes", KubernetesVersion},
		{"Istio", istioVersion},
		{"Envoy", envoyWheel.version},
		{"containerd", containerdVersion},
		{"etcd", etcdVersion},
		{"CoreDNS", corednsVersion},
		{"fortio", fortioVersion},
	}
}
