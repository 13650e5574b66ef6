package kind

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/docker"
	"github.com/flowproof/lab/internal/progress"
)

// TestMain lets the test binary be the processes of the Docker that its tests start.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == docker.Verb {
		os.Exit(docker.Main(os.Args[2:]))
	}
	os.Exit(m.Run())
}

// needLab skips a test that brings a lab up where that cannot be. FLOWPROOF_KIND says that it has
// to be: in a CI it fails then.
func needLab(t *testing.T) {
	t.Helper()
	reason := ""
	if os.Getenv("FLOWPROOF_KIND") == "" {
		reason = "brings clusters up in Docker; set FLOWPROOF_KIND=1 to run it (make test-kind does)"
	} else if os.Geteuid() != 0 {
		reason = "the lab's parts need root"
	} else if _, err := components.Find(componentOptions(cluster.Options{})); err != nil {
		reason = err.Error() + " --backend kind"
	} else if choice := docker.Choose(docker.Find(t.Context())); choice.Err != nil {
		reason = choice.Err.Error()
	}
	if reason != "" && os.Getenv("CI") == "true" && os.Getenv("FLOWPROOF_KIND") != "" {
		t.Fatal(reason)
	}
	if reason != "" {
		t.Skip(reason)
	}
}

func TestLab(t *testing.T) {
	needLab(t)
	const name = "kind-live"
	ctx, backend := t.Context(), New()
	t.Cleanup(func() { _ = backend.Down(context.Background(), name, progress.Quiet) })
	before := kubeletCgroups(t)
	lab, err := backend.Up(ctx, cluster.Options{Name: name}, progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(lab.Kubeconfig); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("kubeconfig %v, %v", info, err)
	}
	again, err := backend.Up(ctx, cluster.Options{Name: name}, progress.Quiet)
	if err != nil || !again.Joined || again.Kubeconfig != lab.Kubeconfig {
		t.Errorf("a second up: %+v, %v; want to join", again, err)
	}
	status, err := backend.Status(ctx, name)
	if err != nil || status.State != cluster.Running || len(status.Processes) < 10 || len(status.Timings) == 0 {
		t.Errorf("status %+v, %v", status, err)
	}
	pids, err := backend.Processes(ctx, lab, "mark", "netshoot", "istio-proxy")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, pid := range pids {
		comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid))
		names = append(names, strings.TrimSpace(string(comm)))
	}
	if names[0] != "pilot-agent" || !strings.Contains(strings.Join(names, " "), "envoy") {
		t.Errorf("the sidecar's processes are %v", names)
	}
	for range 2 {
		if err := backend.Down(ctx, name, progress.Quiet); err != nil {
			t.Fatal(err)
		}
	}
	if status, err := backend.Status(ctx, name); err != nil || status.State != cluster.Absent {
		t.Errorf("status after down: %+v, %v", status, err)
	}
	if _, err := os.Stat(lab.Kubeconfig); !os.IsNotExist(err) {
		t.Errorf("the kubeconfig after down: %v", err)
	}
	for dir := range kubeletCgroups(t) {
		if !before[dir] {
			t.Errorf("%s is left", dir)
		}
	}
}

// kubeletCgroups are the directories that a node's kubelet makes at the top of a hierarchy where
// that hierarchy's root is the host's own.
func kubeletCgroups(t *testing.T) map[string]bool {
	t.Helper()
	found := map[string]bool{}
	for _, pattern := range []string{"/sys/fs/cgroup/kubelet*", "/sys/fs/cgroup/*/kubelet*"} {
		dirs, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range dirs {
			found[dir] = true
		}
	}
	return found
}

// TestForeignDocker runs the test below where a Docker that is not the lab's answers, in its
// network namespace: a lab in it is found and removed by labels alone.
func TestForeignDocker(t *testing.T) {
	needLab(t)
	const name = "kind-host"
	d, err := docker.Start(t.Context(), name, docker.Options{}, progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = docker.Stop(context.Background(), name) }) // also of one that was there before
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "nsenter", "--net="+d.NetNS, "--", self,
		"-test.run=^TestInForeignDocker$", "-test.v")
	cmd.Env = append(os.Environ(), "DOCKER_HOST="+d.Host, inside+"="+d.Host)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Errorf("%v\n%s", err, out)
	}
}

// inside is set where TestInForeignDocker can run.
const inside = "FLOWPROOF_TEST_DOCKER"

