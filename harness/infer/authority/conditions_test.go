package authority

import (
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/infer"
)

// saysItself begins the conditions whose text has the value that was compared, or
// that compare none.
var saysItself = []string{"RBAC policy p: the policy's CEL condition", "x-", "input "}

// TestConditionsHaveValues holds that each condition that --explain shows, of all rules, says the
// value that was compared, or what it depends on.
func TestConditionsHaveValues(t *testing.T) {
	const base = 20000
	c := config{clusters: append(stubbed("a", "b", "c", "d"), "{name: none, type: STATIC}")}
	rules := slices.Concat(httpRules, filterRules, clientRules, moreRules, matcherRules, stateRules,
		kindRules, celRules())
	for i, r := range rules {
		c.listeners = append(c.listeners, httpListener(base+i, r.hcm, r.routes))
	}
	engine := infer.New(c.dump(t))
	told := map[string]bool{}
	for i, r := range rules {
		for _, text := range r.requests {
			d, err := engine.DecideWith(shorthand(text, base+i), infer.Options{Explain: true})
			if err != nil {
				t.Fatal(err)
			}
			for _, h := range d.Hops {
				for _, c := range h.Conditions {
					bare := c.Value == "" && c.Depends == "" && !strings.ContainsAny(c.Text, `"`)
					if bare && !slices.ContainsFunc(saysItself, func(s string) bool {
						return strings.HasPrefix(c.Text, s)
					}) && !told[c.Text] {
						told[c.Text] = true
						t.Errorf("%s: %s: %s has no value", r.name, h.Kind, c.Text)
					}
				}
			}
		}
	}
}
