package docker

import (
	"archive/tar"
	"bytes"
	"context"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/enclosure"
	"github.com/flowproof/lab/internal/enclosure/enclosuretest"
	"github.com/flowproof/lab/internal/progress"
)

// TestMain lets the test binary be the processes of the Docker that its tests start, and the
// program of its containers.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case Verb:
			os.Exit(Main(os.Args[2:]))
		case "container":
			os.Exit(container())
		}
	}
	os.Exit(m.Run())
}

// container is what runs in the test's containers: it asks for a name that does not exist.
func container() int {
	if len(os.Args) > 2 {
		return setSysctls(os.Args[2])
	}
	_, err := net.LookupHost("absent.example")
	var none *net.DNSError
	fmt.Printf("not found %v\n", errors.As(err, &none) && none.IsNotFound)
	return 0
}

// setSysctls sets what a kubelet does to a value, and says where it has another one after that.
func setSysctls(value string) int {
	for name := range enclosure.KubeletSysctls {
		path := filepath.Join("/proc/sys", name)
		err := os.WriteFile(path, []byte(value), 0o644)
		if text, _ := os.ReadFile(path); err != nil || strings.TrimSpace(string(text)) != value {
			fmt.Printf("%s is %q: %v\n", name, text, err)
		}
	}
	if err := os.WriteFile("/proc/sys/vm/swappiness", []byte(value), 0o644); err == nil {
		fmt.Println("a sysctl that no kubelet sets was written")
	}
	return 0
}

// own is a sysctl that dockerd and a kubelet raise, and odd a value of it that is none of theirs.
// Tests of other packages leave it alone.
const (
	own = "/proc/sys/kernel/keys/root_maxbytes"
	odd = "24999999"
)

// machineHasOdd gives this machine an odd value until the test ends.
func machineHasOdd(t *testing.T) {
	t.Helper()
	was, err := os.ReadFile(own)
	if err == nil {
		err = os.WriteFile(own, []byte(odd), 0o644)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.WriteFile(own, was, 0o644) })
}

// machineIsAsBefore holds that the odd value is there still, and no value of a container's.
func machineIsAsBefore(t *testing.T, containers string) {
	t.Helper()
	for name := range enclosure.KubeletSysctls {
		path := filepath.Join("/proc/sys", name)
		text, _ := os.ReadFile(path)
		if value := strings.TrimSpace(string(text)); value == containers || path == own && value != odd {
			t.Errorf("this machine's %s is %s", name, value)
		}
	}
}

// needDocker skips a test that starts a Docker where that cannot be; in CI it has to run.
func needDocker(t *testing.T) {
	t.Helper()
	reason := ""
	if os.Geteuid() != 0 {
		reason = "starting Docker needs root"
	} else if err := whyNoDaemon(); err != nil {
		reason = err.Error() + " (run: hack/setup.sh kind)"
	}
	if reason == "" && dynamic() {
		reason = "the containers run this program, which has to be built with CGO_ENABLED=0"
	}
	if reason != "" && os.Getenv("CI") == "true" && os.Getenv("FLOWPROOF_KIND") != "" {
		t.Fatal(reason)
	}
	if reason != "" {
		t.Skip(reason)
	}
}

// dynamic says whether this program needs a loader and libraries.
func dynamic() bool {
	f, err := elf.Open("/proc/self/exe")
	if err != nil {
		return false
	}
	defer f.Close()
	for _, p := range f.Progs {
		if p.Type == elf.PT_INTERP {
			return true
		}
	}
	return false
}

