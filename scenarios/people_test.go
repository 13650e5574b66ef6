package scenarios_test

import (
	"context"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/flowproof/lab/internal/kube/kubetest"
	"github.com/flowproof/lab/internal/trust"
)

// TestPeople has the first ten minutes of an operator, a learner and a teacher, as scripts that run
// the built command on the shared lab: testdata/people. Afterwards every object and every log level
// is as it was. The node's own lab is the one that has a name.
func TestPeople(t *testing.T) {
	switch {
	case missing != "":
		t.Skip(missing)
	case *backendName != "node":
		t.Skip("people begin on the embedded node")
	}
	suite.Test(t, features.New("people").Assess("find what they came for", func(ctx context.Context, t *testing.T,
		_ *envconf.Config) context.Context {
		bin := buildLab(ctx, t)
		write(t, filepath.Join(bin, "operator"), "#!/bin/sh\nexport KUBECONFIG=$KC\n"+
			"exec setpriv --reuid 65534 --regid 65534 --clear-groups "+bin+`/lab.bin "$@"`+"\n")
		for _, person := range []string{"operator", "learner", "teacher"} {
			before, levels := look(ctx, t, provider.GetKubeconfig())
			t.Run(person, func(t *testing.T) {
				testscript.RunT(inTurn{t}, testscript.Params{Files: []string{"testdata/people/" + person + ".txtar"},
					RequireExplicitExec: true, Setup: func(env *testscript.Env) error { return settle(env, bin) },
					Cmds: map[string]func(*testscript.TestScript, bool, []string){"ends": ends, "first": first}})
			})
			after, now := look(ctx, t, provider.GetKubeconfig())
			for _, change := range kubetest.Changes(before, after) {
				t.Errorf("%s: %s", person, change)
			}
			if !maps.Equal(levels, now) {
				t.Errorf("%s: log levels were %v, are %v", person, levels, now)
			}
		}
		return ctx
	}).Feature())
}

// buildLab builds the command, and returns a folder with it: lab is the one of the shared lab,
// lab.bin that of any.
func buildLab(ctx context.Context, t *testing.T) string {
	t.Helper()
	bin := t.TempDir()
	build := exec.CommandContext(ctx, "go", "build", "-ldflags", "-s -w", "-o", filepath.Join(bin, "lab.bin"),
		"../cmd/lab")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build the command: %v\n%s", err, out)
	}
	cache, err := trust.UserCache()
	if err != nil {
		t.Fatal(err)
	}
	write(t, filepath.Join(bin, "lab"), "#!/bin/sh\nFLOWPROOF_CACHE="+cache+
		" exec "+bin+"/lab.bin --name "+*labName+` "$@"`+"\n")
	return bin
}

// inTurn runs scripts one after the other: all are about the same sidecars.
type inTurn struct{ *testing.T }

func (inTurn) Parallel() {}

func (t inTurn) Run(name string, f func(testscript.T)) {
	t.T.Run(name, func(sub *testing.T) { f(inTurn{sub}) })
}

func (inTurn) Verbose() bool { return testing.Verbose() }

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
}

// settle gives a script its folder, which the operator may use too, the command, and a kubeconfig.
func settle(env *testscript.Env, bin string) error {
	kubeconfig, err := os.ReadFile(provider.GetKubeconfig())
	if err != nil {
		return err
	}
	copied := filepath.Join(env.WorkDir, "kubeconfig")
	if err := os.WriteFile(copied, kubeconfig, 0o644); err != nil {
		return err
	}
	for dir := env.WorkDir; dir != filepath.Clean(os.TempDir()) && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	for dir := bin; dir != filepath.Clean(os.TempDir()) && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			return err
		}
	}
	env.Setenv("HOME", env.WorkDir)
	env.Setenv("KC", copied)
	env.Setenv("PATH", bin+":"+env.Getenv("PATH"))
	return os.CopyFS(env.WorkDir, os.DirFS("testdata/people/files"))
}

// exitIncomplete is the exit code of a run that is incomplete.
const exitIncomplete = 4

// ends runs a program and holds the exit code that it ends with: ends CODE PROGRAM [ARGUMENT...].
// One that must end with 0 and is incomplete is run again, as often as a kind of request is.
func ends(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: ends CODE PROGRAM [ARGUMENT...]")
	}
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	got := 0
	for again := 0; ; again++ {
		got = 0
		err = ts.Exec(args[1], args[2:]...)
		if failed, ok := err.(*exec.ExitError); ok {
			got = failed.ExitCode()
		} else {
			ts.Check(err)
		}
		if want != 0 || got != exitIncomplete || again == patience {
			break
		}
	}
	if got != want {
		ts.Fatalf("%s ended with %d, want %d\n%s%s", strings.Join(args[1:], " "), got, want, ts.ReadFile("stdout"),
			ts.ReadFile("stderr"))
	}
}

// first holds the first line of what the last program wrote: first REGEXP.
func first(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: first REGEXP")
	}
	line, _, _ := strings.Cut(ts.ReadFile("stdout"), "\n")
	if !regexp.MustCompile(args[0]).MatchString(line) {
		ts.Fatalf("the first line is %q, want %s", line, args[0])
	}
}
