package netfilter

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// matches maps what a match looks at to the option of iptables that tests the same.
var matches = map[string]string{
	"meta l4proto": "-p", "ip protocol": "-p", "ip6 nexthdr": "-p", "ip saddr": "-s", "ip6 saddr": "-s",
	"ip daddr": "-d", "ip6 daddr": "-d",
	"tcp dport": "--dport", "udp dport": "--dport", "th dport": "--dport", "tcp sport": "--sport",
	"udp sport": "--sport", "th sport": "--sport",
	"meta skuid": "--uid-owner", "meta skgid": "--gid-owner", "meta iifname": "-i", "meta oifname": "-o",
	"meta iif": "-i", "meta oif": "-o",
	"ct state": "--ctstate", "ct direction": "--ctdir", "meta nfproto": "--family", "meta mark": "--mark",
	"ct mark":            "--connmark",
	"socket transparent": "--socket", "socket mark": "--socket", "fib daddr type": "--dst-type",
	"ct ip daddr original": "-d", "ct ip saddr original": "-s", "ct proto-dst original": "--dport",
	"ct l3proto": "--family",
}

// match reads "left op right": libnftables-json(5), "match".
func (b *builder) match(body any) error {
	op, left, right := text(get(body, "op")), get(body, "left"), get(body, "right")
	b.say("%s", leftText(left))
	if op != "==" && op != "in" {
		b.say("%s", op)
	}
	b.say("%s", listed(rightText(right)).shown())
	tests, err := b.tests(op, left, right)
	b.rule.tests = append(b.rule.tests, tests...)
	return err
}

// tests are the conditions that a match comes to.
func (b *builder) tests(op string, left, right any) ([]test, error) {
	negate := op == "!="
	if fields, ok := get(left, "concat").([]any); ok {
		return b.concatenated(fields, right, negate)
	}
	var mask any
	if masked, ok := get(left, "&").([]any); ok && len(masked) == 2 {
		left, mask = masked[0], masked[1]
	}
	field := leftText(left)
	if field == "tcp flags" {
		return flagTests(op, mask, right), nil
	}
	compared := b.compared(right)
	switch {
	case compared == nil:
		return []test{depending("set " + text(right))}, nil
	case op == "==" || op == "!=" || op == "in":
	case ordered(op, compared.text) != "":
		compared = listed(ordered(op, compared.text))
	default:
		return []test{depending(field + " " + op)}, nil
	}
	option, ok := matches[field]
	if !ok {
		option = field
	}
	if mask != nil {
		if option != "--mark" && option != "--connmark" {
			return []test{depending(field + " &")}, nil
		}
		compared = listed(compared.text + "/" + value(mask))
	}
	return append(implied(field), test{name: option, value: compared, negate: negate}), nil
}

// compared are the values on the right of a match; nil where they are a set that the table does not
// have. Those of a named set are made once, for all rules that name it.
func (b *builder) compared(right any) *values {
	name, named := strings.CutPrefix(text(right), "@")
	if named && b.table.lists[name] != nil {
		return b.table.lists[name]
	}
	elements := []any{right}
	if several := list(get(right, "set")); several != nil {
		elements = several
	} else if several := list(right); several != nil {
		elements = several
	}
	if named {
		set, known := b.table.sets[name]
		if !known {
			return nil
		}
		elements = set
	}
	words := make([]string, 0, len(elements))
	for _, e := range elements {
		words = append(words, value(e))
	}
	v := listed(strings.Join(words, ","))
	if named {
		b.table.lists[name] = v
	}
	return v
}

// implied are the conditions that come with a field: nft adds them itself and does not print them.
func implied(field string) []test {
	of, _, _ := strings.Cut(field, " ")
	switch of {
	case "tcp", "udp":
		return []test{{name: "-p", value: listed(of)}}
	case "ip":
		return []test{{name: "--family", value: listed("ipv4")}}
	case "ip6":
		return []test{{name: "--family", value: listed("ipv6")}}
	}
	return nil
}

// maxCells bounds what fields side by side are compared with, over all rules of a table.
const maxCells = 1 << 18

// concatenated reads fields side by side: one element has to hold in all of them.
func (b *builder) concatenated(fields []any, right any, negate bool) ([]test, error) {
	elements, name := b.elements(right)
	if elements == nil {
		return []test{depending("set " + name)}, nil
	}
	var all []test
	t := test{name: "concatenation", value: listed(rightText(right)), negate: negate, any: [][]test{}}
	for i, f := range fields {
		all = append(all, implied(leftText(f))...)
		if b.table.cells += len(elements); b.table.cells > maxCells {
			return nil, fmt.Errorf("sets of several fields have more than %d elements in all rules together", maxCells)
		}
		for n, e := range elements {
			parts, ok := get(unwrapped(e), "concat").([]any)
			if !ok || len(parts) != len(fields) {
				return nil, fmt.Errorf("an element of set %.60q has not %d parts", name, len(fields))
			}
			tests, err := b.tests("==", f, map[string]any{"set": []any{parts[i]}})
			if err != nil {
				return nil, err
			}
			if i == 0 {
				t.any = append(t.any, nil)
			}
			t.any[n] = append(t.any[n], tests...)
		}
	}
	return append(all, t), nil
}

