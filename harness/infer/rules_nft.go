package infer

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// isNFT says whether a text is what nft prints: tables in braces.
func isNFT(text string) bool {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		return strings.HasPrefix(line, "table ")
	}
	return false
}

// An nftReader reads what `nft list ruleset` of nftables 1.0 prints, one statement after the other. Rules come out in the
// words of iptables, so that one evaluator is enough. (man 8 nft)
type nftReader struct {
	tokens []nftToken
	pos    int
}

// A nftToken is a word, a quoted text, a brace, or the end of a statement, with the line that it stands on.
type nftToken struct {
	text string
	line int
	kind nftKind
}

type nftKind uint8

const (
	nftWord nftKind = iota
	nftQuoted
	nftBrace
	nftEnd // a semicolon or the end of a line
)

// errNFTEnd says that the text ends inside braces.
var errNFTEnd = errors.New("the text ends inside braces (it looks truncated)")

func parseNFT(text string) (*Ruleset, error) {
	r := &nftReader{tokens: nftTokens(text)}
	set := &Ruleset{}
	for r.skipEnds(); r.pos < len(r.tokens); r.skipEnds() {
		table, err := r.table()
		if err != nil {
			return nil, fmt.Errorf("netfilter rules: line %d: %w", r.line(), err)
		}
		set.tables = append(set.tables, table)
	}
	return set, nil
}

// nftTokens cuts the text into tokens. Comments are left out.
func nftTokens(text string) []nftToken {
	var all []nftToken
	for number, line := range strings.Split(text, "\n") {
		for i := 0; i < len(line); {
			switch c := line[i]; {
			case c == ' ' || c == '\t' || c == '\r':
				i++
			case c == '#':
				i = len(line)
			case c == ';':
				all = append(all, nftToken{";", number + 1, nftEnd})
				i++
			case c == '{' || c == '}' || c == ',':
				all = append(all, nftToken{line[i : i+1], number + 1, nftBrace})
				i++
			case c == '"':
				end := strings.IndexByte(line[i+1:], '"')
				if end < 0 {
					end = len(line) - i - 1
				}
				all = append(all, nftToken{line[i+1 : i+1+end], number + 1, nftQuoted})
				i = min(len(line), i+end+2)
			default:
				end := strings.IndexAny(line[i:], " \t\r;{},\"#")
				if end < 0 {
					end = len(line) - i
				}
				all = append(all, nftToken{line[i : i+end], number + 1, nftWord})
				i += end
			}
		}
		all = append(all, nftToken{"", number + 1, nftEnd})
	}
	return all
}

func (r *nftReader) line() int {
	if len(r.tokens) == 0 {
		return 1
	}
	return r.tokens[min(r.pos, len(r.tokens)-1)].line
}

func (r *nftReader) skipEnds() {
	for r.pos < len(r.tokens) && r.tokens[r.pos].kind == nftEnd {
		r.pos++
	}
}

// is consumes a brace if it is next.
func (r *nftReader) is(brace string) bool {
	if r.pos < len(r.tokens) && r.tokens[r.pos].kind == nftBrace && r.tokens[r.pos].text == brace {
		r.pos++
		return true
	}
	return false
}

// block reads the head of a block up to its opening brace, and then members until its closing one.
func (r *nftReader) block(member func() error) error {
	if !r.is("{") {
		return errors.New("an opening brace is expected")
	}
	for r.skipEnds(); !r.is("}"); r.skipEnds() {
		if r.pos >= len(r.tokens) {
			return errNFTEnd
		}
		if err := member(); err != nil {
			return err
		}
	}
	return nil
}

// words consumes the words up to the next brace or end of a statement.
func (r *nftReader) words() []string {
	var all []string
	for r.pos < len(r.tokens) && (r.tokens[r.pos].kind == nftWord || r.tokens[r.pos].kind == nftQuoted) {
		all = append(all, r.tokens[r.pos].text)
		r.pos++
	}
	return all
}

