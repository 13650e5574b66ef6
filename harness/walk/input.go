package walk

import (
	"bufio"
	"context"
	"io"
	"strings"
)

// lines reads one line at a time, and only when one is asked for: in between the
// input may be a shell's.
type lines struct {
	r    *bufio.Reader
	next chan line
	wait bool // a line was asked for and has not come
}

type line struct {
	text string
	err  error
}

// maxLine bounds what is read of one line.
const maxLine = 4096

func newLines(r io.Reader) *lines {
	if r == nil {
		r = strings.NewReader("")
	}
	return &lines{r: bufio.NewReaderSize(r, maxLine), next: make(chan line, 1)}
}

// read returns the next line without its end. It ends when ctx does; the line that was asked for is
// then the next one's.
func (l *lines) read(ctx context.Context) (string, error) {
	if !l.wait {
		l.wait = true
		go func() {
			text, prefix, err := l.r.ReadLine()
			got := string(text)
			for prefix && err == nil {
				_, prefix, err = l.r.ReadLine()
			}
			l.next <- line{strings.TrimSpace(got), err}
		}()
	}
	select {
	case got := <-l.next:
		l.wait = false
		return got.text, got.err
	case <-ctx.Done():
		return "", context.Cause(ctx)
	}
}