// flagTests reads what a rule wants of the flags of TCP, into the words of iptables: those to look
// at, and those of them that are to be set. With "in", one of the named flags is enough; with "!"
// none of them may be set; with "==" and no mask they are to be the only ones.
func flagTests(op string, mask, right any) []test {
	tests := implied("tcp flags")
	if get(right, "set") != nil || strings.HasPrefix(text(right), "@") {
		return append(tests, depending("tcp flags"))
	}
	looked, set, negate := "0xff", flagText(right), op == "!="
	switch {
	case mask != nil:
		looked = flagText(mask)
	case op == "in":
		looked, set, negate = set, "NONE", true
	case op == "!":
		looked, set = set, "NONE"
	}
	return append(tests, test{name: "--tcp-flags", value: listed(looked + " " + set), negate: negate})
}

// flagText reads a flag, a list of them, or flags joined by "|"; no flag is a number.
func flagText(v any) string {
	if joined, ok := get(v, "|").([]any); ok {
		v = joined
	}
	words := texts(v)
	if len(words) == 0 {
		return value(v)
	}
	return strings.Join(words, ",")
}

// ordered makes a range of a comparison with a number; "" is none.
func ordered(op, text string) string {
	if !slices.Contains([]string{"<", "<=", ">", ">="}, op) {
		return ""
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return ""
	}
	switch op {
	case "<":
		return fmt.Sprintf("0-%d", n-1)
	case "<=":
		return fmt.Sprintf("0-%d", n)
	case ">":
		return fmt.Sprintf("%d-%d", n+1, int64(math.MaxUint32))
	}
	return fmt.Sprintf("%d-%d", n, int64(math.MaxUint32))
}

// leftText names what an expression looks at: "tcp dport", "meta mark", "fib daddr type".
func leftText(v any) string {
	of, ok := v.(map[string]any)
	if !ok {
		return value(v)
	}
	for kind, body := range of {
		switch kind {
		case "payload":
			return strings.TrimSpace(text(get(body, "protocol")) + " " + text(get(body, "field")))
		case "meta", "socket", "rt":
			return kind + " " + text(get(body, "key"))
		case "ct":
			return strings.TrimSpace("ct " + text(get(body, "key")) + " " + text(get(body, "dir")))
		case "fib":
			return "fib " + strings.Join(texts(get(body, "flags")), " . ") + " " + text(get(body, "result"))
		case "concat", "&":
			var parts []string
			for _, p := range list(body) {
				parts = append(parts, leftText(p))
			}
			return strings.Join(parts, map[string]string{"concat": " . ", "&": " & "}[kind])
		}
		return kind
	}
	return "nothing"
}

// rightText shows what a match compares with.
func rightText(v any) string {
	if elements := list(get(v, "set")); elements != nil {
		var all []string
		for _, e := range elements {
			all = append(all, value(e))
		}
		return "{ " + strings.Join(all, ", ") + " }"
	}
	if several := list(v); several != nil {
		return strings.Join(texts(v), ",")
	}
	return value(v)
}

// value is one element in the words of iptables: a word, a number, a range or a prefix.
func value(v any) string {
	v = unwrapped(v)
	if ends := list(get(v, "range")); len(ends) == 2 {
		return value(ends[0]) + "-" + value(ends[1])
	}
	if p := get(v, "prefix"); p != nil {
		return text(get(p, "addr")) + "/" + text(get(p, "len"))
	}
	if parts := list(get(v, "concat")); parts != nil {
		var all []string
		for _, p := range parts {
			all = append(all, value(p))
		}
		return strings.Join(all, " . ")
	}
	return text(v)
}

// unwrapped is an element without its comment, timeout and counter.
func unwrapped(v any) any {
	if inner := get(v, "elem", "val"); inner != nil {
		return inner
	}
	return v
}

// get follows keys into nested objects; nil where one is missing.
func get(v any, keys ...string) any {
	for _, k := range keys {
		of, ok := v.(map[string]any)
		if !ok {
			return nil
		}
		v = of[k]
	}
	return v
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}

// text shows a word or a number; anything else is "".
func text(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case bool:
		return strconv.FormatBool(v)
	}
	return ""
}

// texts are the words of a list, or the one word that stands in its place.
func texts(v any) []string {
	if s, ok := v.(string); ok {
		return []string{s}
	}
	var all []string
	for _, e := range list(v) {
		if t := text(e); t != "" && !slices.Contains(all, t) {
			all = append(all, t)
		}
	}
	return all
}