// loadSelf loads an image whose only program is this one.
func loadSelf(ctx context.Context, t *testing.T, d *Docker) {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.Append(empty.Image, mutate.Addendum{Layer: layerOf(t, "self", self)})
	if err == nil {
		image, err = mutate.Config(image, v1.Config{Entrypoint: []string{"/self", "container"},
			Labels: map[string]string{"test": "yes"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	tag, err := name.NewTag("lab.local/self:1")
	if err == nil {
		err = d.Load(ctx, func(w io.Writer) error { return tarball.Write(tag, image, w) })
	}
	if err != nil {
		t.Fatal(err)
	}
}

func TestOurOwnDocker(t *testing.T) {
	needDocker(t)
	const lab = "docker-test"
	ctx := t.Context()
	before := hostMounts(t, lab)
	machineHasOdd(t)
	d, err := Start(ctx, lab, Options{}, progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = Stop(context.Background(), lab) })
	loadSelf(ctx, t, d)
	for _, network := range []string{"bridge", "own"} {
		if network == "own" {
			if _, err := d.Run(ctx, "network", "create", network); err != nil {
				t.Fatal(err)
			}
		}
		out, err := d.Run(ctx, "run", "--rm", "--privileged", "--network", network, "lab.local/self:1")
		if err != nil || out != "not found true" {
			t.Errorf("a container on %s: %q, %v", network, out, err)
		}
	}
	if out, err := d.Run(ctx, "run", "--rm", "--privileged", "lab.local/self:1", "2"); err != nil || out != "" {
		t.Errorf("a privileged container that sets sysctls: %q, %v", out, err)
	}
	machineIsAsBefore(t, "2")
	cut := errors.New("the archive is cut off")
	if err := d.Load(ctx, func(io.Writer) error { return cut }); !errors.Is(err, cut) {
		t.Errorf("load of an archive that cannot be written: %v, want %v", err, cut)
	}
	again, err := Start(ctx, lab, Options{}, progress.Quiet)
	if err != nil || again.Host != d.Host || again.Owner() != nil {
		t.Errorf("a second start: %+v, %v; want the first one", again, err)
	}
	d.Owner().Abandon()
	nothingLeft(t, lab, before)
	if err := Stop(ctx, lab); err != nil {
		t.Errorf("stop of a Docker that is gone: %v", err)
	}
}

func TestKilledDockerLeavesNothing(t *testing.T) {
	needDocker(t)
	const lab = "docker-killed"
	for _, tt := range []struct {
		victim string
		pid    func(enclosure.State) int
	}{
		{"guard", func(s enclosure.State) int { return s.GuardPID }},
		{"init", func(s enclosure.State) int { return s.InitPID }},
		{"dockerd", func(s enclosure.State) int { return hostPID(t, lab, "dockerd") }},
		{"containerd", func(s enclosure.State) int { return hostPID(t, lab, "containerd") }},
	} {
		t.Run(tt.victim, func(t *testing.T) {
			before := hostMounts(t, lab)
			d, err := Start(t.Context(), lab, Options{}, progress.Quiet)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = Stop(context.Background(), lab) })
			if err := d.Owner().Commit(nil); err != nil {
				t.Fatal(err)
			}
			s, err := State(t.Context(), lab, -1)
			if err != nil {
				t.Fatal(err)
			}
			if err := unix.Kill(tt.pid(s), unix.SIGKILL); err != nil {
				t.Fatal(err)
			}
			if tt.victim == "containerd" { // dockerd starts another one
				if err := d.Await(t.Context()); err != nil {
					t.Fatal(err)
				}
				if err := Stop(t.Context(), lab); err != nil {
					t.Fatal(err)
				}
			}
			nothingLeft(t, lab, before)
		})
	}
}

func TestPreparedImages(t *testing.T) {
	needDocker(t)
	const bake = "docker-bake"
	dir := t.TempDir()
	before := hostMounts(t, bake)
	err := Prepare(t.Context(), bake, dir, func(ctx context.Context, d *Docker) error {
		loadSelf(ctx, t, d)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	nothingLeft(t, bake, before)
	const prepared = "docker-prepared"
	d, err := Start(t.Context(), prepared, Options{Prepared: dir}, progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = Stop(context.Background(), prepared) })
	if out, err := d.Run(t.Context(), "run", "--rm", "lab.local/self:1"); err != nil || out != "not found true" {
		t.Errorf("a container from a prepared image: %q, %v", out, err)
	}
}

// hostPID is the process of that name in an enclosure.
func hostPID(t *testing.T, lab, program string) int {
	pids, err := Members(lab)
	if err != nil {
		t.Fatal(err)
	}
	for _, pid := range pids {
		if comm, _ := os.ReadFile(fmt.Sprintf("/proc/%d/comm", pid)); strings.TrimSpace(string(comm)) == program {
			return pid
		}
	}
	t.Fatalf("no %s in %d processes", program, len(pids))
	return 0
}

// nothingLeft waits until socket, cgroups and directory of a Docker are gone, and compares the
// mounts that could be its.
func nothingLeft(t *testing.T, lab, mounts string) {
	t.Helper()
	enclosuretest.AwaitNothing(t, enclosed, lab)
	if after := hostMounts(t, lab); after != mounts {
		t.Errorf("mounts before:\n%s\nafter:\n%s", mounts, after)
	}
}

// hostMounts are the host's mounts that a Docker of that name could have made; others come
// and go at any time.
func hostMounts(t *testing.T, lab string) string {
	t.Helper()
	data, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	var points []string
	for line := range strings.Lines(string(data)) {
		ours := strings.Contains(line, "flowproof") || strings.Contains(line, lab) ||
			strings.Contains(line, filepath.Base(dataRoot))
		if f := strings.Fields(line); len(f) > 4 && ours {
			points = append(points, f[4])
		}
	}
	return strings.Join(points, "\n")
}

// layerOf is a layer with one program.
func layerOf(t *testing.T, file string, content []byte) v1.Layer {
	t.Helper()
	layer, err := tarball.LayerFromOpener(tarOf(file, content))
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

// tarOf opens a tar stream of one executable.
func tarOf(file string, content []byte) tarball.Opener {
	return func() (io.ReadCloser, error) {
		var out bytes.Buffer
		w := tar.NewWriter(&out)
		if err := w.WriteHeader(&tar.Header{Name: file, Mode: 0o755, Size: int64(len(content))}); err != nil {
			return nil, err
		}
		if _, err := w.Write(content); err != nil {
			return nil, err
		}
		return io.NopCloser(&out), w.Close()
	}
}
