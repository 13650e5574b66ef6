// Package netfilter reads the kernel's own account of a redirection: the counters of a pod's
// REDIRECT rules before and after one request, and the entry that connection tracking made of it.
// The kernel counts in its nat table only the first packet of a connection, so a rule that went up
// by one took one connection. It reads no configuration of Istio's or Envoy's.
package netfilter

import (
	"bufio"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// Bounds on what is read, so that hostile output cannot fill the memory.
const (
	maxLine    = 16 << 10
	maxRules   = 1 << 16
	maxEntries = 1 << 20
)

// A Rule is one rule of the nat table with its counters.
type Rule struct {
	Chain   string
	Spec    string // everything behind the chain: "-p tcp -j REDIRECT --to-ports 15006"
	Target  string // REDIRECT, RETURN, or the chain that it jumps to
	Port    uint16 // of REDIRECT; 0: none or a range
	Packets uint64
}

// String is the rule as iptables-save prints it, without counters.
func (r Rule) String() string { return "-A " + r.Chain + " " + r.Spec }

// ParseRules reads the nat table in the output of `iptables-save -c`, up to where the JSON of nft
// begins. An error names the line. Output without a nat table has no rules, and no error: nothing
// is redirected there.
func ParseRules(r io.Reader) ([]Rule, error) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 0, 4096), maxLine)
	var rules []Rule
	table, number := "", 0
	for scanner.Scan() {
		number++
		text := strings.TrimSpace(scanner.Text())
		switch {
		case text == "" || text[0] == '#' || text[0] == ':' || text == "COMMIT":
			continue
		case text[0] == '{': // JSON of nft, which counts where a rule was told to
			return rules, nil
		case text[0] == '*':
			table = text[1:]
			continue
		case table == "":
			return nil, fmt.Errorf("read rules: line %d: a rule outside of a table (give the output of iptables-save "+
				"-c)", number)
		case table != "nat":
			continue
		}
		rule, problem := parseRule(text)
		if problem != "" {
			return nil, fmt.Errorf("read rules: line %d: %s", number, problem)
		}
		if rules = append(rules, rule); len(rules) > maxRules {
			return nil, fmt.Errorf("read rules: line %d: more than %d rules", number, maxRules)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("read rules: after line %d: %w", number, err)
	}
	return rules, nil
}

// parseRule reads "[packets:bytes] -A CHAIN … -j TARGET …".
func parseRule(text string) (rule Rule, problem string) {
	counters, rest, ok := strings.Cut(text, "] ")
	packets, bytes, colon := strings.Cut(strings.TrimPrefix(counters, "["), ":")
	if !ok || !colon || counters[0] != '[' {
		return Rule{}, "a rule without counters (give the output of iptables-save -c)"
	}
	var err error
	if rule.Packets, err = strconv.ParseUint(packets, 10, 64); err != nil {
		return Rule{}, fmt.Sprintf("%q is no number of packets", packets)
	}
	if _, err = strconv.ParseUint(bytes, 10, 64); err != nil {
		return Rule{}, fmt.Sprintf("%q is no number of bytes", bytes)
	}
	rest, ok = strings.CutPrefix(rest, "-A ")
	rule.Chain, rule.Spec, _ = strings.Cut(rest, " ")
	if !ok || rule.Chain == "" {
		return Rule{}, "a rule that is not -A CHAIN"
	}
	words := strings.Fields(rule.Spec)
	for i, word := range words[:max(0, len(words)-1)] {
		switch word {
		case "-j", "-g", "--jump", "--goto":
			rule.Target = words[i+1]
		case "--to-ports", "--to-port":
			if port, err := strconv.ParseUint(words[i+1], 10, 16); err == nil {
				rule.Port = uint16(port)
			}
		}
	}
	return rule, ""
}

// redirects reports whether the rule redirects to a port that is told.
func (r Rule) redirects() bool { return r.Target == "REDIRECT" && r.Port != 0 }

// A table is the nat table before and after the request.
type table struct {
	rules  []Rule   // as after the request
	deltas []uint64 // by how many connections each rule went up
	hooks  map[string]map[string]bool
}

// compare sets two tables against each other. They must have the same rules, none of which
// counts less than before.
func compare(before, after []Rule) (table, string) {
	t := table{rules: after, deltas: make([]uint64, len(after)), hooks: map[string]map[string]bool{}}
	if len(before) != len(after) {
		return t, fmt.Sprintf("the rules were changed: %d before, %d after", len(before), len(after))
	}
	for i, now := range after {
		was := before[i]
		switch {
		case was.String() != now.String():
			return t, fmt.Sprintf("the rules were changed: %q before, %q after", was, now)
		case now.Packets < was.Packets:
			return t, fmt.Sprintf("the counters were reset: %q had %d, now %d", now, was.Packets, now.Packets)
		}
		t.deltas[i] = now.Packets - was.Packets
	}
	for _, hook := range []string{prerouting, output} {
		t.reach(hook, hook)
	}
	return t, ""
}

// reach notes that a connection can come from the hook into the chain, and where it
// can jump from there.
func (t *table) reach(hook, chain string) {
	if t.hooks[chain][hook] {
		return
	}
	if t.hooks[chain] == nil {
		t.hooks[chain] = map[string]bool{}
	}
	t.hooks[chain][hook] = true
	for _, r := range t.rules {
		if r.Chain == chain && r.Target != "" {
			t.reach(hook, r.Target)
		}
	}
}

// own reports whether connections come into the chain from the hook alone.
func (t *table) own(hook, chain string) bool { return len(t.hooks[chain]) == 1 && t.hooks[chain][hook] }

// redirected returns, by the index of the REDIRECT rule, how many connections of the hook it took.
// Where connections of both hooks come into its chain, the rules that jump there from the hook's
// own chains are counted instead. sure is false where they cannot be told apart.
func (t *table) redirected(hook string) (taken map[int]uint64, sure bool) {
	taken, sure = map[int]uint64{}, true
	for i, r := range t.rules {
		if !r.redirects() || !t.hooks[r.Chain][hook] || t.deltas[i] == 0 {
			continue
		}
		if t.own(hook, r.Chain) {
			taken[i] += t.deltas[i]
			continue
		}
		jumps, all := t.jumps(hook, r.Chain)
		if all != t.deltas[i] {
			sure = false // another rule of the chain took some of them
		}
		if jumps > 0 {
			taken[i] += jumps
		}
	}
	return taken, sure
}

// redirects reports whether any rule of the hook redirects.
func (t *table) redirects(hook string) bool {
	return slices.ContainsFunc(t.rules, func(r Rule) bool { return r.redirects() && t.hooks[r.Chain][hook] })
}

// jumps returns how many connections jumped into a chain from the hook's own chains, and from all.
func (t *table) jumps(hook, chain string) (own, all uint64) {
	for i, r := range t.rules {
		if r.Target != chain {
			continue
		}
		all += t.deltas[i]
		if t.own(hook, r.Chain) {
			own += t.deltas[i]
		}
	}
	return own, all
}