// table reads "table inet name { … }". What tables hold beside chains and sets decides nothing here.
func (r *nftReader) table() (*ruleTable, error) {
	head := r.words()
	if len(head) < 2 || head[0] != "table" {
		return nil, fmt.Errorf("a table is expected, as `nft list ruleset` prints it: %.60q", strings.Join(head, " "))
	}
	t := &ruleTable{family: "ip", name: head[len(head)-1], chains: map[string]*ruleChain{}, sets: map[string]string{}}
	if len(head) > 2 {
		t.family = head[1]
	}
	err := r.block(func() error {
		head := r.words()
		switch {
		case len(head) == 2 && head[0] == "chain":
			return r.chain(t, t.chain(head[1]))
		case len(head) == 2 && head[0] == "set":
			elements, err := r.set()
			t.sets[head[1]] = elements
			return err
		case len(head) > 0 && r.pos < len(r.tokens) && r.tokens[r.pos].text == "{":
			return r.skipBlock()
		case len(head) == 0:
			return fmt.Errorf("%q is not expected here", r.tokens[r.pos].text)
		case head[0] == "flags" && slices.Contains(head, "dormant"):
			t.family = "dormant" // it hangs on no hook
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, c := range t.chains {
		for i := range c.rules {
			t.resolve(&c.rules[i])
		}
	}
	return t, nil
}

// resolve puts the elements of named sets into a rule's tests; a table may name a set before it stands there.
func (t *ruleTable) resolve(r *rule) {
	for i := range r.tests {
		name, ok := strings.CutPrefix(r.tests[i].value, "@")
		if !ok {
			continue
		}
		elements, known := t.sets[name]
		if !known {
			r.tests[i].name = "set @" + name
			continue
		}
		r.tests[i].value = elements
		if strings.HasPrefix(r.tests[i].name, "--dport") {
			r.tests[i].value = strings.ReplaceAll(elements, "-", ":")
		}
	}
}

// skipBlock passes over a block of any kind.
func (r *nftReader) skipBlock() error {
	for depth := 0; r.pos < len(r.tokens); {
		t := r.tokens[r.pos]
		r.pos++
		switch {
		case t.kind == nftBrace && t.text == "{":
			depth++
		case t.kind == nftBrace && t.text == "}":
			if depth--; depth == 0 {
				return nil
			}
		}
	}
	return errNFTEnd
}

// set reads the block of a named set and returns its elements.
func (r *nftReader) set() (elements string, err error) {
	err = r.block(func() error {
		head := r.words()
		switch {
		case len(head) == 2 && head[0] == "elements":
			elements, err = r.list()
			return err
		case len(head) == 0:
			r.pos++ // a comma of what is not looked at
		case r.pos < len(r.tokens) && r.tokens[r.pos].text == "{":
			return r.skipBlock()
		}
		return nil
	})
	return elements, err
}

// list reads "{ a, b-c }" over any number of lines; of an element only its first word counts.
func (r *nftReader) list() (string, error) {
	if !r.is("{") {
		return "", errors.New("an opening brace is expected")
	}
	var all []string
	fresh := true
	for ; r.pos < len(r.tokens); r.pos++ {
		t := r.tokens[r.pos]
		switch {
		case t.kind == nftEnd:
		case t.text == "}" && t.kind == nftBrace:
			r.pos++
			return strings.Join(all, ","), nil
		case t.text == "{" && t.kind == nftBrace:
			return "", errors.New("a set inside a set is not expected")
		case t.kind == nftBrace:
			fresh = true
		case fresh:
			all, fresh = append(all, t.text), false
		}
	}
	return "", errNFTEnd
}

// chain reads a chain's block: for a base chain its hook, then rules.
func (r *nftReader) chain(t *ruleTable, c *ruleChain) error {
	return r.block(func() error {
		start := r.pos
		if w := r.tokens[r.pos]; w.kind == nftWord && (w.text == "type" || w.text == "policy") {
			return c.header(r.words())
		}
		parsed, err := r.rule()
		if err != nil {
			return err
		}
		parsed.text = nftText(r.tokens[start:r.pos])
		c.rules = append(c.rules, parsed)
		return nil
	})
}

// header reads "type nat hook output priority -100" and "policy accept".
func (c *ruleChain) header(words []string) error {
	for i := 0; i+1 < len(words); i++ {
		switch words[i] {
		case "type":
			c.nat = words[i+1] == "nat"
		case "hook":
			if words[i+1] == "prerouting" || words[i+1] == "output" {
				c.hook = words[i+1]
			}
		case "priority":
			p, err := nftPriority(words[i+1:])
			if err != nil {
				return err
			}
			c.priority = p
		case "policy":
			c.drops = words[i+1] == "drop"
		}
	}
	return nil
}

// nftPriorities are the names of priorities, as nft prints them for the family ip.
var nftPriorities = map[string]int{"raw": -300, "mangle": -150, "dstnat": -100, "filter": 0, "security": 50, "srcnat": 100}

// nftPriority reads a number, or a name with what is added to it: "dstnat - 5".
func nftPriority(words []string) (int, error) {
	if n, err := strconv.Atoi(words[0]); err == nil {
		return n, nil
	}
	n, ok := nftPriorities[words[0]]
	if !ok {
		return 0, fmt.Errorf("priority %q is not known", words[0])
	}
	if len(words) >= 3 && (words[1] == "+" || words[1] == "-") {
		more, err := strconv.Atoi(words[1] + words[2])
		if err != nil {
			return 0, fmt.Errorf("priority %q is no number", words[2])
		}
		n += more
	}
	return n, nil
}

// nftText shows a rule without its counters.
func nftText(tokens []nftToken) string {
	var words []string
	for i := 0; i < len(tokens); i++ {
		t := tokens[i]
		if t.text == "counter" && t.kind == nftWord {
			for i+2 < len(tokens) && (tokens[i+1].text == "packets" || tokens[i+1].text == "bytes") {
				i += 2
			}
			continue
		}
		switch {
		case t.kind == nftQuoted:
			t.text = strconv.Quote(t.text)
		case t.kind == nftEnd:
			continue
		case t.text == "," && len(words) > 0:
			words[len(words)-1] += ","
			continue
		}
		words = append(words, t.text)
	}
	return strings.Join(words, " ")
}

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
		for r.is(",") && r.pos < len(r.tokens) { // "established,related"
			t.text += "," + r.tokens[r.pos].text
			r.pos++
		}
		return t.text, negate, nil
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
	for r.pos < len(r.tokens) && r.tokens[r.pos].kind != nftEnd && r.peek() != "}" {
		before := r.pos
		if err := r.expression(&parsed); err != nil {
			return parsed, err
		}
		if r.pos == before {
			return parsed, fmt.Errorf("%q is not expected here", r.tokens[r.pos].text)
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
		parsed.tests = append(parsed.tests, test{"--socket", value, negate})
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
	if field == "flags" && of == "tcp" {
		for more := true; more; { // "syn / fin,syn,rst,ack": the first packet is a SYN
			if _, _, err := r.value(); err != nil {
				return err
			}
			if more = slices.Contains([]string{"/", "&", "|", "==", "!="}, r.peek()); more {
				r.next()
			}
		}
		return nil
	}
	if r.peek() == "vmap" {
		r.next()
		parsed.tests = append(parsed.tests, test{name: of + " " + field + " vmap"})
		return r.skipBlock()
	}
	value, negate, err := r.value()
	name, ok := nftMatches[of+" "+field]
	if !ok {
		name = of + " " + field
	}
	if of == "tcp" || of == "udp" {
		parsed.tests = append(parsed.tests, test{"-p", of, false})
	}
	if name == "--dport" && !strings.HasPrefix(value, "@") {
		value = strings.ReplaceAll(value, "-", ":")
	}
	if of == "ip" || of == "ip6" {
		family := map[string]string{"ip": "ipv4", "ip6": "ipv6"}[of]
		parsed.tests = append(parsed.tests, test{"--family", family, false})
	}
	parsed.tests = append(parsed.tests, test{name, value, negate})
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
	parsed.tests = append(parsed.tests, test{name, value + mask, negate})
	return err
}

// compat reads what an extension of iptables is printed as where nft has no words for it.
func (r *nftReader) compat(parsed *rule) error {
	kind, name := r.next(), r.next()
	switch {
	case kind == "match":
		parsed.tests = append(parsed.tests, test{name: "-m", value: name})
		if !slices.Contains([]string{"socket", "comment", "tcp", "udp", "addrtype"}, name) || name == "addrtype" {
			parsed.tests[len(parsed.tests)-1] = test{name: "xt match " + name}
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
	keys := r.next()
	for r.peek() == "." {
		r.next()
		keys += " . " + r.next()
	}
	result := r.next()
	value, negate, err := r.value()
	name := "fib " + keys + " " + result
	if keys == "daddr" && result == "type" {
		name = "--dst-type"
	}
	parsed.tests = append(parsed.tests, test{name, value, negate})
	return err
}

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
		parsed.tests = append(parsed.tests, test{name: word})
		for r.peek() != "" && !nftVerdicts[r.peek()] {
			r.next()
		}
	default: // a match that is not known: its rule is not followed, and the rest of the line says nothing
		parsed.tests = append(parsed.tests, test{name: word})
		for r.pos < len(r.tokens) && r.tokens[r.pos].kind != nftEnd {
			if r.peek() == "{" {
				if err := r.skipBlock(); err != nil {
					return err
				}
				continue
			}
			if r.peek() == "}" {
				return nil
			}
			r.pos++
		}
	}
	return nil
}

var nftVerdicts = map[string]bool{"accept": true, "drop": true, "return": true, "jump": true, "goto": true, "redirect": true, "reject": true, "counter": true}

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
