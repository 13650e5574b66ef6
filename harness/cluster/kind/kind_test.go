package kind

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/docker"
)

func TestJudge(t *testing.T) {
	node := func(lab, state string) container {
		return container{ID: "1", Name: "flowproof-x-control-plane", State: state, Lab: lab}
	}
	stranger := container{ID: "2", Name: "flowproof-x-control-plane", State: "running"}
	for _, tt := range []struct {
		name string
		all  []container
		want string
	}{
		{"nothing", nil, free},
		{"ours, running", []container{node("x", "running")}, running},
		{"ours, after the machine was started again", []container{node("x", "exited")}, stopped},
		{"ours, never started", []container{node("x", "created")}, stopped},
		{"a person's own cluster of that name", []container{stranger}, foreign},
		{"another lab's, made under that name by hand", []container{node("y", "running")}, foreign},
		{"ours beside a stranger's", []container{node("x", "exited"), stranger}, foreign},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got := judge("x", tt.all)
			if got != tt.want {
				t.Errorf("judge = %s, want %s", got, tt.want)
			}
			if got == foreign {
				err := refuse("x", tt.all)
				if fault.Of(err) != fault.Environment ||
					!strings.Contains(err.Error(), "kind delete cluster --name flowproof-x") {
					t.Errorf("refusal %q with kind %q", err, fault.Of(err))
				}
			}
		})
	}
}

func TestReadContainers(t *testing.T) {
	got, err := readContainers("4f9a\tflowproof-x-control-plane\trunning\tx\n77\tother\texited")
	want := []container{{"4f9a", "flowproof-x-control-plane", "running", "x"}, {"77", "other", "exited", ""}}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("read %v, %v; want %v", got, err, want)
	}
	if got, err := readContainers(""); err != nil || got != nil {
		t.Errorf("read %v, %v of nothing", got, err)
	}
}

func FuzzReadContainers(f *testing.F) {
	f.Add("4f9a\tname\trunning\tx\n")
	f.Add("\n\n")
	f.Fuzz(func(t *testing.T, table string) {
		all, err := readContainers(table)
		if err == nil && len(all) > strings.Count(table, "\n")+1 {
			t.Errorf("%d containers in %q", len(all), table)
		}
	})
}

func TestNamesFitWhatTheyName(t *testing.T) {
	longest := strings.Repeat("x", 32) // what cluster.CheckName allows
	if n := len(nodeName(longest)); n > 63 {
		t.Errorf("the node's host name has %d characters, a host name has 63 at most", n)
	}
	if got := imageRef("lab", strings.Repeat("a", 64)); got != "lab.local/kind-lab:aaaaaaaaaaaa" {
		t.Errorf("image %s", got)
	}
	if stateDir("lab") == stateDir("other") {
		t.Error("two labs share a directory")
	}
}

// parsedConfig reads a configuration as kind would.
func parsedConfig(t *testing.T, parts *components.Kind, ours bool) (config struct {
	Kind, APIVersion     string
	Networking           map[string]any
	Nodes                []struct{ ExtraMounts []map[string]any }
	KubeadmConfigPatches []string
}) {
	t.Helper()
	text, err := clusterConfig(parts, ours)
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &config); err != nil {
		t.Fatal(err)
	}
	for _, patch := range config.KubeadmConfigPatches {
		var object map[string]any
		if err := yaml.Unmarshal([]byte(patch), &object); err != nil || object["kind"] == nil {
			t.Errorf("patch %q: %v", patch, err)
		}
	}
	return config
}

