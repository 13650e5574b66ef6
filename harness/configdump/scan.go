package configdump

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"math/bits"
)

// maxDepth is how deep brackets may nest. Envoy's own configuration stays far below: protobuf
// refuses more than 100 messages inside each other.
const maxDepth = 512

// A class says what a byte outside a string means to the structure of JSON.
type class uint8

const (
	plain class = iota
	quote
	opening
	closing
)

var classes = func() (t [256]class) {
	t['"'], t['{'], t['['], t['}'], t[']'] = quote, opening, opening, closing, closing
	return t
}()

// A scanner walks once over JSON text and finds where values begin and end. It checks brackets and
// strings; what is inside a value that is not read is not decoded. The first error stays and every
// later step does nothing.
type scanner struct {
	data  []byte
	pos   int
	depth int
	err   error
}

// errStop ends a walk early; it is not a fault of the text.
var errStop = errors.New("stop")

// fail keeps the first error with the place it belongs to.
func (s *scanner) fail(at int, what string) {
	if s.err == nil {
		s.err = syntaxError(s.data, at, what)
	}
}

// syntaxError names a place in the text by line and column, both from 1.
func syntaxError(data []byte, at int, what string) error {
	at = min(at, len(data))
	line := bytes.Count(data[:at], []byte{'\n'}) + 1
	column := at - bytes.LastIndexByte(data[:at], '\n')
	return fmt.Errorf("line %d column %d: %s", line, column, what)
}

// peek skips white space and returns the next byte, or 0 at the end.
func (s *scanner) peek() byte {
	data, i := s.data, s.pos
	for i < len(data) {
		switch data[i] {
		case ' ', '\n', '\t', '\r':
			i++
		default:
			s.pos = i
			return data[i]
		}
	}
	s.pos = i
	return 0
}

const eightQuotes, eightOnes, eightHighs = 0x2222222222222222, 0x0101010101010101, 0x8080808080808080

// nextQuote is the index of the first quote, or -1. Most strings of a dump are short: their first
// 24 bytes are looked at eight in one step, which takes less than the call of a function. Source of
// the test for a byte that is 0: Hacker's Delight, 6-1.
func nextQuote(data []byte) int {
	for i := 0; i < 24 && i+8 <= len(data); i += 8 {
		others := binary.LittleEndian.Uint64(data[i:]) ^ eightQuotes
		if found := (others - eightOnes) &^ others & eightHighs; found != 0 {
			return i + bits.TrailingZeros64(found)/8
		}
	}
	return bytes.IndexByte(data, '"')
}

// stringEnd returns the index after the closing quote of the string that opens at data[at], or -1.
func stringEnd(data []byte, at int) int {
	for i := at + 1; ; {
		n := nextQuote(data[i:])
		if n < 0 {
			return -1
		}
		i += n + 1
		escapes := 0
		for j := i - 2; j > at && data[j] == '\\'; j-- {
			escapes++
		}
		if escapes%2 == 0 {
			return i
		}
	}
}

// string consumes a string and returns its bounds with the quotes.
func (s *scanner) string() (start, end int) {
	start = s.pos
	end = stringEnd(s.data, start)
	if end < 0 {
		s.fail(start, "string is not closed (the file looks truncated)")
		return start, start
	}
	s.pos = end
	return start, end
}

// skip consumes one value of any kind and returns its bounds.
func (s *scanner) skip() (start, end int) {
	c := s.peek()
	start = s.pos
	if s.err != nil {
		return start, start
	}
	switch {
	case c == '"':
		return s.string()
	case classes[c] == opening:
		s.brackets()
	case isScalar(c):
		for s.pos < len(s.data) && isScalar(s.data[s.pos]) {
			s.pos++
		}
	case c == 0 && s.pos >= len(s.data):
		s.fail(s.pos, "a value is missing at the end (the file looks truncated)")
	default:
		s.fail(s.pos, fmt.Sprintf("a value cannot begin with %q", c))
	}
	return start, s.pos
}

// isScalar says whether c may be part of a number or of true, false and null.
func isScalar(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '-' || c == '+' || c == '.'
}

