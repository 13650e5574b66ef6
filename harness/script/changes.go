package script

import (
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// Changes are the kinds of things that a scenario changes in the cluster, as its commands say,
// with the first command of each. A line under a condition counts too. Programs that it runs
// (exec) are not looked into.
func (s *Scenario) Changes() []flow.Touch {
	var all []flow.Touch
	for _, words := range s.words() {
		c := commandOf(words)
		if c == nil || c.changes == "" || slices.ContainsFunc(all, func(t flow.Touch) bool {
			return t.Kind == c.changes && t.What == strings.Join(words, " ")
		}) {
			continue
		}
		all = append(all, flow.Touch{Kind: c.changes, What: strings.Join(words, " ")})
	}
	return all
}

// Programs are the command lines of programs that a scenario runs itself.
func (s *Scenario) Programs() []string {
	var all []string
	for _, words := range s.words() {
		if words[0] == "exec" && len(words) > 1 {
			all = append(all, strings.Join(words[1:], " "))
		}
	}
	return all
}
