package infer

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// value reads what a match compares with: a word, a range, a set, and whether it is negated.
func (r *nftReader) value() (value string, negate bool, err error) {
	for r.pos < len(r.tokens) && r.tokens[r.pos].kind == nftWord && (r.tokens[r.pos].text == "!=" || r.tokens[r.pos].text == "==") {
		negate = r.tokens[r.pos].text == "!="
		r.pos++
	}
	if r.pos >= len(r.tokens) {
		return "", false, errNFTEnd
	}
	switch t := r.tokens[r.pos]; {
	case t.kind == nftBrace && t.text == "{":
		value, err = r.list()
		return value, negate, err
	case t.kind == nftWord || t.kind == nftQuoted:
		r.pos++
		if !r.at(",") {
			return t.text, negate, nil
		}
		all := []string{t.text}
		for r.is(",") { // "established,related"
			word := r.next()
			if word == "" {
				return "", false, errors.New("a value is expected after a comma")
			}
			all = append(all, word)
		}
		return strings.Join(all, ","), negate, nil
	}
	return "", false, errors.New("a value is expected")
}

// next consumes a word; "" at the end of a statement.
func (r *nftReader) next() string {
	if r.pos < len(r.tokens) && (r.tokens[r.pos].kind == nftWord || r.tokens[r.pos].kind == nftQuoted) {
		r.pos++
		return r.tokens[r.pos-1].text
	}
	return ""
}

// peek returns the next word without consuming it.
func (r *nftReader) peek() string {
	if r.pos < len(r.tokens) && r.tokens[r.pos].kind != nftEnd {
		return r.tokens[r.pos].text
	}
	return ""
}

// rule reads matches and statements up to the end of the line.
func (r *nftReader) rule() (rule, error) {
	var parsed rule
	for r.pos < len(r.tokens) && r.tokens[r.pos].kind != nftEnd && !r.at("}") {
		before := r.pos
		if err := r.expression(&parsed); err != nil {
			return parsed, err
		}
		if r.pos == before {
			return parsed, fmt.Errorf("%.60q is not expected here", r.tokens[r.pos].text)
		}
	}
	return parsed, nil
}

// nftMatches maps the two words of a match to the option of iptables that tests the same.
var nftMatches = map[string]string{
	"meta l4proto": "-p", "ip protocol": "-p", "ip6 nexthdr": "-p", "ip saddr": "-s", "ip6 saddr": "-s", "ip daddr": "-d", "ip6 daddr": "-d",
	"tcp dport": "--dport", "udp dport": "--dport", "th dport": "--dport", "tcp sport": "--sport", "udp sport": "--sport", "th sport": "--sport",
	"meta skuid": "--uid-owner", "meta skgid": "--gid-owner", "meta iifname": "-i", "meta oifname": "-o", "meta iif": "-i", "meta oif": "-o",
	"ct state": "--ctstate", "ct direction": "--ctdir", "meta nfproto": "--family",
}

// nftShort are matches that may stand without "meta".
var nftShort = map[string]bool{"skuid": true, "skgid": true, "iifname": true, "oifname": true, "iif": true, "oif": true, "l4proto": true, "nfproto": true, "mark": true}

// expression reads one match or statement.
func (r *nftReader) expression(parsed *rule) error {
	word := r.next()
	if nftShort[word] {
		r.pos--
		return r.match(parsed, "meta")
	}
	switch word {
	case "meta", "ct", "ip", "ip6", "tcp", "udp", "th":
		return r.match(parsed, word)
	case "socket":
		r.next()
		value, negate, err := r.value()
		parsed.tests = append(parsed.tests, test{"--socket", listed(value), negate})
		return err
	case "xt":
		return r.compat(parsed)
	case "fib":
		return r.fib(parsed)
	}
	return r.statement(parsed, word)
}

// match reads a match on a field of a header or of what the kernel knows of the packet, or a statement that sets one.
func (r *nftReader) match(parsed *rule, of string) error {
	field := r.next()
	if r.peek() == "set" && (field == "mark" || field == "zone" || of == "ct" || of == "meta") {
		r.next()
		value := r.next()
		if value == "ct" || value == "meta" { // "meta mark set ct mark"
			value = r.next()
		}
		if of == "meta" && field == "mark" {
			parsed.mark = markOf(value)
		}
		return nil
	}
	if field == "mark" {
		return r.mark(parsed, of)
	}
	if r.peek() == "." { // fields side by side: "ip daddr . tcp dport @set"
		return r.statement(parsed, of+" "+field+" .")
	}
	if r.peek() == "vmap" {
		r.next()
		parsed.tests = append(parsed.tests, depending(of+" "+field+" vmap"))
		if r.at("{") {
			return r.skipBlock()
		}
		r.next() // "@map"
		return nil
	}
	if field == "flags" && of == "tcp" {
		return r.flags(parsed)
	}
	value, negate, err := r.value()
	name, ok := nftMatches[of+" "+field]
	if !ok {
		name = of + " " + field
	}
	if of == "tcp" || of == "udp" {
		parsed.tests = append(parsed.tests, test{"-p", listed(of), false})
	}
	if of == "ip" || of == "ip6" {
		family := map[string]string{"ip": "ipv4", "ip6": "ipv6"}[of]
		parsed.tests = append(parsed.tests, test{"--family", listed(family), false})
	}
	parsed.tests = append(parsed.tests, test{name, listed(value), negate})
	return err
}

