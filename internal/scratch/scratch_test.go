package scratch

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// stranger is the user of Unix systems to whom nothing belongs.
const stranger = 65534

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func there(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// TestSweepTakesTheDead kills a process that has a directory, and sweeps while another lives.
func TestSweepTakesTheDead(t *testing.T) {
	if os.Getenv("SCRATCH_CHILD") != "" {
		d, err := Make()
		must(t, err)
		must(t, os.WriteFile(filepath.Join(d.Path, "dump.json"), []byte("{}"), 0o600))
		_, err = os.Stdout.WriteString(d.Path)
		must(t, err)
		select {}
	}
	t.Setenv("TMPDIR", t.TempDir())
	child := exec.Command(os.Args[0], "-test.run", "^TestSweepTakesTheDead$")
	child.Env = append(os.Environ(), "SCRATCH_CHILD=1")
	out, err := child.StdoutPipe()
	must(t, err)
	must(t, child.Start())
	buf := make([]byte, 4096)
	n, err := out.Read(buf)
	must(t, err)
	dead := string(buf[:n])
	own, err := Make()
	must(t, err)
	defer own.Close()

	Sweep()
	if !there(dead) || !there(own.Path) {
		t.Fatalf("a directory in use was removed: %v %v", there(dead), there(own.Path))
	}
	must(t, child.Process.Kill())
	_ = child.Wait()
	Sweep()
	if there(dead) || !there(own.Path) {
		t.Errorf("that of the dead is there: %v; our own: %v", there(dead), there(own.Path))
	}
}

// TestSweepLeavesStrangers puts things of the same name there that are not ours to remove.
func TestSweepLeavesStrangers(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	elsewhere := t.TempDir()
	kept := filepath.Join(elsewhere, "thesis.txt")
	must(t, os.WriteFile(kept, nil, 0o600))
	link, open := filepath.Join(tmp, prefix+"link"), filepath.Join(tmp, prefix+"open")
	must(t, os.Symlink(elsewhere, link))
	must(t, os.Mkdir(open, 0o777))
	must(t, os.Chmod(open, 0o777))
	all := []string{link, open, kept}
	if os.Geteuid() == 0 {
		theirs := filepath.Join(tmp, prefix+"theirs")
		must(t, os.Mkdir(theirs, 0o700))
		must(t, os.Chown(theirs, stranger, stranger))
		all = append(all, theirs)
	}
	Sweep()
	for _, path := range all {
		if !there(path) {
			t.Errorf("%s was removed", path)
		}
	}
}

func TestIs(t *testing.T) {
	for path, want := range map[string]bool{"/": false, "/etc": false, "flowproof-run-1": false,
		"/tmp/flowproof-run-1/..": false, "/tmp/other": false, "/tmp/flowproof-run-1": true} {
		if Is(path) != want {
			t.Errorf("%s: %v", path, !want)
		}
	}
}
