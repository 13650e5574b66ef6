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

	"github.com/flowproof/lab/internal/protoname"
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
func Once(text []byte) error { return once(text, fold, nil) }

// Message is Once for a message of protobuf's in JSON, such as a config dump: filter_chain and
// filterChain are one field, and a label App is another than app. The keys of a map and of a Struct
// are no fields: labels a_b and aB are two.
// Source: https://protobuf.dev/programming-guides/json/
func Message(text []byte) error { return once(text, camel, maps) }

// once does it, with names that are one where they are folded to one, and maps that have none.
func once(text []byte, fold folding, maps map[string]bool) error {
	var value json.RawMessage
	if err := json.Unmarshal(text, &value); err != nil {
		return redact.Place(text, err)
	}
	var open []names // of the objects that are open
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{':
			open = append(open, below(open, text[:i], fold, maps))
		case '}':
			open = open[:len(open)-1]
		case '"':
			end := quoted(text, i)
			if name := text[i:end]; isName(text[end:]) {
				object := &open[len(open)-1]
				if !object.add(name) {
					line := 1 + bytes.Count(text[:i], []byte("\n"))
					return fmt.Errorf("line %d: %s stands twice in one object", line, name)
				}
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

// A folding gives all names that are one name the same text.
type folding func(name []byte) string

// names are those of one object.
type names struct {
	fold folding
	free bool   // a Struct, in which no object has fields
	last string // the name that was added last, folded
	few  []string
	many map[string]bool
}

// maps are the fields of Envoy's messages whose keys are a user's: those of the maps, and whether
// their values are free too, as those of a Struct are. Of node, metadata is one.
// Source: the proto files of Envoy's API, https://www.envoyproxy.io/docs/envoy/latest/api-v3/api.
var maps = map[string]bool{
	"typedPerFilterConfig": false, "perFilterConfig": false, "typedExtensionProtocolOptions": false,
	"extensionProtocolOptions": false, "typedFilterMetadata": false, "policies": false, "providers": false,
	"requirementMap": false, "map": false, "sourceCodes": false, "contextExtensions": false,
	"filterMetadata": true, "jsonFormat": true, "defaultSubset": true, "staticLayer": true,
}

// below are the names of an object that opens behind a text. The objects in open are around it.
func below(open []names, before []byte, fold folding, maps map[string]bool) names {
	n := names{fold: fold}
	if len(open) == 0 || maps == nil {
		return n
	}
	around := open[len(open)-1]
	keys, free := false, around.free
	if before = bytes.TrimRight(before, " \t\r\n"); before[len(before)-1] == ':' { // and not in a list
		var own bool
		own, keys = maps[around.last]
		node := around.last == "metadata" && len(open) > 1 && open[len(open)-2].last == "node"
		free = free || own || node
	}
	if n.free = free; free || keys {
		n.fold = func(name []byte) string { return string(name) }
	}
	return n
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
	n.last = folded
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

// camel is a field's name in lowerCamelCase, whichever of its two forms it has.
func camel(name []byte) string {
	if bytes.IndexByte(name, '_') < 0 {
		return string(name)
	}
	return string(protoname.AppendJSON(nil, name))
}
