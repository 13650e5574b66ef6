package infer

import (
	"errors"
	"fmt"
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

// at says whether a brace or comma is next, and not a quoted text that looks like it.
func (r *nftReader) at(brace string) bool {
	return r.pos < len(r.tokens) && r.tokens[r.pos].kind == nftBrace && r.tokens[r.pos].text == brace
}

// is consumes a brace if it is next.
func (r *nftReader) is(brace string) bool {
	if r.at(brace) {
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
		before := r.pos
		if err := member(); err != nil {
			return err
		}
		if r.pos == before { // or it would be read for ever
			return fmt.Errorf("%.60q is not expected here", r.tokens[r.pos].text)
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
	t := &ruleTable{family: "ip", name: head[len(head)-1], chains: map[string]*ruleChain{}, sets: map[string]*values{}}
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
			t.sets[head[1]] = listed(elements)
			return err
		case len(head) > 0 && r.at("{"):
			return r.skipBlock()
		case len(head) == 0:
			return fmt.Errorf("%.60q is not expected here", r.tokens[r.pos].text)
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
		name, ok := strings.CutPrefix(r.tests[i].value.text, "@")
		if !ok {
			continue
		}
		elements, known := t.sets[name]
		if !known {
			r.tests[i].name = "set @" + name
			continue
		}
		r.tests[i].value = elements
	}
}

// skipBlock passes over a block of any kind, whose brace is next.
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
		case r.at("{"):
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
	var text strings.Builder
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
		}
		if text.Len() > 0 && (t.kind != nftBrace || t.text != ",") {
			text.WriteByte(' ')
		}
		text.WriteString(t.text)
	}
	return text.String()
}