// mark reads "mark 0x1", "mark != 0x1" and "mark & 0xff == 0x1".
func (r *nftReader) mark(parsed *rule, of string) error {
	mask, name := "", "--mark"
	if of == "ct" {
		name = "--connmark"
	}
	if w := r.peek(); w == "&" || w == "and" {
		r.next()
		mask = "/" + r.next()
	}
	value, negate, err := r.value()
	parsed.tests = append(parsed.tests, test{name, listed(value + mask), negate})
	return err
}

// compat reads what an extension of iptables is printed as where nft has no words for it.
func (r *nftReader) compat(parsed *rule) error {
	kind, name := r.next(), r.next()
	switch {
	case kind == "match":
		parsed.tests = append(parsed.tests, test{name: "-m", value: listed(name)})
		if !slices.Contains([]string{"socket", "comment", "tcp", "udp", "addrtype"}, name) || name == "addrtype" {
			parsed.tests[len(parsed.tests)-1] = depending("xt match " + name)
		}
	case kind == "target":
		parsed.target = name
	default:
		return fmt.Errorf("xt %s is not known", kind)
	}
	return nil
}

// fib reads "fib daddr type local"; other questions to the routing table are not answered here.
func (r *nftReader) fib(parsed *rule) error {
	keys := []string{r.next()}
	for r.peek() == "." {
		r.next()
		keys = append(keys, r.next())
	}
	result := r.next()
	value, negate, err := r.value()
	name := "fib " + strings.Join(keys, " . ") + " " + result
	if name == "fib daddr type" {
		name = "--dst-type"
	}
	parsed.tests = append(parsed.tests, test{name, listed(value), negate})
	return err
}

// depending is a test of more than the packet: its rule is not followed.
func depending(on string) test { return test{name: on, value: listed("")} }

// statement reads what a rule does.
func (r *nftReader) statement(parsed *rule, word string) error {
	switch word {
	case "accept", "drop", "return", "continue":
		r.verdict(parsed, strings.ToUpper(word))
	case "reject", "queue":
		r.words()
		r.verdict(parsed, strings.ToUpper(word))
	case "jump", "goto":
		r.verdict(parsed, r.next())
		parsed.away = word == "goto"
	case "redirect", "tproxy", "dnat", "snat", "masquerade":
		return r.translate(parsed, word)
	case "notrack":
		parsed.untrack = true
	case "counter":
		if r.peek() == "name" {
			r.next()
			r.next()
		}
		for r.peek() == "packets" || r.peek() == "bytes" {
			r.next()
			r.next()
		}
	case "comment":
		r.next()
	case "log":
		for slices.Contains([]string{"prefix", "level", "group", "snaplen", "queue-threshold", "flags"}, r.peek()) {
			r.next()
			r.next()
		}
	case "limit", "quota": // a rule that holds for a part of the packets only
		parsed.tests = append(parsed.tests, depending(word))
		r.share()
	default: // a match that is not known: its rule is not followed, and the rest of the line says nothing
		parsed.tests = append(parsed.tests, depending(word))
		for r.pos < len(r.tokens) && r.tokens[r.pos].kind != nftEnd {
			if r.at("{") {
				if err := r.skipBlock(); err != nil {
					return err
				}
				continue
			}
			if r.at("}") {
				return nil
			}
			r.pos++
		}
	}
	return nil
}

// nftShares are the words of limit and quota beside numbers: "rate over 10 mbytes/second burst 5 kbytes".
var nftShares = []string{"rate", "over", "until", "burst", "used", "packets", "bytes", "kbytes", "mbytes"}

// share reads the words of limit and quota; matches and verdicts may follow on the line.
func (r *nftReader) share() {
	if r.peek() == "name" {
		r.next()
		r.next()
		return
	}
	for r.pos < len(r.tokens) && r.tokens[r.pos].kind == nftWord {
		unit, _, _ := strings.Cut(r.tokens[r.pos].text, "/") // "10/second"
		if _, err := strconv.ParseUint(unit, 10, 64); err != nil && !slices.Contains(nftShares, unit) {
			return
		}
		r.pos++
	}
}

// verdict keeps the first target: what follows tproxy is only what happens to the packet then.
func (r *nftReader) verdict(parsed *rule, target string) {
	if parsed.target == "" && target != "CONTINUE" {
		parsed.target = target
	}
}

// translate reads redirect, tproxy and the translations of addresses: "tproxy ip to 0.0.0.0:15006", "redirect to :15001".
func (r *nftReader) translate(parsed *rule, word string) error {
	r.verdict(parsed, strings.ToUpper(word))
	if w := r.peek(); w == "ip" || w == "ip6" {
		r.next()
	}
	if r.peek() != "to" {
		return nil
	}
	r.next()
	to := r.next()
	if to == "" {
		return errors.New("an address or port is expected after to")
	}
	if i := strings.LastIndexByte(to, ':'); i >= 0 {
		port, _, _ := strings.Cut(to[i+1:], "-")
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return fmt.Errorf("port %q is no number", to[i+1:])
		}
		parsed.port = uint16(n)
	}
	parsed.to, _ = netip.ParseAddrPort(to)
	for slices.Contains([]string{"random", "fully-random", "persistent", "random,fully-random"}, r.peek()) {
		r.next()
	}
	return nil
}
