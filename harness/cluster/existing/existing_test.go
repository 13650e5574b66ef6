package existing

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/kube"
	"github.com/flowproof/lab/manifests"
)

// writeConfig writes a kubeconfig with the named contexts.
func writeConfig(t *testing.T, current string, contexts ...string) string {
	t.Helper()
	config := map[string]any{"apiVersion": "v1", "kind": "Config", "current-context": current}
	var all, clusters []any
	for _, name := range contexts {
		all = append(all, map[string]any{"name": name, "context": map[string]any{"cluster": name}})
		clusters = append(clusters,
			map[string]any{"name": name, "cluster": map[string]any{"server": "http://" + name + ":1"}})
	}
	config["contexts"], config["clusters"] = all, clusters
	text, err := yaml.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestResolve(t *testing.T) {
	two, other, empty := writeConfig(t, "a", "a", "b"), writeConfig(t, "c", "c"), writeConfig(t, "")
	none := filepath.Join(t.TempDir(), "none")
	for _, tt := range []struct {
		name        string
		target      Target
		environment string // KUBECONFIG
		server      string
		kind        fault.Kind
		want        string // in the error
	}{
		{"the current context", Target{Kubeconfig: two}, none, "http://a:1", fault.None, ""},
		{"another", Target{Kubeconfig: two, Context: "b"}, none, "http://b:1", fault.None, ""},
		{"from the environment", Target{}, two, "http://a:1", fault.None, ""},
		{"of several files", Target{Context: "c"}, two + ":" + none + ":" + other, "http://c:1", fault.None, ""},
		{"the first of several files decides", Target{}, other + ":" + two, "http://c:1", fault.None, ""},
		{"no such context", Target{Kubeconfig: two, Context: "c"}, other, "", fault.Usage,
			"has none of that name (there are: a, b)"},
		{"no context at all", Target{Kubeconfig: empty}, none, "", fault.Usage, "there is no context in it"},
		{"no current context", Target{Kubeconfig: writeConfig(t, "", "a")}, none, "", fault.Usage,
			"no current context (give --context, there are: a)"},
		{"no such file", Target{Kubeconfig: none}, two, "", fault.Environment, "no such file or directory"},
		{"nothing anywhere", Target{}, none, "", fault.Environment, "there is no kubeconfig at " + none},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Setenv("KUBECONFIG", tt.environment)
			kubeconfig, context, err := tt.target.resolve()
			if fault.Of(err) != tt.kind || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("%v (kind %q), want %q (%q)", err, fault.Of(err), tt.want, tt.kind)
			}
			if err != nil {
				return
			}
			config, err := kube.ContextConfig(kubeconfig, context)
			if err != nil || config.Host != tt.server {
				t.Errorf("server %v, %v, want %s", config, err, tt.server)
			}
		})
	}
}

// TestPathsAreAbsolute lets a process in another directory find the cluster: the one that undoes
// what a killed run has changed.
func TestPathsAreAbsolute(t *testing.T) {
	path := writeConfig(t, "a", "a")
	t.Chdir(filepath.Dir(path))
	if got, _, err := (Target{Kubeconfig: filepath.Base(path)}).resolve(); err != nil || got != path {
		t.Errorf("%s, %v, want %s", got, err, path)
	}
}

// TestObjectsAreTheLabs looks at every object of the workshop as it would be made.
func TestObjectsAreTheLabs(t *testing.T) {
	s := &site{lab: "mine"}
	services, err := s.objectsOf(cluster.Workshop, manifests.WorkshopServices())
	if err != nil {
		t.Fatal(err)
	}
	pods, err := s.objectsOf(cluster.Workshop, manifests.WorkshopPods())
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range append(services, pods...) {
		if o.GetLabels()[labLabel] != "mine" || o.GetLabels()[partLabel] != cluster.Workshop {
			t.Errorf("%s: labels %v", describe(o), o.GetLabels())
		}
		if _, found, _ := unstructured.NestedString(o.Object, "spec", "clusterIP"); found {
			t.Errorf("%s asks for an address that may be taken", describe(o))
		}
		ports, _, _ := unstructured.NestedSlice(o.Object, "spec", "ports")
		for _, p := range ports {
			if p.(map[string]any)["nodePort"] != nil {
				t.Errorf("%s asks for a node port that may be taken", describe(o))
			}
		}
		if o.GetKind() == "Pod" && o.GetLabels()["sidecar.istio.io/inject"] != "true" {
			t.Errorf("%s gets no sidecar in a namespace without the label", describe(o))
		}
	}
}

// TestRevisionIsAskedFor has an istiod that does not hear the label of the workshop's namespace.
func TestRevisionIsAskedFor(t *testing.T) {
	s := &site{lab: "mine"}
	for revision, want := range map[string][2]string{"": {"enabled", ""}, "default": {"enabled", ""},
		"1-29": {"", "1-29"}} {
		objects, err := s.objectsOf(cluster.Workshop,
			append(manifests.WorkshopServices(), append([]byte("\n---\n"), manifests.WorkshopPods()...)...))
		if err != nil {
			t.Fatal(err)
		}
		askRevision(revision, objects)
		for _, o := range objects {
			labels := o.GetLabels()
			if o.GetKind() == "Namespace" && o.GetName() == "mark" && (labels["istio-injection"] != want[0] ||
				labels["istio.io/rev"] != want[1]) {
				t.Errorf("revision %q: the namespace has %v", revision, labels)
			}
			if o.GetKind() == "Pod" && labels["istio.io/rev"] != want[1] {
				t.Errorf("revision %q: a pod has %v", revision, labels)
			}
		}
	}
}

func TestStages(t *testing.T) {
	last := -1
	for _, kind := range []string{"ValidatingWebhookConfiguration", "Deployment", "ClusterRole", "Namespace"} {
		if n := stageOf(kind); n <= last {
			t.Errorf("%s goes at stage %d, after %d", kind, n, last)
		} else {
			last = n
		}
	}
	if stageOf("Service") != stageOf("ConfigMap") {
		t.Error("the rest goes at one stage")
	}
}

func TestMadeOnlyBy(t *testing.T) {
	object := func(managers ...string) (i item) {
		for _, m := range managers {
			i.ManagedFields = append(i.ManagedFields, metav1.ManagedFieldsEntry{Manager: m})
		}
		return i
	}
	for _, tt := range []struct {
		name     string
		managers []string
		want     bool
	}{
		{"istiod", []string{istiodManager}, true},
		{"istiod, twice", []string{istiodManager, istiodManager}, true},
		{"istiod and another", []string{istiodManager, "kubectl"}, false},
		{"no manager is named", nil, false},
	} {
		if got := madeOnlyBy(object(tt.managers...), istiodManager); got != tt.want {
			t.Errorf("%s: %v", tt.name, got)
		}
	}
}
