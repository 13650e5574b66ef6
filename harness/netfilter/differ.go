package netfilter

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// A Difference is one line that only one of two texts of rules has.
type Difference struct {
	Place string // table, as "nat", or "nft"
	Text  string // the line as iptables-save prints it, or the element of nft's JSON
	Added bool   // the second text has it, and the first has not
}

// Differ compares two texts of the forms that Parse reads by what they have netfilter do. Counters,
// comments and handles do not count, and neither do elements of sets that packets themselves add.
// The order of rules counts: where the lines are the same in another order, the first that is
// elsewhere is told as added. An error says which text cannot be read.
func Differ(before, after string) ([]Difference, error) {
	was, err := lines(before)
	if err != nil {
		return nil, fmt.Errorf("compare netfilter rules: before: %w", err)
	}
	is, err := lines(after)
	if err != nil {
		return nil, fmt.Errorf("compare netfilter rules: after: %w", err)
	}
	var all []Difference
	count := map[Difference]int{}
	for _, l := range was {
		count[l]--
	}
	for _, l := range is {
		if count[l]++; count[l] > 0 {
			all = append(all, Difference{l.Place, l.Text, true})
		}
	}
	for _, l := range was {
		if count[l] < 0 {
			count[l]++
			all = append(all, Difference{l.Place, l.Text, false})
		}
	}
	if len(all) > 0 {
		return all, nil
	}
	for i := range is {
		if was[i] != is[i] {
			return []Difference{{is[i].Place, is[i].Text, true}}, nil
		}
	}
	return nil, nil
}

// lines are what counts of a text, in its order; Added is never set.
func lines(text string) (all []Difference, err error) {
	if len(text) > maxRules {
		return nil, fmt.Errorf("the text is longer than %d MiB", maxRules>>20)
	}
	place := ""
	for len(text) > 0 {
		if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "{") {
			listed, err := elements(trimmed)
			return append(all, listed...), err
		}
		var line string
		line, text, _ = strings.Cut(text, "\n")
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line == "COMMIT":
			continue
		case line[0] == '*':
			place = line[1:]
		case line[0] == ':': // :PREROUTING ACCEPT [0:0]
			line, _, _ = strings.Cut(line, " [")
		case line[0] == '[': // [0:0] -A PREROUTING …
			if _, rule, ok := strings.Cut(line, "] "); ok {
				line = rule
			}
		}
		all = append(all, Difference{Place: place, Text: line})
	}
	return all, nil
}

// elements are those of `nft -j list ruleset`, without what changes by itself.
func elements(text string) ([]Difference, error) {
	var listing struct {
		Elements []map[string]any `json:"nftables"`
	}
	if err := json.Unmarshal([]byte(text), &listing); err != nil {
		return nil, fmt.Errorf("nft's JSON: %w", err)
	}
	var all []Difference
	for _, e := range listing.Elements {
		if e["metainfo"] != nil {
			continue
		}
		still(e)
		plain, err := json.Marshal(e) // maps in the order of their keys
		if err != nil {
			return nil, err
		}
		all = append(all, Difference{Place: "nft", Text: string(plain)})
	}
	return all, nil
}

// counted are the fields of nft's statements and objects that the kernel writes: what `nft
// --stateless` leaves out.
var counted = map[string][]string{
	"counter": {"packets", "bytes"}, "quota": {"used", "used_unit"}, "last": {"used"},
}

// still takes out of an element what the kernel counts, and what packets add.
func still(value any) {
	switch v := value.(type) {
	case map[string]any:
		delete(v, "handle")
		for statement, counts := range counted {
			if fields, ok := v[statement].(map[string]any); ok {
				for _, field := range counts {
					delete(fields, field)
				}
			}
		}
		if flags, ok := v["flags"].([]any); ok && (slices.Contains(flags, any("dynamic")) ||
			slices.Contains(flags, any("timeout"))) {
			delete(v, "elem")
		}
		for _, field := range v {
			still(field)
		}
	case []any:
		for _, field := range v {
			still(field)
		}
	}
}
