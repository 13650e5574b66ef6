// Package strict reads JSON of which each part means one thing. A reader that takes the first of
// two members of one name, and one that takes the last, would read two documents: what a person
// reads with another program is then not what was judged.
package strict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"unicode"

	"github.com/flowproof/lab/internal/redact"
)

// JSON decodes a document: one value, no member twice in an object, and none that into does not
// know. The error names the line.
func JSON(text []byte, into any) error {
	if err := Once(text); err != nil {
		return err
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return redact.Place(text, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON document")
	}
	return nil
}

// Once returns an error unless a text is one JSON document in which no object has a member twice.
// Names that encoding/json takes for one field are one: in either case, where ſ is an s.
func Once(text []byte) error { return once(text, fold) }

// Message is Once for a message of protobuf's in JSON, such as a config dump: filter_chain and
// filterChain are one field, and a label App is another than app.
// Source: https://protobuf.dev/programming-guides/json/
func Message(text []byte) error { return once(text, camel) }

// once does it, with names that are one where they are folded to one.
func once(text []byte, fold func(name []byte) string) error {
	var value json.RawMessage
	if err := json.Unmarshal(text, &value); err != nil {
		return redact.Place(text, err)
	}
	var open []names // of the objects that are open
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{':
			open = append(open, names{fold: fold})
		case '}':
			open = open[:len(open)-1]
		case '"':
			end := quoted(text, i)
			if name := text[i:end]; isName(text[end:]) && !open[len(open)-1].add(name) {
				line := 1 + bytes.Count(text[:i], []byte("\n"))
				return fmt.Errorf("line %d: %s stands twice in one object", line, name)
			}
			i = end - 1
		}
	}
	return nil
}

// Lines is Once for each line of a text that begins with {, such as those of a log in JSON. A line
// that is no JSON is a line of text.
func Lines(text []byte) error {
	number := 0
	for line := range bytes.Lines(text) {
		number++
		if line = bytes.TrimSpace(line); len(line) == 0 || line[0] != '{' || !json.Valid(line) {
			continue
		}
		if err := Once(line); err != nil {
			return inLine(number, err)
		}
	}
	return nil
}

// Line is JSON for one line of a text, whose number stands in the error.
func Line(text []byte, number int, into any) error {
	if err := JSON(text, into); err != nil {
		return inLine(number, err)
	}
	return nil
}

// inLine is an error about a line by itself, with the line's number in the text.
func inLine(number int, err error) error {
	return fmt.Errorf("line %d: %s", number, strings.TrimPrefix(err.Error(), "line 1: "))
}

// quoted is where a string that begins at a place ends, behind its closing quote. The text is
// valid JSON.
func quoted(text []byte, at int) int {
	for at++; text[at] != '"'; at++ {
		if text[at] == '\\' {
			at++
		}
	}
	return at + 1
}

// isName says of what stands behind a string that the string was a member's name.
func isName(rest []byte) bool {
	rest = bytes.TrimLeft(rest, " \t\r\n")
	return len(rest) > 0 && rest[0] == ':'
}

// names are those of one object.
type names struct {
	fold func([]byte) string
	few  []string
	many map[string]bool
}

// few are compared one by one: a map costs more.
const few = 12

// add adds a name in its quotes, unless it is there.
func (n *names) add(quoted []byte) bool {
	name := quoted[1 : len(quoted)-1]
	if bytes.IndexByte(name, '\\') >= 0 {
		var plain string
		if json.Unmarshal(quoted, &plain) == nil {
			name = []byte(plain)
		}
	}
	folded := n.fold(name)
	if slices.Contains(n.few, folded) || n.many[folded] {
		return false
	}
	if len(n.few) < few {
		n.few = append(n.few, folded)
		return true
	}
	if n.many == nil {
		n.many = map[string]bool{}
	}
	n.many[folded] = true
	return true
}

// fold is one of all the names that differ in case only: of each letter's cases the first.
func fold(name []byte) string {
	return strings.Map(func(r rune) rune {
		least := r
		for other := unicode.SimpleFold(r); other != r; other = unicode.SimpleFold(other) {
			least = min(least, other)
		}
		return least
	}, string(name))
}

// camel is a field's name in lowerCamelCase, whichever of its two forms it has. No underscore is
// left in it, before a digit neither.
// Source: ToJsonName in protobuf's descriptor.cc.
func camel(name []byte) string {
	if bytes.IndexByte(name, '_') < 0 {
		return string(name)
	}
	out, upper := make([]byte, 0, len(name)), false
	for _, c := range name {
		if c == '_' {
			upper = true
			continue
		}
		if upper && c >= 'a' && c <= 'z' {
			c -= 'a' - 'A'
		}
		upper = false
		out = append(out, c)
	}
	return string(out)
}
