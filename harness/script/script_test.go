package script

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/internal/golden"
)

// noLab is a lab whose apiserver does not answer: enough for everything that fails before, or needs
// no lab.
func noLab(t *testing.T) Lab {
	t.Helper()
	path := filepath.Join(t.TempDir(), "kubeconfig")
	config := `{"apiVersion":"v1","kind":"Config","current-context":"x",
		"contexts":[{"name":"x","context":{"cluster":"x","namespace":"mark"}}],
		"clusters":[{"name":"x","cluster":{"server":"http://127.0.0.1:1"}}]}`
	if err := os.WriteFile(path, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	m, err := mesh.Connect(path)
	if err != nil {
		t.Fatal(err)
	}
	return Lab{Mesh: run.Of(m), Cluster: &cluster.Lab{Name: "x", Backend: "existing", Kubeconfig: path}}
}

func TestRun(t *testing.T) {
	for _, tc := range []struct {
		name   string
		script string
		status string
		kind   fault.Kind
		reason string
	}{
		{"only words", "# Nothing is done.\n", Passed, fault.None, ""},
		{"testscript's own commands", "# A file is there.\nexists a\ngrep hello a\n-- a --\nhello\n",
			Passed, fault.None, ""},
		{"a failed assertion is a mismatch", "# A file is there.\n\nexists b\n", Failed, fault.Mismatch,
			"t.txtar:3: $WORK/b does not exist"},
		{"misspelt command", "dmup netshoot\n", Failed, fault.Usage,
			`t.txtar:1: unknown command "dmup" (did you mean "dump"?)`},
		{"misspelt command after others, none of which runs", "exec false\n\n# Then this.\ndmup netshoot\n",
			Failed, fault.Usage, `t.txtar:4: unknown command "dmup" (did you mean "dump"?)`},
		{"misspelt command that is repeated", "exec false\neventually 1s dmup netshoot\n", Failed, fault.Usage,
			"there is no command dmup that can be repeated"},
		{"misspelt condition", "[rot] dump netshoot\n", Failed, fault.Usage,
			"unknown condition [rot] (there are: [backend:NAME], [bpf],"},
		{"condition without its suffix", "[backend] dump netshoot\n", Failed, fault.Usage,
			"condition [backend] is written [backend:NAME]"},
		{"wrong call", "observe it\n", Failed, fault.Usage, "observe: it takes no argument (usage: observe)"},
		{"wrong call of a sentence", "kill-connections a -> b:80\n", Failed, fault.Usage, "it ends with: until cold"},
		{"half a sentence", "pool-connections a -> http://b/\n", Failed, fault.Usage, "write FROM -> URL until warm"},
		{"warm before it is known where", "pool-connections a -> http://b/ until warm\n", Failed, fault.Usage,
			"infer has to say first which pod is called"},
		{"restart of nothing", "restart\n", Failed, fault.Usage, "it needs one pod"},
		{"trace of three", "trace a b c\n", Failed, fault.Usage, "write CLIENT -> SERVER, or one pod"},
		{"events of nothing", "events -all a b\n-- b --\nx\n", Failed, fault.Usage, "there is no trace before it"},
		{"no lab", "# Where is it?\ndump netshoot\n", Failed, fault.Environment, "find pod netshoot.mark:"},
		{"must fail and does", "! dump\nstderr 'it needs one pod'\n", Passed, fault.None, ""},
		{"eventually does not nest", "! eventually 1s eventually 1s dump a\nstderr 'no command eventually'\n",
			Passed, fault.None, ""},
		{"wrong order", "observe\n", Failed, fault.Usage, "there is nothing to observe before request"},
		{"nothing to judge", "verify\n", Failed, fault.Usage, "there is nothing to judge before infer and observe"},
		{"nothing to infer from", "infer a -> http://b/\n", Failed, fault.Usage, "there is no dump to infer from"},
		{"not a URL", "infer a -> b:80\n", Failed, fault.Usage, `read URL "b:80": it is not an http or https URL`},
		{"a file without a name", "exists a\n-- --\n", Failed, fault.Usage,
			"t.txtar:2: a file without a name (write -- NAME --)"},
		{"a file above the folder", "exists a\n-- ../../flowproof-escaped --\nx\n", Failed, fault.Usage,
			"t.txtar: file \"../../flowproof-escaped\": the file lies outside of the scenario's folder"},
		{"a file above it, by a way around", "exists a\n-- a/../../flowproof-escaped --\nx\n", Failed, fault.Usage,
			"the file lies outside"},
		{"a file with its whole path", "exists a\n-- /tmp/flowproof-escaped --\nx\n", Failed, fault.Usage,
			"the file lies outside"},
		{"a file below a variable", "exists a\n-- $HOME/../flowproof-escaped --\nx\n", Failed, fault.Usage,
			"a variable in a file's name may lead anywhere"},
		{"a file below a variable in braces", "exists a\n-- ${/}tmp${/}flowproof-escaped --\nx\n", Failed, fault.Usage,
			"a variable in a file's name"},
		{"the folder as a file", "exists a\n-- . --\nx\n", Failed, fault.Usage,
			"the name is the scenario's folder itself"},
		{"a dump from above the folder", "dump a from ../../x\n", Failed, fault.Usage,
			"dump a from ../../x: read ../../x: it leads out of the scenario's folder"},
		{"a dump from anywhere", "dump a from /etc/hostname\n", Failed, fault.Usage,
			"it leads out of the scenario's folder"},
		{"a dump from behind a link", "exec ln -s /etc/hostname x\ndump a from x\n", Failed, fault.Usage,
			"not a regular file: it is a symbolic link"},
		{"a dump from below a link", "exec ln -s /etc d\ndump a from d/hostname\n", Failed, fault.Usage, "escapes"},
		{"a dump from a pipe", "exec mkfifo p\ndump a from p\n", Failed, fault.Usage,
			"not a regular file: it is a pipe"},
		{"skipped", "# Not here.\nskip 'no kernel'\nexists b\n", Skipped, fault.None, "no kernel"},
		{"stopped", "stop 'enough'\nexists b\n", Passed, fault.None, ""},
		{"condition that holds", "[backend:existing] exists a\n[kernel:2.6] exists a\n-- a --\n", Passed, fault.None,
			""},
		{"condition that does not", "[kernel:99] exists b\n[!backend:existing] exists b\n", Passed, fault.None,
			""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			result := Run(t.Context(), noLab(t), Parse("t", []byte(tc.script)), Options{})
			if result.Status != tc.status || !strings.Contains(result.Reason, tc.reason) ||
				fault.Of(result.Err) != tc.kind {
				t.Errorf("%s (kind %q): %q; want %s (%q): %q", result.Status, fault.Of(result.Err), result.Reason,
					tc.status, tc.kind, tc.reason)
			}
		})
	}
}

func TestCancelledRunIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	result := Run(ctx, noLab(t), Parse("t", []byte("dump netshoot\n")), Options{})
	if fault.Of(result.Err) != fault.Interrupted {
		t.Errorf("kind %q: %v", fault.Of(result.Err), result.Err)
	}
}

func TestRunLeavesNothingBehind(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	Run(t.Context(), noLab(t), Parse("t", []byte("cp stdout x\ndump netshoot\n")), Options{})
	left, err := os.ReadDir(temp)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestFullDiskIsTheEnvironments(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "nothing"))
	result := Run(t.Context(), noLab(t), Parse("t", []byte("stop\n")), Options{})
	if fault.Of(result.Err) != fault.Environment ||
		!strings.Contains(result.Reason, "is the disk full? TMPDIR names another") {
		t.Errorf("kind %q: %s", fault.Of(result.Err), result.Reason)
	}
}

func TestUpdateRewritesGoldens(t *testing.T) {
	const before = "# What is seen is what is wanted.\n[backend:existing] cmp have want\n-- have --\nnew\n-- want " +
		"--\nold\n"
	result := Run(t.Context(), noLab(t), Parse("t", []byte(before)), Options{Update: true})
	if want := strings.Replace(before, "old", "new", 1); string(result.Updated) != want {
		t.Errorf("updated to %q, want %q", result.Updated, want)
	}
	if again := Run(t.Context(), noLab(t), Parse("t", result.Updated), Options{Update: true}); again.Updated != nil ||
		again.Err != nil {
		t.Errorf("a second time: %q, %v", again.Updated, again.Err)
	}
}

