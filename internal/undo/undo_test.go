package undo_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/flowproof/lab/internal/undo"
)

// The test binary is also the guard, and the run that a test kills.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "guard":
		if err := undo.Guard(os.Stdin, os.Stderr, kinds); err != nil {
			os.Exit(1)
		}
	case len(os.Args) == 3 && os.Args[1] == "run":
		victim(os.Args[2])
	default:
		os.Exit(m.Run())
	}
}

// kinds has one kind that appends a line to a file and one that always fails.
var kinds = undo.Kinds{
	"write": func(_ context.Context, raw json.RawMessage) error {
		var args [2]string
		if err := json.Unmarshal(raw, &args); err != nil {
			return err
		}
		file, err := os.OpenFile(args[0], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		defer file.Close()
		_, err = file.WriteString(args[1] + "\n")
		return err
	},
	"fail": func(context.Context, json.RawMessage) error { return errors.New("no such sidecar") },
}

func guardCommand() []string { return []string{os.Args[0], "guard"} }

// victim makes a list of three, undoes the second, says so, and waits to be killed.
func victim(path string) {
	list := undo.NewList(kinds, guardCommand(), func(err error) { panic(err) })
	var undos []func(context.Context) error
	for _, name := range []string{"first", "second", "third"} {
		u, err := list.Add("write", name, [2]string{path, name})
		if err != nil {
			panic(err)
		}
		undos = append(undos, u)
	}
	if err := undos[1](context.Background()); err != nil {
		panic(err)
	}
	os.Stdout.WriteString("ready\n")
	time.Sleep(time.Minute) // to be killed; a select without a case would be a deadlock, which ends the program
}

// TestKilledRun kills a run alone and with each of its guards, in both orders.
func TestKilledRun(t *testing.T) {
	for _, victims := range [][]string{{"run"}, {"run", "chief"}, {"chief", "run"}, {"run", "deputy"},
		{"deputy", "run"}} {
		t.Run(strings.Join(victims, "+"), func(t *testing.T) { killedRun(t, victims) })
	}
}

func killedRun(t *testing.T, victims []string) {
	path := filepath.Join(t.TempDir(), "undone")
	cmd := exec.Command(os.Args[0], "run", path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	errs, errsWriter, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = errsWriter
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	errsWriter.Close()
	if _, err := out.Read(make([]byte, 16)); err != nil {
		t.Fatal(err)
	}
	pids := map[string]int{"run": cmd.Process.Pid, "chief": guardOf(t, "chief"), "deputy": guardOf(t, "deputy")}
	for _, victim := range victims {
		_ = syscall.Kill(pids[victim], syscall.SIGKILL) // a guard may have done its work already
	}
	_ = cmd.Wait()
	// The guards are the last to hold the other end: their end is the end of file.
	said := new(bytes.Buffer)
	if _, err := said.ReadFrom(errs); err != nil {
		t.Fatal(err)
	}
	// The chief may have done some or all of it before it was killed, and the deputy does it again.
	undone, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(string(undone), "second\nthird\n") || !strings.HasSuffix(string(undone), "third\nfirst\n") {
		t.Errorf("undone in the order %q", undone)
	}
	if !slices.Contains(victims, "chief") {
		check(t, path, "second\nthird\nfirst\n")
		if strings.Count(said.String(), "✓") != 2 {
			t.Errorf("the guards said %q, want two lines with ✓", said)
		}
	}
}

// guardOf finds the process id of a guard by its role, and waits for one that is being started.
func guardOf(t *testing.T, role string) int {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); {
		environments, err := filepath.Glob("/proc/[0-9]*/environ")
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range environments {
			environ, _ := os.ReadFile(path)
			command, _ := os.ReadFile(filepath.Join(filepath.Dir(path), "cmdline"))
			if pid, err := strconv.Atoi(filepath.Base(filepath.Dir(path))); err == nil &&
				bytes.Contains(environ, []byte("FLOWPROOF_UNDO_GUARD="+role+"\x00")) &&
				bytes.HasPrefix(command, []byte(os.Args[0]+"\x00guard")) {
				return pid
			}
		}
	}
	t.Fatalf("there is no %s", role)
	return 0
}

func TestRunUndoesItself(t *testing.T) {
	for _, tc := range []struct {
		name  string
		guard []string
	}{
		{"with a guard", guardCommand()},
		{"without a guard", nil},
		{"with a guard that dies at once", []string{"/bin/false"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "undone")
			list := undo.NewList(kinds, tc.guard, func(err error) { t.Error(err) })
			for _, name := range []string{"first", "second"} {
				if _, err := list.Add("write", name, [2]string{path, name}); err != nil {
					t.Fatal(err)
				}
			}
			if err := list.Undo(t.Context()); err != nil {
				t.Error(err)
			}
			_ = list.Close() // /bin/false ends with 1
			check(t, path, "second\nfirst\n")
			if left := list.Pending(); len(left) != 0 {
				t.Errorf("left on the list: %v", left)
			}
		})
	}
}

func TestFailureIsReportedAndTheRestIsDone(t *testing.T) {
	path := filepath.Join(t.TempDir(), "undone")
	list := undo.NewList(kinds, nil, nil)
	for _, a := range [][2]string{{"write", "first"}, {"fail", "restore log level of gone.mark"}, {"write", "third"}} {
		if _, err := list.Add(a[0], a[1], [2]string{path, a[1]}); err != nil {
			t.Fatal(err)
		}
	}
	err := list.Undo(t.Context())
	if err == nil || !strings.Contains(err.Error(), "restore log level of gone.mark: no such sidecar") {
		t.Errorf("Undo: %v", err)
	}
	check(t, path, "third\nfirst\n")
	if left := list.Pending(); len(left) != 1 {
		t.Errorf("left on the list: %v, want the one that failed", left)
	}
}

// TestGuardGoesOnAfterAFailure leaves a guard with an action that fails: it says so, and
// carries out the rest.
func TestGuardGoesOnAfterAFailure(t *testing.T) {
	path := filepath.Join(t.TempDir(), "undone")
	args, err := json.Marshal([2]string{path, "first"})
	if err != nil {
		t.Fatal(err)
	}
	guard := exec.Command(os.Args[0], "guard")
	guard.Stdin = strings.NewReader(`{"add":{"id":1,"kind":"write","what":"first","args":` + string(args) + "}}\n" +
		`{"add":{"id":2,"kind":"fail","what":"restore log level of gone.mark","args":null}}` + "\n")
	if out, err := guard.CombinedOutput(); err == nil ||
		!strings.Contains(string(out), "✗ restore log level of gone.mark: no such sidecar") {
		t.Errorf("%v, %q", err, out)
	}
	check(t, path, "first\n")
}

func TestNoGuardIsSaidAndNotFatal(t *testing.T) {
	var warned error
	list := undo.NewList(kinds, []string{"/no/such/program"}, func(err error) { warned = err })
	if warned == nil {
		t.Error("no warning")
	}
	if _, err := list.Add("nonsense", "x", nil); err == nil {
		t.Error("an unknown kind was accepted")
	}
}

func check(t *testing.T, path, want string) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("undone in the order %q, want %q", got, want)
	}
}
