//go:build linux

package enclosure

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/labstate"
	"github.com/flowproof/lab/internal/trust"
	"github.com/flowproof/lab/internal/trust/trusttest"
)

// squat is a stranger's process that answers as a guard does, on a socket of its choice, with a
// kubeconfig of its own.
func squat(t *testing.T) {
	l, err := net.Listen("unix", trusttest.Words())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Println("listening")
	_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]any{"state": labstate.Running, "kept": true, "kubeconfig": "/tmp/evil",
			"guardPID": os.Getpid(), "version": 9, "stages": []string{"kube-apiserver ready"}})
	}))
}

// squatter starts it and waits until it listens.
func squatter(t *testing.T, address string) {
	t.Helper()
	cmd := trusttest.As(t, t.Name(), address)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	var text string
	for buffer := make([]byte, 4096); !strings.Contains(text, "listening"); {
		n, err := out.Read(buffer)
		text += string(buffer[:n])
		if err != nil {
			t.Fatalf("the stranger said %q: %v", text, err)
		}
	}
}

// TestStrangerHasNoNameToTake lets a stranger listen under the abstract name that a guard once had:
// there is no lab, a lab can come up, and it is the one that answers.
func TestStrangerHasNoNameToTake(t *testing.T) {
	if trusttest.IsStranger() {
		squat(t)
		return
	}
	const name = "squatted"
	squatter(t, "@flowproof-"+tested.Name+"-"+name)
	if s, err := tested.Ask(t.Context(), name, -1); !errors.Is(err, ErrNoGuard) {
		t.Errorf("asked: %+v, %v; want that there is none", s, err)
	}
	if err := tested.Down(t.Context(), name); err != nil {
		t.Errorf("taken down: %v", err)
	}
	l, err := tested.listen(name)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	g := &guard{kind: tested, board: newBoard(), stop: make(chan string, 1)}
	go g.serveControl(l)
	if s, err := tested.Ask(t.Context(), name, -1); err != nil || s.GuardPID != os.Getpid() || s.Kubeconfig != "" {
		t.Errorf("asked: %+v, %v; want this process, without a kubeconfig", s, err)
	}
}

// TestStrangerBehindTheSocketIsRefused puts a stranger's socket where the guard's is, as only root
// could: still nothing that the stranger says is used, and every command says why.
func TestStrangerBehindTheSocketIsRefused(t *testing.T) {
	if trusttest.IsStranger() {
		squat(t)
		return
	}
	trusttest.NeedRoot(t)
	const name = "behind"
	open, err := os.MkdirTemp("/run", "stranger-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(open) })
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	squatter(t, filepath.Join(open, "control"))
	if err := trust.MakeDir(tested.RunDir(name)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(tested.RunDir(name)) })
	if err := os.Rename(filepath.Join(open, "control"), tested.Socket(name)); err != nil {
		t.Fatal(err)
	}
	s, err := tested.Ask(t.Context(), name, -1)
	if s.State != "" || s.Kubeconfig != "" {
		t.Errorf("what the stranger said is used: %+v", s)
	}
	for verb, err := range map[string]error{"ask": err, "down": tested.Down(t.Context(), name),
		"wait": tested.AwaitGone(t.Context(), name)} {
		if !errors.Is(err, trust.ErrUntrusted) || !strings.Contains(err.Error(), "of user 65534") {
			t.Errorf("%s: %v, want who it is", verb, err)
		}
		if fault.Of(err) != fault.Environment {
			t.Errorf("%s: kind %q, want %q", verb, fault.Of(err), fault.Environment)
		}
	}
}

// TestDirectoryOfAStrangerIsRefused makes the enclosure's directory, or the one above it, another
// user's.
func TestDirectoryOfAStrangerIsRefused(t *testing.T) {
	trusttest.NeedRoot(t)
	const name = "theirs"
	if err := trust.MakeDir(tested.RunDir(name)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(tested.RunDir(name)) })
	if err := os.Chown(tested.RunDir(name), trusttest.Stranger, trusttest.Stranger); err != nil {
		t.Fatal(err)
	}
	_, asked := tested.Ask(t.Context(), name, -1)
	_, launched := tested.Launch(t.Context(), name, nil)
	for verb, err := range map[string]error{"ask": asked, "launch": launched, "down": tested.Down(t.Context(), name)} {
		if err == nil || !strings.Contains(err.Error(), "belongs to user 65534") || fault.Of(err) != fault.Environment {
			t.Errorf("%s: %v, want whose it is", verb, err)
		}
	}
}

// TestKubeconfigOfAStrangerIsRefused changes the owner of a kubeconfig that a guard keeps.
func TestKubeconfigOfAStrangerIsRefused(t *testing.T) {
	trusttest.NeedRoot(t)
	const name = "kept"
	l, err := tested.listen(name)
	if err != nil {
		t.Fatal(err)
	}
	g := &guard{kind: tested, config: config{Name: name}, board: newBoard(), stop: make(chan string, 1)}
	t.Cleanup(func() {
		_ = os.RemoveAll(tested.RunDir(name))
		_ = l.Close()
	})
	go g.serveControl(l)
	g.keepKubeconfig([]byte("{}"))
	s, err := tested.Ask(t.Context(), name, -1)
	if err != nil || s.Kubeconfig != tested.kubeconfig(name) {
		t.Fatalf("%q, %v; want the path that follows from the name", s.Kubeconfig, err)
	}
	if err := os.Chown(s.Kubeconfig, trusttest.Stranger, trusttest.Stranger); err != nil {
		t.Fatal(err)
	}
	if s, err := tested.Ask(t.Context(), name, -1); !errors.Is(err, trust.ErrUntrusted) {
		t.Errorf("%+v, %v; want a refusal", s, err)
	}
}

// TestStrangerCannotReachAGuard connects to the socket of one, as the stranger.
func TestStrangerCannotReachAGuard(t *testing.T) {
	if trusttest.IsStranger() {
		if conn, err := net.Dial("unix", trusttest.Words()); err == nil {
			_ = conn.Close()
			t.Error("it was reached")
		}
		return
	}
	trusttest.NeedRoot(t)
	l, err := tested.listen("reached")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	cmd := trusttest.As(t, t.Name(), tested.Socket("reached"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