func TestInForeignDocker(t *testing.T) {
	if os.Getenv(inside) == "" {
		t.Skip("runs in the network namespace of a Docker that TestForeignDocker starts")
	}
	const name = "theirs"
	ctx, backend := t.Context(), New()
	d, err := docker.Find(ctx)
	if err != nil {
		t.Fatal(err)
	}
	before := inventory(t, d)
	opts := cluster.Options{Name: name}

	// Ctrl-C while kind works leaves nothing.
	interrupted, cancel := context.WithCancel(ctx)
	go func() {
		for len(nodes(ctx, t, d, name)) == 0 && ctx.Err() == nil {
			time.Sleep(50 * time.Millisecond)
		}
		cancel()
	}()
	if _, err := backend.Up(interrupted, opts, progress.Quiet); err == nil || interrupted.Err() == nil {
		t.Fatalf("an interrupted up: %v", err)
	}
	same(t, "an interrupted up", before, inventory(t, d))

	// Of two at once one makes the lab and the other joins it.
	type result struct {
		lab *cluster.Lab
		err error
	}
	other := make(chan result, 1)
	go func() {
		lab, err := backend.Up(ctx, opts, progress.Quiet)
		other <- result{lab, err}
	}()
	lab, err := backend.Up(ctx, opts, progress.Quiet)
	if second := <-other; err != nil || second.err != nil || lab.Joined == second.lab.Joined {
		t.Fatalf("two at once: %+v, %v and %+v, %v; want that one joins", lab, err, second.lab, second.err)
	}
	if again, err := backend.Up(ctx, opts, progress.Quiet); err != nil || !again.Joined {
		t.Errorf("a second up: %+v, %v; want to join", again, err)
	}
	// Ctrl-C while it is joined leaves it running.
	interrupted, cancel = context.WithCancel(ctx)
	if _, err := backend.Up(interrupted, opts, cancelAt{progress.Quiet, "Joining lab", cancel}); err == nil ||
		interrupted.Err() == nil {
		t.Errorf("an interrupted join: %v", err)
	}
	if status, err := backend.Status(ctx, name); err != nil || status.State != cluster.Running ||
		len(status.Processes) < 10 {
		t.Errorf("status %+v, %v", status, err)
	}
	if pids, err := backend.Processes(ctx, lab, "mark", "netshoot", "istio-proxy"); err != nil || len(pids) < 2 {
		t.Errorf("the sidecar's processes: %v, %v", pids, err)
	}

	// One of ours that lost its mark is half made: it is made anew.
	first := nodes(ctx, t, d, name)[0].ID
	client, err := clientOf(lab.Kubeconfig)
	if err == nil {
		err = client.CoreV1().ConfigMaps(markNamespace).Delete(ctx, markName, metav1.DeleteOptions{})
	}
	if err != nil {
		t.Fatal(err)
	}
	if status, err := backend.Status(ctx, name); err != nil || status.State != cluster.Broken {
		t.Errorf("status of a half-made lab: %+v, %v", status, err)
	}
	if renewed, err := backend.Up(ctx, opts, progress.Quiet); err != nil || renewed.Joined ||
		nodes(ctx, t, d, name)[0].ID == first {
		t.Errorf("up of a half-made lab: %+v, %v; want a new one", renewed, err)
	}
	for range 2 {
		if err := backend.Down(ctx, name, progress.Quiet); err != nil {
			t.Fatal(err)
		}
	}
	same(t, "down", before, inventory(t, d))

	// A cluster of that name that is not ours is refused, and stays.
	refusal(t, d, name, opts)
}

// cancelAt ends a context as soon as a task is started whose title begins with those words.
type cancelAt struct {
	progress.Reporter
	title  string
	cancel context.CancelFunc
}

func (c cancelAt) Start(title string) progress.Task {
	if strings.HasPrefix(title, c.title) {
		c.cancel()
	}
	return c.Reporter.Start(title)
}

// refusal makes a container that looks like a node of a person's own cluster, from an image that is
// there for a moment.
func refusal(t *testing.T, d *docker.Docker, name string, opts cluster.Options) {
	t.Helper()
	ctx := t.Context()
	set, err := components.Find(componentOptions(opts))
	if err != nil {
		t.Fatal(err)
	}
	const image = "lab.local/stranger:1"
	if err := loadNode(ctx, d, set.Kind, image, nil); err != nil {
		t.Fatal(err)
	}
	id, err := d.Run(ctx, "create", "--name", nodeName(name), "--label", kindLabel+"="+clusterName(name), image)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New().Up(ctx, opts, progress.Quiet); err == nil || !strings.Contains(err.Error(), "is not the lab's") {
		t.Errorf("up beside a stranger's cluster: %v, want a refusal", err)
	}
	if err := New().Down(ctx, name, progress.Quiet); err != nil {
		t.Error(err)
	}
	if left := nodes(ctx, t, d, name); len(left) != 1 || left[0].ID != id {
		t.Errorf("after down the stranger's node is %+v", left)
	}
}

func nodes(ctx context.Context, t *testing.T, d *docker.Docker, name string) []container {
	t.Helper()
	all, err := containers(ctx, d, name)
	if err != nil && ctx.Err() == nil {
		t.Error(err)
	}
	return all
}

// inventory is everything that Docker has, and what the host has of the lab.
func inventory(t *testing.T, d *docker.Docker) string {
	t.Helper()
	var all []string
	for _, thing := range things {
		ids, err := list(t.Context(), d, thing.list...)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, thing.list[0]+": "+strings.Join(ids, " "))
	}
	_ = filepath.WalkDir(filepath.Dir(stateDir("x")), func(path string, e fs.DirEntry, err error) error {
		if err == nil && strings.Contains(path, ".kind") {
			all = append(all, path)
		}
		return nil
	})
	return strings.Join(all, "\n")
}

func same(t *testing.T, after, want, got string) {
	t.Helper()
	if got != want {
		t.Errorf("after %s Docker has\n%s\nand had\n%s", after, got, want)
	}
}
