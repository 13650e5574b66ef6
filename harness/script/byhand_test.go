package script

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// TestByHand is the table of what a person types for a line.
func TestByHand(t *testing.T) {
	for line, want := range map[string]string{
		"apply policy.yaml": "kubectl apply -f policy.yaml",
		"dump netshoot": "kubectl exec netshoot -n mark -c istio-proxy -- curl -s " +
			"'localhost:15000/config_dump?include_eds'",
		"eventually 30s dump -changed web.shop": "kubectl exec web -n shop -c istio-proxy -- curl -s " +
			"'localhost:15000/config_dump?include_eds'",
		"loglevel netshoot debug": "kubectl exec netshoot -n mark -c istio-proxy -- curl -s -XPOST " +
			"'localhost:15000/logging?level=debug'",
		"logs follow netshoot": "kubectl logs -f netshoot -n mark -c istio-proxy",
		"restart netshoot": "kubectl exec netshoot -n mark -c istio-proxy -- curl -s -XPOST " +
			"localhost:15000/quitquitquit",
		"show pod netshoot": "kubectl get pod netshoot -n mark -o wide",
		"show service web.shop": "kubectl get service web -n shop\nkubectl get endpointslices -n shop -l " +
			"kubernetes.io/service-name=web",
		"sockets netshoot -> web:80": "kubectl exec netshoot -n mark -c istio-proxy -- ss -tanp",
		"stats netshoot web": "kubectl exec netshoot -n mark -c istio-proxy -- curl -s " +
			"'localhost:15000/stats?usedonly'\n" +
			"kubectl exec web -n mark -c istio-proxy -- curl -s 'localhost:15000/stats?usedonly'",
		"request -H 'a: it''s' netshoot/app -> 'http://web/?a=1&b=2'": `kubectl exec netshoot -n mark -c app -- curl ` +
			`-sv -H 'a: it'\''s' 'http://web/?a=1&b=2'`,
		"infer netshoot -> http://web/": "istioctl proxy-config listeners netshoot.mark\nistioctl proxy-config " +
			"routes netshoot.mark\n" +
			"istioctl proxy-config clusters netshoot.mark\nistioctl proxy-config endpoints netshoot.mark",
		"kill-connections netshoot -> web:8080 until cold": "kubectl exec netshoot -n mark -- ss -K dst " +
			`"$(kubectl get pod web -n mark -o jsonpath={.status.podIP})" dport = :8080`,
		"infer web/istio-proxy -> http://web/": "", // it goes past its sidecar
		"dump netshoot from dumps/a.json":      "", // a recorded one: there is nothing to type
		"verify":                               "",
		"observe":                              "",
		"request netshoot":                     "", // no whole line
		"loglevel netshoot":                    "",
		"kill-connections netshoot":            "",
		"nothing at all":                       "",
	} {
		if got := strings.Join(ByHand("mark", splitWords(line)), "\n"); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", line, got, want)
		}
	}
}

// TestScenariosByHand holds that every line of the book's chapters that asks the cluster for
// something can be typed.
func TestScenariosByHand(t *testing.T) {
	files, err := filepath.Glob("../../scenarios/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, phase := range Parse(filepath.Base(file), text).Phases() {
			for _, line := range phase.Lines {
				c, args := commandOf(line.Words), line.Words[1:]
				asks := c != nil && !same(c.hand, nothingTyped) && (c.offline == nil || !c.offline(args))
				if asks && len(ByHand("mark", line.Words)) == 0 {
					t.Errorf("%s:%d: nothing is to be typed for %s", file, line.Number, line.Text)
				}
			}
		}
	}
}

// TestCommandsSayAllOfThemselves holds that no command leaves out what a person types in its place,
// and what a recorded run has of it: that there is nothing is said by name.
func TestCommandsSayAllOfThemselves(t *testing.T) {
	for _, c := range commands {
		if c.hand == nil {
			t.Errorf("%s does not say what is typed in its place: hand, or nothingTyped", c.Name)
		}
		if c.replay == nil {
			t.Errorf("%s does not say what a recorded run has of it: replay, or nothingRecorded", c.Name)
		}
		if c.touches != nothing && same(c.hand, nothingTyped) && !slices.Contains(manyHands, c.Name) {
			t.Errorf("%s asks the cluster for something, and nothing is to be typed in its place", c.Name)
		}
	}
}

// manyHands are the commands that ask the cluster for something that no line for a shell does.
var manyHands = []string{"control", "outside", "pool-connections", "task"}

func same(a, b hand) bool { return reflect.ValueOf(a).Pointer() == reflect.ValueOf(b).Pointer() }

// TestWords is how a line is split: as testscript does.
func TestWords(t *testing.T) {
	for line, want := range map[string][]string{
		"a b\tc":          {"a", "b", "c"},
		"a 'b c' d":       {"a", "b c", "d"},
		"a 'it''s'":       {"a", "it's"},
		"a b'c d'e":       {"a", "bc de"},
		"a # b":           {"a"},
		"a '#' b":         {"a", "#", "b"},
		"a ''":            {"a", ""},
		"":                nil,
		"a $VARIABLE 'b'": {"a", "$VARIABLE", "b"},
	} {
		if got := splitWords(line); !slices.Equal(got, want) {
			t.Errorf("%q is %q, want %q", line, got, want)
		}
	}
}

// TestWhatAScenarioChanges reads what a scenario would touch before it is run.
func TestWhatAScenarioChanges(t *testing.T) {
	s := Parse("t", []byte(`# One.
apply a.yaml
loglevel netshoot debug
[bpf] restart netshoot
loglevel netshoot debug
exec kubectl get pods
? exec curl http://web/
verify
-- a.yaml --
`))
	var changes []string
	for _, touch := range s.Changes() {
		changes = append(changes, string(touch.Kind)+": "+touch.What)
	}
	if want := "objects: apply a.yaml, log-level: loglevel netshoot debug, restart: restart netshoot"; strings.Join(
		changes, ", ") != want {
		t.Errorf("it changes %q, want %s", changes, want)
	}
	if want := []string{"kubectl get pods", "curl http://web/"}; !slices.Equal(s.Programs(), want) {
		t.Errorf("it runs %q, want %q", s.Programs(), want)
	}
}

// TestQuestions says by what key a predict line is found in a file of sentences.
func TestQuestions(t *testing.T) {
	s := Parse("t", []byte("# One.\npredict client/route\npredict -lost server/filter-chain\npredict -ask 'What?' "+
		"client/redirect redirect.port\n"+
		"predict\npredict -x client/route\nverify\n"))
	var keys []string
	for _, line := range s.Phases()[0].Lines {
		if key, ok := line.Question(); ok {
			keys = append(keys, key)
		}
	}
	if want := "client/route, -lost server/filter-chain, client/redirect redirect.port"; strings.Join(keys,
		", ") != want {
		t.Errorf("%q, want %s", keys, want)
	}
}
