package script

import (
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/run/runtest"
)

// TestAlone takes the sidecars of all pods that a script names before the first command that
// measures or changes any, in one order.
func TestAlone(t *testing.T) {
	for script, want := range map[string]string{
		"loglevel b debug\nloglevel a debug":                         "hold a, hold b",
		"loglevel a debug\nloglevel b debug":                         "hold a, hold b",
		"stats b\nloglevel a.mark debug":                             "hold a, hold b",
		"stats b\nrequest a -> http://c:80/":                         "await a, await b, await c",
		"stats b\nrequest a/app -> 'http://c:80/?x=1'\nrestart none": "hold a, hold b, hold c",
		"show pod a": "",
		"eventually 1s loglevel b debug\nshow pod a": "hold a, hold b",
		"stats plain": "",
	} {
		t.Run(script, func(t *testing.T) {
			answer := func([]string, []byte) *mesh.Output {
				return &mesh.Output{Stderr: []byte("* Connected to c (10.0.0.1) port 80\n< HTTP/1.1 200 OK\n")}
			}
			var pods []*runtest.Pod
			for _, name := range []string{"a", "b", "c"} {
				pods = append(pods, &runtest.Pod{Ref_: name + ".mark", Dumps: [][]byte{nil}, Answer: answer})
			}
			lab := runtest.New(append(pods, &runtest.Pod{Ref_: "plain.mark"})...)
			lab.Behinds["c:80"] = mesh.Behind{Pods: []string{"c.mark"}, Port: 80}
			Run(t.Context(), lab.Run(), Parse("t", []byte(script+"\n")), Options{})
			var got []string
			for n, asked := range lab.Asked() {
				asked = strings.TrimSuffix(strings.Replace(asked, "hold levels", "hold", 1), ".mark")
				if strings.HasPrefix(asked, "hold ") || strings.HasPrefix(asked, "await ") {
					got = append(got, asked)
					first := slices.IndexFunc(lab.Asked(), func(a string) bool {
						return strings.HasPrefix(a, "level ") || strings.HasPrefix(a, "stats ")
					})
					if first >= 0 && first < n {
						t.Errorf("too late: %v", lab.Asked())
					}
				}
			}
			if strings.Join(got, ", ") != want {
				t.Errorf("%v, want %s: %v", got, want, lab.Asked())
			}
		})
	}
}

// TestAloneAsks asks the cluster for the pods that commands name, and for no other word of them.
func TestAloneAsks(t *testing.T) {
	script := `
show service c
show pod -ready b
infer -H 'x-team: red' a/app -> http://c:80/
expect route default
predict -ask 'Which one?' endpoint
apply broken.yaml
kill-connections a -> b:80 until cold
logs follow b
dump -changed a
loglevel a debug
`
	lab := runtest.New()
	asked := map[string]bool{}
	lab.Fails = func(what string) error {
		if ref, isPod := strings.CutPrefix(what, "pod "); isPod {
			asked[ref] = true
		}
		return nil
	}
	scenario := Parse("t", []byte(script))
	s := newSession(t.Context(), lab.Run(), silent{})
	defer s.Close()
	s.script = scenario.words()
	if _, err := s.alone(logLevelCommand, []string{"d", "debug"}); err != nil {
		t.Fatal(err)
	}
	if got := slices.Sorted(maps.Keys(asked)); !slices.Equal(got, []string{"a.mark", "b.mark", "d.mark"}) {
		t.Errorf("asked for %v", got)
	}
}

// TestNames holds that each command whose usage names a pod, or what is called, says where.
func TestNames(t *testing.T) {
	pods := regexp.MustCompile(`\b(POD|URL|SERVER|show pod)\b`)
	for _, c := range commands {
		if pods.MatchString(c.Usage) != (c.names != nil) {
			t.Errorf("%s: names are given: %t", c.Usage, c.names != nil)
		}
	}
}
