//go:build linux

package trust

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flowproof/lab/internal/trust/trusttest"
)

// TestDialAsksWhoListens lets the stranger listen, in a directory of its own and behind a socket
// that lies in one of ours.
func TestDialAsksWhoListens(t *testing.T) {
	if trusttest.IsStranger() {
		l, err := net.Listen("unix", trusttest.Words())
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("listening")
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("trust me"))
			_ = conn.Close()
		}
	}
	dir := ground(t)
	must(t, os.Mkdir(dir+"/theirs", 0o755), theirs(dir+"/theirs"))
	squatter := trusttest.As(t, t.Name(), dir+"/theirs/control")
	out, err := squatter.StdoutPipe()
	must(t, err, squatter.Start())
	defer func() {
		_ = squatter.Process.Kill()
		_ = squatter.Wait()
	}()
	awaitText(t, out, "listening")
	if conn, err := Dial(t.Context(), dir+"/theirs/control"); !errors.Is(err, ErrUntrusted) || conn != nil {
		t.Errorf("in a stranger's directory: %v, %v", conn, err)
	}
	must(t, os.Rename(dir+"/theirs/control", dir+"/control"))
	conn, err := Dial(t.Context(), dir+"/control")
	if !errors.Is(err, ErrUntrusted) || conn != nil || !strings.Contains(err.Error(), "of user 65534") {
		t.Errorf("behind a socket in our directory: %v, %v", conn, err)
	}
}

func awaitText(t *testing.T, r interface{ Read([]byte) (int, error) }, want string) {
	t.Helper()
	var text string
	buffer := make([]byte, 4096)
	for !strings.Contains(text, want) {
		n, err := r.Read(buffer)
		text += string(buffer[:n])
		if err != nil {
			t.Fatalf("it said %q: %v", text, err)
		}
	}
}

// TestListenerHearsOursOnly lets the stranger connect to a socket that it can
// reach, and speak first.
func TestListenerHearsOursOnly(t *testing.T) {
	if trusttest.IsStranger() {
		conn, err := net.Dial("unix", trusttest.Words())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte("down\n"))
		if n, _ := conn.Read(make([]byte, 1)); n != 0 {
			t.Error("it was answered")
		}
		return
	}
	path := filepath.Join(ground(t), "control")
	raw, err := net.ListenUnix("unix", &net.UnixAddr{Net: "unix", Name: path})
	must(t, err, os.Chmod(path, 0o777))
	defer raw.Close()
	heard := make(chan string)
	go func() {
		conn, err := Listener{raw}.Accept()
		if err != nil {
			heard <- err.Error()
			return
		}
		text := make([]byte, 64)
		n, _ := conn.Read(text)
		_ = conn.Close()
		heard <- string(text[:n])
	}()
	if out, err := trusttest.As(t, t.Name(), path).CombinedOutput(); err != nil {
		t.Errorf("the stranger: %v\n%s", err, out)
	}
	conn, err := Dial(t.Context(), path)
	must(t, err)
	_, err = conn.Write([]byte("status"))
	must(t, err)
	if got := <-heard; got != "status" {
		t.Errorf("the first that was heard said %q", got)
	}
}

func TestLock(t *testing.T) {
	silent := func(string) { t.Error("it waited") }
	first, err := Lock(t.Context(), "lock-test", silent)
	must(t, err)
	other, err := Lock(t.Context(), "lock-test-other", silent)
	must(t, err)
	other()
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Lock(ended, "lock-test", silent); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's end", err)
	}
	told := ""
	second, err := Lock(t.Context(), "lock-test", func(holder string) {
		told = holder
		first()
	})
	must(t, err)
	if want := fmt.Sprintf("process %d", os.Getpid()); told != want {
		t.Errorf("it waited for %q, want %q", told, want)
	}
	second()
	if _, err := os.Lstat(filepath.Join(Base(), "lock-test.lock")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the lock's directory is left: %v", err)
	}
}

// TestTakeIsAlone lets many take hold of one directory and remove it each time:
// never do two have it.
func TestTakeIsAlone(t *testing.T) {
	dir := filepath.Join(ground(t), "labs", "one")
	inside := make(chan struct{}, 1)
	deadline := time.Now().Add(time.Second)
	done := make(chan error)
	for range 8 {
		go func() {
			for time.Now().Before(deadline) {
				h, err := Take(dir)
				if errors.Is(err, ErrHeld) {
					continue
				}
				if err != nil {
					done <- err
					return
				}
				select {
				case inside <- struct{}{}:
				default:
					done <- errors.New("two have hold of it")
					return
				}
				<-inside
				h.Release()
			}
			done <- nil
		}()
	}
	for range 8 {
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}