const eightSpaces = 0x2020202020202020

// pastSpaces is the first place from i on that has no space, or one of the last seven. Envoy
// indents by a space a level, so eight bytes are looked at in one step.
func pastSpaces(data []byte, i int) int {
	for i+8 <= len(data) {
		others := binary.LittleEndian.Uint64(data[i:]) ^ eightSpaces
		if others != 0 {
			return i + bits.TrailingZeros64(others)/8
		}
		i += 8
	}
	return i
}

// brackets consumes an object or array without looking into it, except that each closing bracket
// has to be of the kind that was opened.
func (s *scanner) brackets() {
	var kinds [maxDepth/64 + 1]uint64 // one bit a level: set for an object
	data, i, depth := s.data, s.pos, 0
	for i < len(data) {
		c := data[i]
		switch classes[c] {
		case plain:
			i++
			if c <= ' ' {
				i = pastSpaces(data, i)
			}
		case quote:
			end := stringEnd(data, i)
			if end < 0 {
				s.fail(i, "string is not closed (the file looks truncated)")
				return
			}
			i = end
		case opening:
			if depth+s.depth >= maxDepth {
				s.fail(i, fmt.Sprintf("brackets nest deeper than %d", maxDepth))
				return
			}
			depth++
			if c == '{' {
				kinds[depth>>6] |= 1 << (depth & 63)
			} else {
				kinds[depth>>6] &^= 1 << (depth & 63)
			}
			i++
		case closing:
			if object := kinds[depth>>6]>>(depth&63)&1 == 1; object != (c == '}') {
				s.fail(i, fmt.Sprintf("%q closes a bracket of the other kind", c))
				return
			}
			depth--
			i++
			if depth == 0 {
				s.pos = i
				return
			}
		}
	}
	s.fail(len(data), "brackets are still open at the end (the file looks truncated)")
}

// object walks over the fields of an object. The callback may consume the field's value; if it
// does not, the value is skipped. A key comes without quotes and, where it has escapes, as it
// stands in the text.
func (s *scanner) object(field func(key []byte)) {
	if !s.enter('{') {
		return
	}
	for first := true; s.err == nil; first = false {
		if s.leave('}', first) {
			return
		}
		if s.peek() != '"' {
			s.fail(s.pos, "a field name in quotes is expected")
			return
		}
		start, end := s.string()
		if s.err != nil {
			return
		}
		if s.peek() != ':' {
			s.fail(s.pos, "a colon is expected after a field name")
			return
		}
		s.pos++
		s.peek()
		s.consume(func() { field(s.data[start+1 : end-1]) })
	}
}

// array walks over the elements of an array, as object does over fields.
func (s *scanner) array(element func(index int)) {
	if !s.enter('[') {
		return
	}
	for index := 0; s.err == nil; index++ {
		if s.leave(']', index == 0) {
			return
		}
		s.peek()
		s.consume(func() { element(index) })
	}
}

// consume calls f at the beginning of a value and skips the value if f did not move.
func (s *scanner) consume(f func()) {
	before := s.pos
	f()
	if s.err == nil && s.pos == before {
		s.skip()
	}
}

// enter consumes an opening bracket.
func (s *scanner) enter(c byte) bool {
	if s.err != nil {
		return false
	}
	if got := s.peek(); got != c {
		s.fail(s.pos, fmt.Sprintf("%q is expected", c))
		return false
	}
	if s.depth++; s.depth > maxDepth {
		s.fail(s.pos, fmt.Sprintf("brackets nest deeper than %d", maxDepth))
		return false
	}
	s.pos++
	return true
}

// leave consumes the closing bracket if it is next, or else the comma between two members.
func (s *scanner) leave(c byte, first bool) bool {
	got := s.peek()
	switch {
	case got == c:
		s.pos++
		s.depth--
		return true
	case first:
		return false
	case got == ',':
		s.pos++
		return false
	case s.pos >= len(s.data):
		s.fail(s.pos, "brackets are still open at the end (the file looks truncated)")
	default:
		s.fail(s.pos, fmt.Sprintf("a comma or %q is expected", c))
	}
	return false
}
