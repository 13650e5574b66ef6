package script

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/run/runtest"
)

// lines runs lines in a lab and returns what each printed.
func lines(t *testing.T, lab *runtest.Lab, text string, opts Options) ([]string, *Result) {
	t.Helper()
	result := Run(t.Context(), lab.Run(), Parse("t", []byte(text)), opts)
	var out []string
	for _, phase := range result.Phases {
		for _, step := range phase.Steps {
			out = append(out, step.Output)
		}
	}
	return out, result
}

// TestEveryCommandSaysItsUsage calls each command with what it cannot understand.
func TestEveryCommandSaysItsUsage(t *testing.T) {
	lab := recordedLab(t, "inbound")
	for _, c := range Commands() {
		for _, arguments := range []string{"-nonsense a b c d e", "a -> b c d e f"} {
			_, result := lines(t, lab, c.Name+" "+arguments+"\n", Options{})
			if result.Err == nil {
				t.Errorf("%s %s passes", c.Name, arguments)
			} else if code := fault.Of(result.Err); code != fault.Usage && code != fault.Environment {
				t.Errorf("%s %s: kind %q: %v", c.Name, arguments, code, result.Err)
			}
		}
		if _, result := lines(t, lab, c.Name+"\n", Options{}); result.Err == nil && c.Name != "observe" &&
			c.Name != "verify" {
			t.Errorf("%s without arguments passes", c.Name)
		}
	}
}

// TestExpect holds hops against patterns, and says which was missed and by which field.
func TestExpect(t *testing.T) {
	const infer = "dump netshoot\ndump fortio-server\ninfer netshoot -> http://fortio-server:8080/\n"
	for _, c := range []struct {
		line   string
		missed string // hop: got
	}{
		{"expect client/cluster outbound|8080||fortio-server.* server/app *", ""},
		{"expect cluster *fortio-server.mark*", ""},
		{"expect client/cluster BlackHoleCluster",
			"client/cluster: outbound|8080||fortio-server.mark.svc.cluster.local"},
		{"expect server/redirect *15001", "server/redirect: REDIRECT "},
		{"expect node-port *", "node-port: "},
	} {
		_, result := lines(t, recordedLab(t, "inbound"), infer+c.line+"\n", Options{})
		switch {
		case c.missed == "" && (result.Err != nil || result.Missed != nil):
			t.Errorf("%s: %v", c.line, result.Err)
		case c.missed != "" && (fault.Of(result.Err) != fault.Mismatch || result.Missed == nil):
			t.Errorf("%s: %v, missed %+v", c.line, result.Err, result.Missed)
		case c.missed != "":
			if got := result.Missed.Hop + ": " + result.Missed.Got; !strings.HasPrefix(got, c.missed) ||
				result.Missed.Why == "" {
				t.Errorf("%s: missed %+v, want %s", c.line, result.Missed, c.missed)
			}
		}
	}
}

// TestConditions is what may stand in brackets.
func TestConditions(t *testing.T) {
	for condition, want := range map[string]string{
		"kernel:2.6":       "yes",
		"kernel:99":        "no",
		"kernel:x":         `version "x" is not numbers and dots`,
		"kernel":           "condition [kernel] is written [kernel:VERSION]",
		"root:1":           "condition [root:1] is written [root]",
		"istio-filters":    "no", // the recorded Envoy is upstream's
		"backend:node":     "no", // a lab without a backend
		"nothing":          "unknown condition [nothing]",
		"!backend:nothing": "yes",
	} {
		got := "no"
		out, result := lines(t, recordedLab(t, "inbound"), "["+condition+"] show pod netshoot\n", Options{})
		if result.Err != nil {
			got = result.Err.Error()
		} else if len(out) > 0 && out[0] != "" {
			got = "yes"
		}
		if !strings.Contains(got, want) {
			t.Errorf("[%s]: %s, want %s", condition, got, want)
		}
	}
}

