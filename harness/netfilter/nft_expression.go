package netfilter

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

// A builder collects what the expressions of one rule come to.
type builder struct {
	table    *table
	rule     rule
	variants []rule // of a map: what it adds for each element
	words    []string
}

func (b *builder) say(format string, args ...any) {
	b.words = append(b.words, fmt.Sprintf(format, args...))
}

// text is the rule in nft's words, at a length that a person reads.
func (b *builder) text() string { return listed(strings.Join(b.words, " ")).shown() }

// expression reads one match or statement: libnftables-json(5), "Statements".
func (b *builder) expression(kind string, body any) error {
	switch kind {
	case "match":
		return b.match(body)
	case "vmap":
		return b.verdictMap(body)
	case "accept", "drop", "return", "reject", "queue":
		b.say("%s", kind)
		b.verdict(strings.ToUpper(kind))
	case "jump", "goto":
		target := text(get(body, "target"))
		b.say("%s %s", kind, target)
		b.verdict(target)
		b.rule.away = kind == "goto"
	case "redirect", "tproxy", "dnat":
		return b.translate(kind, body)
	case "mangle":
		b.mangle(body)
	case "notrack":
		b.say("notrack")
		b.rule.untrack = true
	case "xt":
		return b.compat(body)
	case "counter", "log", "continue", "snat", "masquerade", "ct helper", "ct timeout", "comment":
	default: // limit, quota, and what is not known: the rule holds for a part of the packets only, or it cannot be said
		b.say("%s", kind)
		b.rule.tests = append(b.rule.tests, depending(kind))
	}
	return nil
}

// verdict keeps the first target: what follows tproxy is only what happens to the packet then.
func (b *builder) verdict(target string) {
	if b.rule.target == "" {
		b.rule.target = target
	}
}

// depending is a test of more than the packet: its rule is not followed.
func depending(on string) test { return test{name: on, value: listed("")} }

// compat reads an extension of iptables, of which nft prints the name alone.
func (b *builder) compat(body any) error {
	kind, name := text(get(body, "type")), text(get(body, "name"))
	switch {
	case kind == "match" && slices.Contains([]string{"comment", "tcp", "udp"}, name),
		kind == "target" && slices.Contains([]string{"LOG", "NFLOG", "MASQUERADE", "SNAT", "TRACE"}, name):
		b.say("xt %s %s", kind, name)
		return nil
	}
	return errXT
}

// mangle reads a statement that sets something: only the packet's own mark is
// tested by other rules.
func (b *builder) mangle(body any) {
	key := get(body, "key")
	value := get(body, "value")
	b.say("%s set %s", leftText(key), leftText(value))
	if text(get(key, "meta", "key")) != "mark" {
		return
	}
	if of, ok := value.(map[string]any); ok && get(of, "ct") != nil { // of the connection, which is new
		value = 0.0
	}
	if n, ok := value.(float64); ok {
		mark := uint32(n)
		b.rule.mark = &mark
	}
}

// translate reads redirect, tproxy and dnat, whose address or port may come from a map.
func (b *builder) translate(kind string, body any) error {
	b.say("%s", kind)
	b.verdict(strings.ToUpper(kind))
	addr, port := get(body, "addr"), get(body, "port")
	for _, field := range []any{addr, port} {
		if m := get(field, "map"); m != nil {
			b.say("to %s map", leftText(get(m, "key")))
			return b.mapped(m, func(v any) (r rule, err error) {
				r = rule{target: strings.ToUpper(kind)}
				if get(addr, "map") != nil {
					err = r.destination(v, port)
				} else {
					err = r.destination(addr, v)
				}
				return r, err
			})
		}
	}
	if err := b.rule.destination(addr, port); err != nil {
		return err
	}
	if b.rule.to.IsValid() {
		b.say("to %s", b.rule.to)
	}
	if b.rule.port != 0 {
		b.say("to :%d", b.rule.port)
	}
	return nil
}

// destination reads an address and a port; the first of a range counts.
func (r *rule) destination(addr, port any) error {
	if both, ok := get(addr, "concat").([]any); ok && len(both) == 2 {
		addr, port = both[0], both[1]
	}
	for _, v := range []*any{&addr, &port} {
		if ends, ok := get(*v, "range").([]any); ok && len(ends) == 2 {
			*v = ends[0]
		}
	}
	if addr != nil {
		to, err := netip.ParseAddr(text(addr))
		if err != nil {
			return fmt.Errorf("%.60q is no address", text(addr))
		}
		if !to.IsUnspecified() {
			r.to = to
		}
	}
	if port != nil {
		n, ok := port.(float64)
		if !ok || n < 1 || n > 65535 {
			return fmt.Errorf("port %.60q is no number", text(port))
		}
		r.port = uint16(n)
	}
	return nil
}

// verdictMap reads a verdict map: a rule for each element.
func (b *builder) verdictMap(body any) error {
	b.say("%s vmap", leftText(get(body, "key")))
	return b.mapped(body, func(v any) (rule, error) {
		inner := builder{table: b.table}
		verdict, ok := v.(map[string]any)
		if !ok {
			return rule{}, fmt.Errorf("%.60q is no verdict", text(v))
		}
		for kind, body := range verdict {
			if err := inner.expression(kind, body); err != nil {
				return rule{}, err
			}
		}
		return inner.rule, nil
	})
}

// mapped makes a variant of the rule for each element of a map. The catch-all element is the last.
func (b *builder) mapped(m any, then func(value any) (rule, error)) error {
	pairs, name := b.elements(get(m, "data"))
	if pairs == nil {
		b.rule.tests = append(b.rule.tests, depending("map "+name))
		return nil
	}
	b.variants = []rule{}
	var last []rule
	for _, p := range pairs {
		pair, ok := p.([]any)
		if !ok || len(pair) != 2 {
			return fmt.Errorf("an element of map %.60q is no pair", name)
		}
		r, err := then(pair[1])
		if err != nil {
			return err
		}
		if key := value(pair[0]); key == "*" {
			last = append(last, r)
			continue
		}
		if r.tests, err = b.tests("==", get(m, "key"), map[string]any{"set": []any{pair[0]}}); err != nil {
			return err
		}
		b.variants = append(b.variants, r)
	}
	b.variants = append(b.variants, last...)
	return nil
}

// elements returns the elements of a set or map that stands in the rule or is named; nil
// where none has the name.
func (b *builder) elements(v any) (all []any, name string) {
	if here, ok := get(v, "set").([]any); ok {
		return here, "in the rule"
	}
	name, ok := strings.CutPrefix(text(v), "@")
	if !ok {
		return nil, text(v)
	}
	elements, known := b.table.sets[name]
	if !known {
		return nil, "@" + name
	}
	return append([]any{}, elements...), "@" + name
}
