package run

import (
	"errors"
	"io/fs"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/harness/observe/sockets"
	"github.com/flowproof/lab/internal/trust/trusttest"
)

// asRoot skips where this process may not enter another one's network, which it may be
// denied as root too.
func asRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("it needs root: the network of a process is entered")
	}
}

// TestHostPrograms runs the host's own programs in the network of a process, here this one's.
func TestHostPrograms(t *testing.T) {
	asRoot(t)
	words := func(words ...string) instrument.Command { return instrument.Command{Words: words} }
	text, err := commandFromHost(t.Context(), os.Getpid(), words("cat", "/proc/self/net/dev"))
	if err != nil || !strings.Contains(string(text), "lo:") {
		t.Errorf("%q, %v", text, err)
	}
	if text, err = commandFromHost(t.Context(), os.Getpid(), words("true")); err != nil || text == nil {
		t.Errorf("what prints nothing is %v, %v: nil says that it was not run", text, err)
	}
	if _, err = commandFromHost(t.Context(), os.Getpid(), words("ls", "/nothing")); err == nil ||
		!strings.Contains(err.Error(), "ls: ") {
		t.Errorf("a program that fails: %v", err)
	}
	if _, err = commandFromHost(t.Context(), 1<<30, words("true")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a process that is not there: %v", err)
	}
	other := instrument.Command{Words: []string{"nothing-of-that-name"}, OnHost: []string{"echo", "host's"}}
	if text, err = commandFromHost(t.Context(), os.Getpid(), other); err != nil || string(text) != "host's\n" {
		t.Errorf("other words on this host: %q, %v", text, err)
	}
	doubt := errors.New("not believed")
	other.Doubt = func(int, []byte) error { return doubt }
	if text, err = commandFromHost(t.Context(), os.Getpid(), other); text != nil || !errors.Is(err, doubt) {
		t.Errorf("what is not believed: %q, %v", text, err)
	}
}

// TestHostProgramIsNoStrangers puts another user's directory first on PATH: root runs nothing of it
// to look into a pod.
func TestHostProgramIsNoStrangers(t *testing.T) {
	asRoot(t)
	dir := t.TempDir()
	mark := filepath.Join(dir, "ran")
	program := filepath.Join(dir, "true")
	if err := errors.Join(os.WriteFile(program, []byte("#!/bin/sh\ntouch "+mark+"\n"), 0o755),
		os.Chown(program, trusttest.Stranger, trusttest.Stranger)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
	if _, err := commandFromHost(t.Context(), os.Getpid(), instrument.Command{Words: []string{"true"}}); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(mark); err == nil {
		t.Error("root ran a stranger's program, which PATH led to")
	}
}

// TestConnectionIsDestroyed ends a connection of this process by SOCK_DESTROY, and
// another one stays.
func TestConnectionIsDestroyed(t *testing.T) {
	asRoot(t)
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dial := func() (*net.TCPConn, sockets.Row) {
		c, err := net.Dial("tcp4", listener.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Close() })
		return c.(*net.TCPConn), sockets.Row{State: "ESTAB", Local: netip.MustParseAddrPort(c.LocalAddr().String()),
			Peer: netip.MustParseAddrPort(c.RemoteAddr().String())}
	}
	ended, row := dial()
	stays, _ := dial()
	if err := destroySockets(os.Getpid(), []sockets.Row{row}); errors.Is(err, fs.ErrPermission) ||
		errors.Is(err, syscall.EOPNOTSUPP) {
		t.Skipf("this kernel does not let it: %v", err)
	} else if err != nil {
		t.Fatal(err)
	}
	if _, err := ended.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNABORTED) {
		t.Errorf("the connection that was ended: %v", err)
	}
	if _, err := stays.Write([]byte("a")); err != nil {
		t.Errorf("the other one: %v", err)
	}
}
