package accesslog

import (
	"bytes"
	"slices"

	"github.com/flowproof/lab/harness/flow"
)

// A form is one in which a mesh can write its access log.
type form struct {
	name string // as the mesh's configuration has it: meshConfig.accessLogEncoding
	// read reads one row of a container's log. ok is false where it is no line of this form, and
	// whole where it begins as one and cannot be read.
	read func(row []byte) (line Line, ok, whole bool)
	// mark and peer are texts that only the line of one request has: by its id, and by the client's
	// end of its connection.
	mark, peer func(of string) string
}

// forms are all that can be read. A new one is a row.
var forms = []form{{"JSON", readJSON, markJSON, peerJSON}}

// Forms returns the names of the forms of an access log that can be read.
func Forms() []string {
	var names []string
	for _, f := range forms {
		names = append(names, f.name)
	}
	return names
}

// Reads says whether an access log can be read that a mesh writes in a form; "" is a mesh
// that writes none.
func Reads(form string) bool { return slices.Contains(Forms(), form) }

// marks are the texts to wait for until the line of a request is in a log; peer may be "".
func marks(id, peer string) []string {
	var texts []string
	for _, f := range forms {
		texts = append(texts, f.mark(id))
		if peer != "" {
			texts = append(texts, f.peer(peer))
		}
	}
	return texts
}

// Marks returns texts of which one is in a log as soon as the line of the request with an
// x-request-id is.
func Marks(id string) []string { return marks(id, "") }

// Of returns the lines of the request with an x-request-id in the text of a container's log.
func Of(text []byte, id string) []Line {
	others := func(l Line) bool { return !flow.SameRequestID(l.RequestID(), id) }
	return slices.DeleteFunc(marked(text, Marks(id)), others)
}

// marked returns the lines of the access log that have one of the texts in them. The others, which
// are most of a busy proxy's, are not read.
func marked(log []byte, texts []string) (lines []Line) {
	var all [][]byte
	for _, text := range texts {
		all = append(all, []byte(text))
	}
	has := func(text []byte) bool {
		return slices.ContainsFunc(all, func(mark []byte) bool { return bytes.Contains(text, mark) })
	}
	if !has(log) {
		return nil
	}
	number := 0
	for row := range bytes.Lines(log) {
		number++
		if !has(row) {
			continue
		}
		if line, ok, whole := parseLine(bytes.TrimRight(row, "\r\n")); ok && whole {
			line.Number = number
			lines = append(lines, line)
		}
	}
	return lines
}

// Parse returns the lines of the access log in the text of a container's log, and the numbers of
// those lines of text that begin as one does and cannot be read: they are cut or damaged.
func Parse(text []byte) (lines []Line, damaged []int) {
	number := 0
	for row := range bytes.Lines(text) {
		number++
		line, ok, whole := parseLine(bytes.TrimRight(row, "\r\n"))
		switch {
		case !whole:
			damaged = append(damaged, number)
		case ok:
			line.Number = number
			lines = append(lines, line)
		}
	}
	return lines, damaged
}

// parseLine reads a row in the first form whose line it is. ok is false for a row that is something
// else, such as a line of pilot-agent's own.
func parseLine(row []byte) (line Line, ok, whole bool) {
	for _, f := range forms {
		if line, ok, whole = f.read(row); ok || !whole {
			line.Form = f.name
			return line, ok, whole
		}
	}
	return Line{}, false, true
}