// TestPodsAndServices shows what is there, and fails for what is not ready.
func TestPodsAndServices(t *testing.T) {
	lab := recordedLab(t, "inbound")
	lab.PodsByRef["fortio-server.mark"].NotReady = true
	lab.Services["empty.mark"] = &mesh.Service{Name: "empty", Namespace: "mark", ClusterIP: "10.0.0.7",
		Ports: []string{"80 http"}}
	for line, want := range map[string]string{
		"show pod netshoot":               "1/1 ready at ",
		"show pod fortio-server":          "1/2 ready at ",
		"show pod -ready fortio-server":   "1 of its 2 containers are ready",
		"show service fortio-server":      "endpoints ",
		"show service empty":              "no pod behind it is ready",
		"show service nothing":            "there is no such service",
		"show pod nothing":                mesh.ErrNoPod.Error(),
		"show node a":                     "it shows a pod or a service",
		"restart netshoot":                "its container was replaced",
		"dump nothing":                    mesh.ErrNoPod.Error(),
		"dump netshoot from none":         "dump netshoot from none",
		"eventually 1s show pod netshoot": "",
		"eventually x show pod netshoot":  "the duration x is not one",
		"eventually 1s nothing":           "there is no command nothing that can be repeated",
		"eventually 400ms show pod gone":  mesh.ErrNoPod.Error(),
	} {
		out, result := lines(t, lab, line+"\n", Options{})
		got := strings.Join(out, "") + fmt.Sprint(result.Err)
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// TestAddressesInAManifest puts the address of a pod that show pod has read where its name stands.
func TestAddressesInAManifest(t *testing.T) {
	s := newSession(t.Context(), Lab{}, silent{})
	s.variables["WEB_IP"] = "10.0.0.7"
	for manifest, want := range map[string]string{
		"{address: $WEB_IP, port: 80}":        "{address: 10.0.0.7, port: 80}",
		"'$WEB_IP:80' [\"$WEB_IP\"]":          "'10.0.0.7:80' [\"10.0.0.7\"]",
		"echo ${WEB_IP} $(WEB_IP) $WEB %s+$":  "echo ${WEB_IP} $(WEB_IP) $WEB %s+$",
		"{address: $WEB_IPS, other: $web_IP}": "{address: $WEB_IPS, other: $web_IP}",
		"{address: $GONE_IP}":                 "$GONE_IP stands for nothing yet (call show pod before)",
	} {
		got, err := s.withAddresses([]byte(manifest))
		if err != nil {
			got = []byte(err.Error())
		}
		if string(got) != want {
			t.Errorf("%s: %s, want %s", manifest, got, want)
		}
	}
	_, result := lines(t, recordedLab(t, "inbound"), "apply a.yaml\n-- a.yaml --\n{kind: $GONE_IP}\n", Options{})
	if result.Err == nil || !strings.Contains(result.Err.Error(), "apply a.yaml: $GONE_IP stands for nothing yet") {
		t.Error(result.Err)
	}
}

// TestDumpChanged waits for other listeners than those of the dump before.
func TestDumpChanged(t *testing.T) {
	lab := recordedLab(t, "inbound")
	pod := lab.PodsByRef["netshoot.mark"]
	same := pod.Dumps[0]
	other := bytes.ReplaceAll(same, []byte(`"last_updated": "2`), []byte(`"last_updated": "3`))
	pod.Dumps = [][]byte{same, same, other}
	out, result := lines(t, lab, "dump netshoot\n! dump -changed netshoot\neventually 20s dump -changed netshoot\n",
		Options{})
	if result.Err != nil || len(out) != 3 || !strings.Contains(out[0], "Bootstrap") {
		t.Errorf("%v: %q", result.Err, out)
	}
}

// TestDumpFromFile reads a dump that lies beside the scenario, and refuses that of another pod.
func TestDumpFromFile(t *testing.T) {
	text, err := os.ReadFile("../../scenarios/dumps/netshoot.json.gz")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.json.gz"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "b.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	for line, want := range map[string]string{
		"dump netshoot from a.json.gz":      "recorded",
		"dump fortio-server from a.json.gz": "it is the dump of netshoot.mark",
		"dump netshoot from b.json":         "read config dump",
	} {
		s := Parse("t", []byte(line+"\n"))
		s.Files = os.DirFS(dir)
		result := Run(t.Context(), Lab{}, s, Options{})
		got := fmt.Sprint(result.Err)
		if result.Err == nil {
			got = result.Phases[0].Steps[0].Output
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: %s, want %s", line, got, want)
		}
	}
}

// TestLearner asks the questions of a scenario: an answer is kept, judged by what was seen, and
// changes nothing of the run.
func TestLearner(t *testing.T) {
	text, err := os.ReadFile("../../scenarios/inbound.txtar")
	if err != nil {
		t.Fatal(err)
	}
	asked := 0
	ask := func(_ context.Context, q lesson.Question) (lesson.Answer, error) {
		asked++
		given := q.Answer
		if asked == 1 {
			given = "15006" // the other sidecar's
		}
		return lesson.Answer{Question: q, Guess: given}, nil
	}
	result := Run(t.Context(), recordedLab(t, "inbound").Run(), Parse("inbound", text), Options{Ask: ask})
	if result.Err != nil || result.Verdict.Result != flow.Verified {
		t.Fatalf("%v", result.Err)
	}
	if asked < 15 || len(result.Answers) != asked {
		t.Errorf("%d questions, %d answers", asked, len(result.Answers))
	}
	right := 0
	for _, a := range result.Answers {
		if a.Question.Right(a.Guess) {
			right++
		}
		if a.Seen == "" {
			t.Errorf("%s: nothing is said of what was seen", a.Question.Subject)
		}
	}
	if right != asked-1 {
		t.Errorf("%d of %d answers are right, want all but one", right, asked)
	}
	left := errors.New("left")
	result = Run(t.Context(), recordedLab(t, "inbound").Run(), Parse("inbound", text),
		Options{Ask: func(context.Context, lesson.Question) (lesson.Answer, error) {
			return lesson.Answer{}, left
		}})
	if !errors.Is(result.Err, left) {
		t.Errorf("a learner who leaves ends the scenario with %v", result.Err)
	}
}

// took is how long a request took, which a replay does not say.
var took = regexp.MustCompile(` after [0-9.]+m?s`)

// TestReplayShowsTheRun goes through a scenario beside its bundle: what is shown of a line is
// what the run showed.
func TestReplayShowsTheRun(t *testing.T) {
	text, err := os.ReadFile("../../scenarios/inbound.txtar")
	if err != nil {
		t.Fatal(err)
	}
	scenario := Parse("inbound", text)
	ran := Run(t.Context(), recordedLab(t, "inbound").Run(), scenario, Options{})
	kept, err := bundle.Read(t.Context(), "../bundle/testdata/inbound")
	if err != nil {
		t.Fatal(err)
	}
	shown := Replay(t.Context(), scenario, Recorded{Run: kept.Run, Verdict: kept.Verdict, Dumps: kept.Dumps,
		Recording: kept.Recording}, Options{})
	if shown.Err != nil || shown.Verdict.Result != flow.Verified {
		t.Fatalf("%v", shown.Err)
	}
	outputs := map[int]string{}
	for _, phase := range ran.Phases {
		for _, step := range phase.Steps {
			outputs[step.Line] = step.Output
		}
	}
	var compared []string
	for _, phase := range shown.Phases {
		for _, step := range phase.Steps {
			name, _, _ := strings.Cut(step.Command, " ")
			if name == "observe" || name == "verify" { // the recorded run had eBPF too
				continue
			}
			compared = append(compared, name)
			if out := took.ReplaceAllString(outputs[step.Line], ""); step.Output != out {
				t.Errorf("line %d, %s:\n%s\nand in the run\n%s", step.Line, step.Command, step.Output, out)
			}
		}
	}
	for _, name := range []string{"dump", "infer", "predict", "sockets", "stats", "request"} {
		if !slices.Contains(compared, name) {
			t.Errorf("nothing is shown of %s", name)
		}
	}
}

// TestLanguageIsDocumented holds that the page of the language names every command and condition.
func TestLanguageIsDocumented(t *testing.T) {
	page := README(nil)
	for _, c := range Commands() {
		if !strings.Contains(page, c.Usage) {
			t.Errorf("%s is not in the page", c.Usage)
		}
	}
	for _, c := range Conditions() {
		if !strings.Contains(page, "["+c.Name+"]") {
			t.Errorf("[%s] is not in the page", c.Name)
		}
	}
}
