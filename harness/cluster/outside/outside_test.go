package outside

import (
	"archive/tar"
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/flowproof/lab/internal/docker"
	"github.com/flowproof/lab/internal/progress"
)

// TestMain lets the test binary be the processes of the Docker that its tests start, the programs
// in their containers, and a process that starts a client and is killed.
func TestMain(m *testing.M) {
	switch filepath.Base(os.Args[0]) {
	case "sleep":
		select {}
	case "curl":
		fmt.Fprintln(os.Stdout, "body")
		fmt.Fprintln(os.Stderr, "told", strings.Join(os.Args[1:], " "))
		os.Exit(7)
	}
	if len(os.Args) > 1 {
		switch os.Args[1] {
		case docker.Verb:
			os.Exit(docker.Main(os.Args[2:]))
		case "start":
			os.Exit(startAndWait())
		}
	}
	os.Exit(m.Run())
}

const image = "lab.local/outside:1"

var labels = map[string]string{"dev.flowproof.test": "outside"}

// startAndWait starts a client in the place that stands on its input, says so, and
// waits to be killed.
func startAndWait() int {
	var place Place
	if err := json.NewDecoder(os.Stdin).Decode(&place); err != nil {
		fmt.Println(err)
		return 1
	}
	client, err := Start(context.Background(), place, "killed")
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("started", client.Name)
	select {}
}

// place starts a Docker with the test's image in it, and a network.
func place(t *testing.T) Place {
	t.Helper()
	if reason := whyNot(); reason != "" {
		if os.Getenv("CI") == "true" && os.Getenv("FLOWPROOF_KIND") != "" {
			t.Fatal(reason)
		}
		t.Skip(reason)
	}
	const name = "outside-test"
	d, err := docker.Start(t.Context(), name, docker.Options{}, progress.Quiet)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = docker.Stop(context.Background(), name) })
	if err := Load(t.Context(), d, imageLayout(t), image); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Run(t.Context(), "network", "create", "nodes"); err != nil {
		t.Fatal(err)
	}
	return Place{Docker: d, Network: "nodes", Labels: labels, Image: image}
}

func whyNot() string {
	if os.Geteuid() != 0 {
		return "starting Docker needs root"
	}
	if _, err := exec.LookPath("dockerd"); err != nil {
		return err.Error() + " (run: hack/setup.sh kind)"
	}
	return ""
}

// imageLayout is an image whose programs are this one under two names.
func imageLayout(t *testing.T) string {
	t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	var text bytes.Buffer
	w := tar.NewWriter(&text)
	for _, h := range []tar.Header{{Name: "bin/sleep", Size: int64(len(self)), Typeflag: tar.TypeReg},
		{Name: "bin/curl", Linkname: "bin/sleep", Typeflag: tar.TypeLink}} {
		h.Mode = 0o755
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(self[:h.Size]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	made, err := mutate.Append(empty.Image,
		mutate.Addendum{Layer: static.NewLayer(text.Bytes(), types.DockerUncompressedLayer)})
	if err == nil {
		made, err = mutate.Config(made, v1.Config{Env: []string{"PATH=/bin"}})
	}
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	out, err := layout.Write(dir, empty.Index)
	if err == nil {
		err = out.AppendImage(made, layout.WithAnnotations(map[string]string{refName: image}))
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func containers(t *testing.T, d *docker.Docker) string {
	t.Helper()
	out, err := d.Run(t.Context(), "ps", "--all", "--format", "{{.Names}}")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestClient(t *testing.T) {
	p := place(t)
	client, err := Start(t.Context(), p, "laptop")
	if err != nil {
		t.Fatal(err)
	}
	out, err := client.Exec(t.Context(), []string{"curl", "-v"}, nil)
	if err != nil || string(out.Stdout) != "body\n" || string(out.Stderr) != "told -v\n" || out.Code != 7 {
		t.Errorf("exec: %+v, %v", out, err)
	}
	if _, err := client.Exec(t.Context(), []string{"nothing"}, nil); err == nil ||
		!strings.Contains(err.Error(), "there is no such program in it") {
		t.Errorf("exec of a program that is not there: %v", err)
	}
	if _, err := Start(t.Context(), p, "laptop"); err == nil {
		t.Error("a second container of the same name")
	}
	if err := client.Close(t.Context()); err != nil {
		t.Error(err)
	}
	if left := containers(t, p.Docker); left != "" {
		t.Errorf("left: %s", left)
	}
	t.Run("killed", func(t *testing.T) { killed(t, p) })
	t.Run("no image", func(t *testing.T) {
		other := p
		other.Image = "lab.local/none:1"
		if _, err := Start(t.Context(), other, "laptop"); err == nil || containers(t, p.Docker) != "" {
			t.Errorf("a client of no image: %v, left %q", err, containers(t, p.Docker))
		}
	})
}

// killed has a process start a client and be killed: what is left goes by its label,
// and nothing else goes.
func killed(t *testing.T, p Place) {
	if _, err := p.Docker.Run(t.Context(), "run", "--detach", "--name", "foreign", image, "sleep"); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	starter := exec.Command("/proc/self/exe", "start")
	starter.Stdin = bytes.NewReader(text)
	stdout, err := starter.StdoutPipe()
	if err == nil {
		err = starter.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = starter.Process.Kill()
		_ = starter.Wait()
	})
	line, err := bufio.NewReader(stdout).ReadString('\n')
	if err != nil && err != io.EOF || line != "started killed\n" {
		t.Fatalf("%q, %v", line, err)
	}
	_ = starter.Process.Kill()
	_ = starter.Wait()
	if left := containers(t, p.Docker); !strings.Contains(left, "killed") {
		t.Fatalf("the client went with its starter: %q", left)
	}
	for range 2 {
		if err := Remove(t.Context(), p.Docker, labels); err != nil {
			t.Fatal(err)
		}
	}
	if left := containers(t, p.Docker); left != "foreign" {
		t.Errorf("left: %q", left)
	}
	_, _ = p.Docker.Run(t.Context(), "rm", "--force", "foreign")
}

func TestRemoveNeedsALabel(t *testing.T) {
	if err := Remove(t.Context(), &docker.Docker{}, nil); err == nil {
		t.Error("every container would go")
	}
	gone := &docker.Docker{Host: "unix://" + filepath.Join(t.TempDir(), "docker.sock")}
	if _, err := exec.LookPath("docker"); err != nil {
		t.Skip(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := Remove(ctx, gone, labels); err != nil {
		t.Errorf("a Docker that is gone has no containers: %v", err)
	}
}
