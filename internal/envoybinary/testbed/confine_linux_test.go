//go:build linux && amd64

package testbed

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/trust/trusttest"
)

// hostile is what a binary from a pod tries on the testbed. It prints what it could do.
func hostile(left string) {
	if os.Geteuid() == 0 {
		fmt.Println("is root")
	}
	if err := syscall.Setuid(0); err == nil {
		fmt.Println("became root")
	}
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(line, ":")
		if strings.HasPrefix(name, "Cap") && name != "CapBnd" && strings.Trim(value, "0 \t\n") != "" {
			fmt.Println("has", strings.TrimSpace(line))
		}
		if name == "NoNewPrivs" && strings.TrimSpace(value) != "1" {
			fmt.Println("may gain privileges")
		}
	}
	for _, dir := range append([]string{"/", "/run", "/etc", "/root"}, openToAll...) {
		if os.WriteFile(filepath.Join(dir, left), nil, 0o644) == nil {
			fmt.Println("wrote to", dir)
		}
	}
	if unix.Kill(os.Getppid(), 0) == nil {
		fmt.Println("could signal others")
	}
	if all, _ := filepath.Glob("/proc/[0-9]*"); len(all) > 1 {
		fmt.Println("sees processes of others:", all)
	}
	survivor := exec.Command("/bin/sleep", "3600")
	survivor.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := survivor.Start(); err != nil {
		fmt.Println("could not start another, which is to be ended:", err)
	}
	if links, err := net.Interfaces(); err != nil || len(links) > 1 {
		fmt.Println("has a network:", links, err)
	}
	if len(os.Environ()) > len(confinedEnvironment) {
		fmt.Println("knows", os.Environ())
	}
}

const wordHostile = "__hostile"

func init() {
	if len(os.Args) == 3 && os.Args[1] == wordHostile {
		hostile(os.Args[2])
		os.Exit(0)
	}
}

// TestBinaryOfAPodIsConfined runs this test program as the testbed runs a binary from a pod.
func TestBinaryOfAPodIsConfined(t *testing.T) {
	trusttest.NeedRoot(t)
	left := "flowproof-hostile-" + fmt.Sprint(os.Getpid())
	type result struct {
		out []byte
		err error
	}
	done := make(chan result)
	go func() { // its thread ends with it
		runtime.LockOSThread()
		out, err := runConfined(left)
		done <- result{out, err}
	}()
	r := <-done
	if r.err != nil {
		t.Fatalf("%v\n%s", r.err, r.out)
	}
	for line := range strings.Lines(string(r.out)) {
		t.Errorf("it %s", line)
	}
	for _, dir := range openToAll {
		if _, err := os.Lstat(filepath.Join(dir, left)); err == nil {
			t.Errorf("it left a file in %s", dir)
			_ = os.Remove(filepath.Join(dir, left))
		}
	}
}

func runConfined(left string) ([]byte, error) {
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		return nil, err
	}
	binary, err := os.Open("/proc/self/exe")
	if err != nil {
		return nil, err
	}
	defer binary.Close()
	c, dir, err := confine()
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(confinedBinary, wordHostile, left)
	cmd.Dir, cmd.Env, cmd.ExtraFiles, cmd.SysProcAttr = dir, confinedEnvironment, []*os.File{binary}, c.attributes()
	out, err := cmd.CombinedOutput()
	if !c.killAll() {
		err = errors.Join(err, errors.New("nothing of its was left to be ended"))
	}
	c.end()
	if c.killAll() {
		err = errors.Join(err, errors.New("a process of its is left"))
	}
	return out, err
}
