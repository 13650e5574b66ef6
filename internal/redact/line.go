package redact

import "strings"

// A line is remembered where the text is longer than this: a log of a busy proxy has thousands of
// lines that differ in their numbers alone.
const longText = 16 << 10

// remembered are the forms of lines of one text that are shown as they are. A line with a secret is
// not among them. A nil one remembers nothing.
type remembered struct {
	shownAs map[string]struct{}
	form    []byte // of the last line
}

func rememberLines(text string) *remembered {
	if len(text) < longText {
		return nil
	}
	return &remembered{shownAs: map[string]struct{}{}}
}

// line is what is shown of a line.
func (r *remembered) line(line string) string {
	if r == nil {
		return ofLine(line)
	}
	ok := false
	if r.form, ok = formOfLine(r.form[:0], line); !ok {
		return ofLine(line)
	}
	if _, ok := r.shownAs[string(r.form)]; ok {
		return line
	}
	kept := ofLine(line)
	if kept == line {
		if len(r.shownAs) >= maxRemembered {
			clear(r.shownAs)
		}
		r.shownAs[string(r.form)] = struct{}{}
	}
	return kept
}

// ofLine hides in a line that is a header what its name says is hidden, and in any other what is in
// it.
func ofLine(line string) string {
	if kept, ok := header(line); ok {
		return kept
	}
	return inline(requests(line))
}

// formOfLine appends the form of a line to form: formOf, in which the time and the numbers of
// connection and stream that Envoy begins a line of its log with are left out. ok is false of a
// line that no other has the form of. A line with a time and one without have no form in common:
// a header's line is one only where it begins as such.
func formOfLine(form []byte, line string) (_ []byte, ok bool) {
	rest := line[stamped(line):]
	if strings.ContainsAny(rest, keptBytes) {
		return form, false
	}
	if len(rest) < len(line) {
		form = append(form, '\n') // which no line has
	}
	if before, after, tagged := strings.Cut(rest, connectionTag); tagged {
		after, numbered := untagged(after)
		if !numbered {
			return form, false
		}
		form = append(formOf(form, before), connectionTag...)
		rest = after
	}
	return formOf(form, rest), true
}

// untagged is what stands behind the numbers of a connection and, maybe, a stream.
func untagged(text string) (rest string, ok bool) {
	rest = strings.TrimLeft(text, digits)
	if of, found := strings.CutPrefix(rest, streamTag); found {
		rest = strings.TrimLeft(of, digits)
	}
	return rest, len(text)-len(rest) <= mostTag && strings.HasPrefix(rest, `"]`)
}

// What stands before the numbers of a connection and a stream (Envoy: Logger, Tags).
const (
	connectionTag = `[Tags: "ConnectionId":"`
	streamTag     = `","StreamId":"`
	mostTag       = 2*20 + len(streamTag) // two numbers of 64 bits
)

const (
	digits    = "0123456789"
	stampForm = "0000-00-00T00:00:00.000000Z\t"
)

// stamped is the length of the time that a line of Envoy's log under Istio begins with; 0: of none.
func stamped(line string) int {
	if len(line) < len(stampForm) {
		return 0
	}
	for n := range len(stampForm) {
		if c, want := line[n], stampForm[n]; c != want && (want != '0' || c < '0' || c > '9') {
			return 0
		}
	}
	return len(stampForm)
}
