package progress

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// TestTail takes apart what arrives in any pieces.
func TestTail(t *testing.T) {
	for _, c := range []struct {
		pieces []string
		want   []string
	}{
		{nil, nil},
		{[]string{"one\ntwo\n"}, []string{"one", "two"}},
		{[]string{"o", "ne\nt", "wo"}, []string{"one", "two"}},
		{[]string{"10 %\r20 %\r", "done\r\n"}, []string{"10 %", "20 %", "done"}},
		{[]string{"\n \t\n  indented  \n"}, []string{"  indented"}},
	} {
		var each []string
		tail := &Tail{Each: func(line string) { each = append(each, line) }}
		for _, p := range c.pieces {
			if n, err := tail.Write([]byte(p)); n != len(p) || err != nil {
				t.Errorf("%q: wrote %d: %v", p, n, err)
			}
		}
		if got := tail.String(); got != strings.Join(c.want, "\n") || !slices.Equal(each, c.want) {
			t.Errorf("%q: kept %q, handed on %q", c.pieces, got, each)
		}
	}
	tail := &Tail{}
	for i := range TailLines + 5 {
		fmt.Fprintln(tail, i)
	}
	if got := strings.Split(tail.String(), "\n"); len(got) != TailLines || got[0] != "5" {
		t.Errorf("kept %q", got)
	}
}
