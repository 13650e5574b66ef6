package mesh_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowproof/lab/harness/mesh"
)

// onLab connects to a lab that is up: FLOWPROOF_KUBECONFIG names it.
func onLab(tb testing.TB) *mesh.Mesh {
	tb.Helper()
	path := os.Getenv("FLOWPROOF_KUBECONFIG")
	if path == "" {
		tb.Skip("no lab: FLOWPROOF_KUBECONFIG is not set (try FLOWPROOF_KUBECONFIG=$(lab kubeconfig))")
	}
	m, err := mesh.Connect(path)
	if err != nil {
		tb.Fatal(err)
	}
	return m
}

func sidecarOf(tb testing.TB, name string) *mesh.Sidecar {
	tb.Helper()
	pod, err := onLab(tb).Pod(context.Background(), name)
	if err != nil {
		tb.Fatal(err)
	}
	sidecar, err := pod.Sidecar()
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = sidecar.Close() })
	return sidecar
}

func TestLabExec(t *testing.T) {
	pod, err := onLab(t).Pod(t.Context(), "netshoot")
	if err != nil {
		t.Fatal(err)
	}
	out, err := pod.Exec(t.Context(), pod.App(), []string{"sh", "-c", "cat; echo told >&2; exit 7"},
		strings.NewReader("given"))
	if err != nil {
		t.Fatal(err)
	}
	if string(out.Stdout) != "given" || string(out.Stderr) != "told\n" || out.Code != 7 {
		t.Errorf("stdout %q, stderr %q, code %d", out.Stdout, out.Stderr, out.Code)
	}
	_, err = onLab(t).Pod(t.Context(), "netshot")
	if err == nil || !strings.Contains(err.Error(), "(running: fortio-server, fortio-server-l2, netshoot,") {
		t.Errorf("a wrong pod: %v", err)
	}
}

func TestLabDumpIsWholeBothWays(t *testing.T) {
	sidecar := sidecarOf(t, "fortio-server")
	dump, err := sidecar.Dump(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if !json.Valid(dump) {
		t.Error("the dump is not JSON")
	}
	out, err := sidecar.Pod().Exec(t.Context(), mesh.SidecarContainer, curlDump, nil)
	if err != nil {
		t.Fatal(err)
	}
	if difference := len(dump) - len(out.Stdout); difference > 4096 || difference < -4096 {
		t.Errorf("%d bytes by the tunnel, %d by exec", len(dump), len(out.Stdout))
	}
}

func TestLabFenceEndsAWindow(t *testing.T) {
	sidecar := sidecarOf(t, "fortio-server")
	before, err := sidecar.Loggers(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := sidecar.Restore(context.Background(), before); err != nil {
			t.Error(err)
		}
	}()
	window, err := sidecar.Pod().Follow(t.Context(), mesh.SidecarContainer)
	if err != nil {
		t.Fatal(err)
	}
	if err := sidecar.SetLevel(t.Context(), "debug"); err != nil {
		t.Fatal(err)
	}
	if _, err := sidecar.Stats(t.Context(), "flowproof_mark"); err != nil {
		t.Fatal(err)
	}
	start := time.Now()
	if err := sidecar.Fence(t.Context(), window); err != nil {
		t.Fatal(err)
	}
	t.Logf("fence took %s", time.Since(start))
	if !bytes.Contains(window.Text(), []byte("flowproof_mark")) {
		t.Error("what was logged before the fence is not in the window")
	}
	if err := window.Close(); err != nil {
		t.Error(err)
	}
}

var curlDump = []string{"curl", "-s", "localhost:15000/config_dump?include_eds"}

// The tunnel is why a dump does not need curl in the proxy's image; these say what it costs.
func BenchmarkLabDumpByTunnel(b *testing.B) {
	sidecar := sidecarOf(b, "fortio-server")
	for b.Loop() {
		if _, err := sidecar.Dump(context.Background()); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkLabDumpByExec(b *testing.B) {
	pod := sidecarOf(b, "fortio-server").Pod()
	for b.Loop() {
		if _, err := pod.Exec(context.Background(), mesh.SidecarContainer, curlDump, nil); err != nil {
			b.Fatal(err)
		}
	}
}

// TestLabDumpInSlices asks an Envoy for its dump at once and in slices.
func TestLabDumpInSlices(t *testing.T) {
	whole, err := sidecarOf(t, "fortio-server").Dump(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	pod, err := onLab(t).Within(mesh.Limits{Slices: 1}).Pod(t.Context(), "fortio-server")
	if err != nil {
		t.Fatal(err)
	}
	sidecar, err := pod.Sidecar()
	if err != nil {
		t.Fatal(err)
	}
	defer sidecar.Close()
	sliced, err := sidecar.Dump(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	was, is := sections(t, whole), sections(t, sliced)
	if len(was) != len(is) {
		t.Errorf("one answer has %d sections, slices have %d", len(was), len(is))
	}
	for i := range min(len(was), len(is)) {
		if was[i] != is[i] {
			t.Errorf("one answer has\n%s\nslices have\n%s", was[i], is[i])
		}
	}
	for _, r := range sidecar.Reads() {
		t.Logf("%8d bytes %s %s", r.Bytes, r.Took, r.Path)
	}
}

// sections is a dump without the versions of its sections, and its lists in one order.
func sections(t *testing.T, dump []byte) (found []string) {
	t.Helper()
	var all struct{ Configs []map[string]any }
	if err := json.Unmarshal(dump, &all); err != nil {
		t.Fatal(err)
	}
	text := func(v any) string { b, _ := json.Marshal(v); return string(b) }
	for _, section := range all.Configs {
		delete(section, "version_info")
		delete(section, "last_updated")
		for _, value := range section {
			if list, ok := value.([]any); ok {
				slices.SortFunc(list, func(a, b any) int { return strings.Compare(text(a), text(b)) })
			}
		}
		found = append(found, text(section))
	}
	return found
}
