package infer

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// maxRequest bounds one line of a batch, in bytes.
const maxRequest = 1 << 20

// errLong is a line that is longer than maxRequest.
var errLong = fmt.Errorf("%w: the line is longer than %d KiB", ErrRequest, maxRequest>>10)

// lines reads the lines of a batch, one at a time, of any length: one that is too long is
// passed over and does not end the others.
type lines struct {
	r      *bufio.Reader
	number int // of the last line, from 1
	buffer []byte
}

func newLines(r io.Reader) *lines { return &lines{r: bufio.NewReaderSize(r, 64<<10)} }

// byteOrderMark is what editors on Windows put before the first line.
var byteOrderMark = []byte("\xef\xbb\xbf")

// next returns the next line without white space around it, which is valid until the next call. err
// is errLong for a line that is too long, io.EOF at the end, and else what reading failed with.
func (l *lines) next() (line []byte, err error) {
	l.buffer = l.buffer[:0]
	long := false
	for {
		part, err := l.r.ReadSlice('\n')
		if long = long || len(l.buffer)+len(part) > maxRequest; !long {
			l.buffer = append(l.buffer, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && (!errors.Is(err, io.EOF) || len(l.buffer) == 0 && !long) {
			return nil, err
		}
		break
	}
	l.number++
	if long {
		return nil, errLong
	}
	line = l.buffer
	if l.number == 1 {
		line = bytes.TrimPrefix(line, byteOrderMark)
	}
	return bytes.TrimSpace(line), nil
}