// TestLive compares the report of a run with its golden.
func TestLive(t *testing.T) {
	const text = "# A learner reads this.\n# And this.\n\n# A file is there.\nexists a\n! exists b\n\n# This command " +
		"is not called rightly.\nobserve it\n\n# The script ends before this.\nexists a\n-- a --\n"
	var out bytes.Buffer
	result := Run(t.Context(), noLab(t), Parse("t", []byte(text)), Options{Events: NewLive(&out)})
	lines := strings.Split(out.String(), "\n")
	lines[len(lines)-2] = strings.Split(lines[len(lines)-2], " after ")[0] // the time differs
	golden.Equal(t, filepath.Join("testdata", "live.txt"), strings.Join(lines, "\n"))
	if len(result.Phases) != 3 || result.Phases[1].Steps[1].Command != "! exists b" ||
		result.Phases[2].Steps[0].Line != 9 {
		t.Errorf("phases: %+v", result.Phases)
	}
	encoded, err := json.Marshal(result)
	if err != nil || !bytes.Contains(encoded, []byte(`"schema":"flowproof.dev/scenario/v1"`)) {
		t.Errorf("JSON %s, %v", encoded, err)
	}
	suite := result.Suite()
	if n := len(suite.Cases); n != 3 || !strings.HasPrefix(suite.Cases[2].Failure,
		"observe it: observe: it takes no argument") {
		t.Errorf("suite: %+v", suite)
	}
}

// TestTable holds every command to what the README needs.
func TestTable(t *testing.T) {
	last := ""
	for _, c := range Commands() {
		switch {
		case c.Name <= last:
			t.Errorf("%s stands after %s", c.Name, last)
		case !strings.HasPrefix(c.Usage, c.Name):
			t.Errorf("the usage of %s is %q", c.Name, c.Usage)
		case c.Summary == "" || strings.HasSuffix(c.Summary, "."):
			t.Errorf("the summary of %s is %q, wanted is a sentence without its full stop", c.Name, c.Summary)
		}
		last = c.Name
	}
}

func FuzzParse(f *testing.F) {
	f.Add("# A sentence.\n[root] [!kernel:5.8] dump a # and a comment\n\n! show pod x\n-- file --\nhello\n")
	f.Add("[")
	f.Add("x\n-- --\n")
	f.Add("[a][b]\n[ a ] x")
	f.Add("\t# not a phase\r\ndump")
	f.Fuzz(func(t *testing.T, text string) {
		s := Parse("fuzz", []byte(text))
		_ = s.Summary()
		instrumented := Parse("fuzz", s.instrumented())
		if len(instrumented.phases) != len(s.phases) {
			t.Fatalf("%d phases became %d", len(s.phases), len(instrumented.phases))
		}
		for i, p := range s.phases {
			if len(instrumented.phases[i].lines) != len(p.lines) {
				t.Fatalf("phase %d: %d lines became %d", i, len(p.lines), len(instrumented.phases[i].lines))
			}
			for j, line := range p.lines {
				if instrumented.phases[i].lines[j].number != line.number {
					t.Fatalf("line %d became %d", line.number, instrumented.phases[i].lines[j].number)
				}
			}
		}
	})
}

// TestPredictNext holds what a question about an order of events needs: a file, an event of it that
// is not the last, and a line that holds the file against what was seen.
func TestPredictNext(t *testing.T) {
	const file = "-- o.events --\na\nno b\nc\n"
	for _, tc := range []struct{ script, want string }{
		{"predict -after a o.events\n" + file, "no line holds o.events (write events POD o.events after it)"},
		{"predict -after c o.events\nevents p o.events\n" + file, "o.events ends with the event that has"},
		{"predict -after x o.events\nevents p o.events\n" + file, `no event of o.events has "x"`},
		{"predict -after a other.events\nevents p other.events\n" + file, "other.events"},
		{"predict -after a -lost o.events\n" + file, "-after needs the file"},
		{"predict -after a\n" + file, "-after needs the file"},
	} {
		r := Run(t.Context(), Lab{}, Parse("next", []byte(tc.script)), Options{})
		if r.Err == nil || !strings.Contains(r.Err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", tc.script, r.Err, tc.want)
		}
	}
	r := Run(t.Context(), Lab{}, Parse("next", []byte("predict -after a o.events\nevents p o.events\n"+file)),
		Options{})
	if len(r.Answers) != 1 || r.Answers[0].Question.Answer != "c" || r.Answers[0].Question.Choices == nil {
		t.Errorf("answers %+v: %v", r.Answers, r.Err)
	}
}