func TestClusterConfig(t *testing.T) {
	built := &components.Kind{Store: "/cache/store"}
	published := &components.Kind{}
	for _, tt := range []struct {
		name          string
		parts         *components.Kind
		ours          bool
		port, bridge  bool
		patches       int
		says, silence string
	}{
		{"built, in a Docker of our own", built, true, true, true, 5, "imageRepository: lab.local", ""},
		{"built, in another's", built, false, false, true, 5, "addon/coredns", ""},
		{"published, in another's", published, false, false, false, 3, "failCgroupV1: false", "lab.local"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := parsedConfig(t, tt.parts, tt.ours)
			if c.Kind != "Cluster" || len(c.Nodes) != 1 || len(c.KubeadmConfigPatches) != tt.patches {
				t.Errorf("%+v", c)
			}
			if got := c.Networking["apiServerPort"] != nil; got != tt.port {
				t.Errorf("a fixed port: %v, want %v", got, tt.port)
			}
			if got := c.Networking["disableDefaultCNI"] == true; got != tt.bridge {
				t.Errorf("the node brings its network: %v, want %v", got, tt.bridge)
			}
			if got := len(c.Nodes[0].ExtraMounts) == 1; got != (tt.parts.Store != "") {
				t.Errorf("the store is mounted: %v", got)
			}
			all := strings.Join(c.KubeadmConfigPatches, "\n")
			if !strings.Contains(all, tt.says) || tt.silence != "" && strings.Contains(all, tt.silence) {
				t.Errorf("patches:\n%s", all)
			}
		})
	}
}

func TestKubeconfigLeadsToTheForwarder(t *testing.T) {
	const text = `{"apiVersion":"v1","kind":"Config","current-context":"kind-x",
		"contexts":[{"name":"kind-x","context":{"cluster":"kind-x","user":"kind-x"}}],
		"clusters":[{"name":"kind-x","cluster":{"server":"https://127.0.0.1:40001"}}],
		  "users":[{"name":"kind-x","user":{}}]}`
	for _, tt := range []struct {
		docker docker.Docker
		want   string
	}{
		{docker.Docker{Ours: true, Forward: "127.0.0.1:5555"}, "https://127.0.0.1:5555"},
		{docker.Docker{}, "https://127.0.0.1:40001"},
	} {
		b := builder{lab: "x", docker: &tt.docker}
		data, err := b.reachable([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		config, err := clientcmd.Load(data)
		if err != nil {
			t.Fatal(err)
		}
		if got := config.Clusters["kind-x"].Server; got != tt.want {
			t.Errorf("server %s, want %s", got, tt.want)
		}
		if got := config.Contexts[config.CurrentContext].Namespace; got != "mark" {
			t.Errorf("namespace %s", got)
		}
	}
}

func TestKindStep(t *testing.T) {
	for line, want := range map[string]string{
		" • Preparing nodes 📦   ...": "preparing nodes",
		" • Ensuring node image (lab.local/kind:1) 🖼  ...": "ensuring node image " +
			"(lab.local/kind:1)",
		" ✓ Preparing nodes 📦 ": "",
		"WARNING: Overriding docker network due to KIND_EXPERIMENTAL_DOCKER_NETWORK": "",
		"":  "",
		"•": "",
	} {
		if got := kindStep(line); got != want {
			t.Errorf("kindStep(%q) = %q, want %q", line, got, want)
		}
	}
}

func TestGoneIsNoFailure(t *testing.T) {
	for text, want := range map[string]bool{
		"docker rm: Error: No such container: 1":                                        true,
		"docker network rm: Error: No such network: x":                                  true,
		"docker rm: removal of container 1 is already in progress":                      true,
		"docker network rm: network x id 1 has active endpoints":                        false,
		"docker rmi: conflict: unable to delete 1 (cannot be forced)":                   false,
		"docker rm: Cannot connect to the Docker daemon at unix:///var/run/docker.sock": false,
	} {
		if got := gone(errors.New(text)); got != want {
			t.Errorf("gone(%q) = %v, want %v", text, got, want)
		}
	}
}

func TestWhatIsListedTwiceIsRemovedOnce(t *testing.T) {
	if got := strings.Join(unique(strings.Fields("b a b c a")), " "); got != "b a c" {
		t.Errorf("unique: %s", got)
	}
}

func TestStateDirOfAUserIsTheirOwn(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("this is root, whose labs are in /run")
	}
	t.Setenv("XDG_RUNTIME_DIR", "/run/user/7")
	if got := stateDir("lab"); !strings.HasPrefix(got, "/run/user/7/") {
		t.Errorf("state in %s", got)
	}
}
