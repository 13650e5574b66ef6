package envoylog

import (
	"bufio"
	"errors"
	"io"
	"strings"
)

// What is kept of one statement, so that a hostile or broken log cannot fill the memory. Envoy's
// largest statements are dumps of xDS resources, which prove nothing about a request.
const (
	maxText       = 64 << 10 // bytes of one line of text
	maxBlockLines = 1000     // lines of text of one statement
	maxBlockBytes = 256 << 10
)

// A Reader reads statements from a log, one after the other, from a log that is complete or one
// that is still written. A last line of text without its line feed is not a statement yet.
type Reader struct {
	r       *bufio.Reader
	text    strings.Builder // the line of text that is being read
	long    bool            // … was longer than maxText
	number  int
	pending *Line // a statement whose block is not complete
	size    int   // bytes of the pending block
	queue   []Line
}

// NewReader returns a Reader of r.
func NewReader(r io.Reader) *Reader {
	return &Reader{r: bufio.NewReaderSize(r, 64<<10)}
}

// Next returns the next statement. At the end it returns io.EOF, after a statement that was
// not complete and is marked as Truncated; the error of the underlying reader is passed on.
// Next may be called again after io.EOF when r may have grown: half a line of text is kept
// until it is completed.
func (r *Reader) Next() (Line, error) {
	for {
		if len(r.queue) > 0 {
			line := r.queue[0]
			r.queue = r.queue[1:]
			return line, nil
		}
		text, err := r.readText()
		if err != nil {
			return Line{}, err
		}
		r.add(text, r.long)
		r.long = false
	}
}

// Rest returns what would come next if the log ended here: the statement whose block is not
// complete, and half a line of text as a line of its own. Both are marked as Truncated.
func (r *Reader) Rest() []Line {
	var rest []Line
	half := r.text.String()
	if r.pending != nil {
		line := *r.pending
		// A block in a form without a closing mark is complete when the log simply stops
		// after one of its lines.
		line.Truncated = line.Truncated || half != "" || line.format.always
		rest, r.pending = append(rest, line), nil
	}
	if half != "" {
		line, _ := parseLine(half)
		line.Number, line.Text, line.Truncated = r.number+1, half, true
		if line.Kind == Unknown {
			line.Message = half
		}
		rest = append(rest, line)
		r.text.Reset()
	}
	return rest
}

// readText returns one line of text without its line feed.
func (r *Reader) readText() (string, error) {
	for {
		piece, err := r.r.ReadSlice('\n')
		if room := maxText - r.text.Len(); len(piece) > room+1 {
			r.text.Write(piece[:max(room, 0)])
			r.long = true
		} else {
			r.text.Write(piece)
		}
		switch {
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil:
			return "", err
		}
		text := strings.TrimRight(r.text.String(), "\r\n")
		r.text.Reset()
		r.number++
		return text, nil
	}
}

// add takes a line of text: it begins a statement, continues a block, or is of no known form.
func (r *Reader) add(text string, long bool) {
	line, ok := parseLine(text)
	if ok && r.pending != nil && line.Kind != Statement {
		// Of another writer: the container's two streams are mixed line by line,
		// also within a block.
		line.Number, line.Text, line.Truncated = r.number, text, long
		r.queue = append(r.queue, line)
		return
	}
	if ok {
		r.flush(r.pending != nil && r.pending.format.always)
		line.Number, line.Text, line.Truncated = r.number, text, long
		r.pending, r.size = &line, 0
		if r.pending.complete() {
			r.flush(false)
		}
		return
	}
	if r.pending == nil {
		if strings.TrimSpace(text) != "" {
			r.queue = append(r.queue, Line{Number: r.number, Text: text, Message: text, Truncated: long})
		}
		return
	}
	r.continueBlock(text, long)
}

func (r *Reader) continueBlock(text string, long bool) {
	done := false
	if r.pending.format.thread {
		if rest, thread, ok := cutThread(text); ok {
			text, r.pending.Thread, done = rest, thread, true
		}
	}
	if text == "" && !r.pending.format.always {
		done = true
	}
	r.pending.Truncated = r.pending.Truncated || long
	if text != "" {
		r.size += len(text)
		if len(r.pending.Block) < maxBlockLines && r.size <= maxBlockBytes {
			r.pending.Block = append(r.pending.Block, text)
		} else {
			r.pending.Truncated = true
		}
	}
	if done {
		r.flush(false)
	}
}

// flush ends the pending statement; cut says that something of it is missing.
func (r *Reader) flush(cut bool) {
	if r.pending == nil {
		return
	}
	r.pending.Truncated = r.pending.Truncated || cut
	r.queue = append(r.queue, *r.pending)
	r.pending = nil
}

// complete reports whether the statement ends with its first line of text. With a thread at the end
// of each statement that is plain to see; without, only a message that ends with a colon has a
// block, and an empty line ends it.
func (l *Line) complete() bool {
	switch {
	case !l.format.blocks:
		return true
	case l.format.always:
		return l.Thread != ""
	default:
		return !strings.HasSuffix(l.Message, ":")
	}
}

// ReadAll returns all statements of r, to its end. The last one is marked as Truncated when the
// log is cut within it.
func ReadAll(r io.Reader) ([]Line, error) {
	reader := NewReader(r)
	var lines []Line
	for {
		line, err := reader.Next()
		if errors.Is(err, io.EOF) {
			return append(lines, reader.Rest()...), nil
		}
		if err != nil {
			return append(lines, reader.Rest()...), err
		}
		lines = append(lines, line)
	}
}
