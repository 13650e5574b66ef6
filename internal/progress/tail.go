package progress

import (
	"bytes"
	"strings"
)

// TailLines is how many of a program's last lines a Tail keeps.
const TailLines = 20

// A Tail takes what a program writes apart into lines, hands each on and keeps the last. Blank
// lines are left out. A carriage return ends a line too: programs draw their progress with it.
type Tail struct {
	Each func(line string) // nil: they are handed to no one

	kept    []string
	partial []byte
}

// Write never fails.
func (t *Tail) Write(p []byte) (int, error) {
	t.partial = append(t.partial, p...)
	for {
		i := bytes.IndexAny(t.partial, "\r\n")
		if i < 0 {
			return len(p), nil
		}
		t.take(string(t.partial[:i]))
		t.partial = t.partial[i+1:]
	}
}

// String ends a last line that has no end, and returns the lines that are kept.
func (t *Tail) String() string {
	t.take(string(t.partial))
	t.partial = nil
	return strings.Join(t.kept, "\n")
}

func (t *Tail) take(line string) {
	if line = strings.TrimRight(line, " \t"); line == "" {
		return
	}
	if t.Each != nil {
		t.Each(line)
	}
	if t.kept = append(t.kept, line); len(t.kept) > TailLines {
		t.kept = t.kept[1:]
	}
}
