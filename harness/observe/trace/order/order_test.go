package order

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/golden"
)

// told makes a story of lines, a microsecond apart.
func told(lines ...string) []Line {
	var story []Line
	for i, text := range lines {
		story = append(story, Line{&trace.Event{Pod: "server.mark", Time: time.Unix(0, int64(i)*1000)}, text})
	}
	return story
}

func TestOrder(t *testing.T) {
	story := told(
		"envoy wrk:worker_0 fd 30: accept 10.0.0.9:1 → 10.0.0.2:15006",
		"envoy wrk:worker_1 fd 39: accept 10.0.0.1:5000 → 10.0.0.2:15006",
		"envoy wrk:worker_0 fd 30: close",
		`envoy wrk:worker_1 fd 39: recv(MSG_PEEK) 134 bytes, "GET / HTTP/1.1"`,
		`envoy wrk:worker_1 fd 39: filter.chain = "0.0.0.0_8080"`,
		"envoy wrk:worker_1 fd 39: read 134 bytes",
		"envoy wrk:worker_1 fd 41: connect 127.0.0.6:42 → 10.0.0.2:8080",
		"envoy wrk:worker_1 fd 41: write 140 bytes",
		"envoy wrk:worker_1 fd 39: write 75 bytes",
	)
	tests := []struct {
		name, pattern string
		known         Binding
		want          string // in the error; "": it holds
	}{
		{"in order", "envoy $w fd $d: accept $c → *:15006\nenvoy $w fd $d: read * bytes\nenvoy $w fd $d: write * bytes",
			nil, ""},
		{"comments, blank lines, and blanks between words", "# First.\n\n  envoy  $w fd $d:  accept *\n", nil, ""},
		{"the first that fits is not the one: the search goes back",
			"envoy $w fd $d: accept *\nenvoy $w fd $d: read *", nil, ""},
		{"one name, one meaning", "envoy $w fd $d: read *\nenvoy $w fd $d: connect *", nil,
			"p.events:2: no such event: envoy wrk:worker_1 fd 39: connect *"},
		{"a name that is known already", "envoy * fd 41: connect 127.0.0.6:* → $SERVER:8080",
			Binding{"SERVER": "10.0.0.2"}, ""},
		{"and known to be another", "envoy * fd 41: connect 127.0.0.6:* → $SERVER:8080", Binding{"SERVER": "10.0.0.3"},
			"no such event: envoy * fd 41: connect 127.0.0.6:* → 10.0.0.3:8080\nthe nearest is\n\t6 µs  envoy " +
				"wrk:worker_1 fd 41: connect"},
		{"too early", "envoy * fd 41: connect *\nenvoy * fd $d: accept *", nil,
			"no such event: envoy * fd $d: accept *\nafter\n\t6 µs  envoy wrk:worker_1 fd 41: connect 127.0.0.6:42 → " +
				"10.0.0.2:8080\nit comes too early\n\t1 µs"},
		{"nothing in between", "envoy $w fd 39: accept *\nno envoy $w fd 39: write *\nenvoy $w fd 41: connect *",
			nil, ""},
		{"something in between", "envoy $w fd 39: accept *\nno envoy $w fd 39: read *\nenvoy $w fd 41: connect *", nil,
			"p.events:2: this must not happen here, and it did: envoy wrk:worker_1 fd 39: read *\n\t5 µs"},
		{"the first of several is before what must not be", "no *: close\n*: accept *", nil, ""},
		{"nothing afterwards", "*: accept *\n*fd 39: write *\nno *: write *", nil, ""},
		{"something afterwards", "*fd 41: write *\nno *: write *", nil,
			"p.events:2: this must not happen here, and it did: *: write *\n\t8 µs  envoy wrk:worker_1 fd 39: write " +
				"75 bytes\nafter\n\t7 µs"},
		{"what must not be comes after what was sought", "no * connect *\n*: recv(MSG_PEEK) *", nil, ""},
		{"no wildcard but * and names", "envoy wrk:worker_. fd 39: read 134 bytes", nil,
			"no such event: envoy wrk:worker_. fd 39"},
		{"nothing is like it", "quic", nil, "p.events:1: no such event: quic"},
		{"twice in a line", "envoy wrk:$w fd $w: *", nil, "no such event"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := ParsePattern("p.events", tt.pattern)
			if err != nil {
				t.Fatal(err)
			}
			_, err = p.Find(t.Context(), story, tt.known)
			switch {
			case tt.want == "" && err != nil:
				t.Error(err)
			case tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("error %v\nwant %s", err, tt.want)
			}
		})
	}
	if _, err := ParsePattern("p.events", "*\nno\n"); err == nil ||
		!strings.Contains(err.Error(), `read p.events:2: there is no event after "no"`) {
		t.Errorf("a no alone: %v", err)
	}
	for _, empty := range []string{"", "# Only words.\n", "no such event"} {
		if _, err := ParsePattern("p.events", empty); err == nil ||
			!strings.Contains(err.Error(), "read p.events: there is no event in it") {
			t.Errorf("%q: %v", empty, err)
		}
	}
	p, _ := ParsePattern("p.events", "*")
	if _, err := p.Find(t.Context(), nil, nil); err == nil ||
		!strings.Contains(err.Error(), "there is no event at all") {
		t.Errorf("nothing was seen: %v", err)
	}
}

// TestLine holds one line against one event.
func TestLine(t *testing.T) {
	for _, tt := range []struct {
		line, event string
		known       Binding
		want        string // of the names that are new; "-": it does not fit
	}{
		{"a * c", "a b b c", nil, "map[]"},
		{"a * c", "a c", nil, "-"},
		{"*", "", nil, "map[]"},
		{"$x", "", nil, "-"},
		{"a b", "a b c", nil, "-"},
		{"* b", "a b b", nil, "map[]"},
		{"* b", "a b c", nil, "-"},
		{"$x: *", "a b: c", nil, "-"},
		{"$x*", "äb", nil, "map[x:ä]"},
		{"fd $d,*", "fd 3,fd 4,", nil, "map[d:3]"},
		{"a $x.$y", "a 1.2.3", nil, "map[x:1 y:2.3]"},
		{"a.c", "abc", nil, "-"},
		{"$X = $Y", "$Y = *", Binding{"X": "$Y", "Y": "*"}, "map[]"},
		// What a known name stands for is text, and no pattern.
		{"accept $from", "accept *:15006", Binding{"from": "*:15006"}, "map[]"},
		{"accept $from", "accept 10.0.0.9:15006", Binding{"from": "*:15006"}, "-"},
		{"read \"$line\"", "read \"GET /$x HTTP/1.1\"", Binding{"line": "GET /$x HTTP/1.1"}, "map[]"},
		{"read \"$line\"", "read \"GET /1 HTTP/1.1\"", Binding{"line": "GET /$x HTTP/1.1"}, "-"},
		// A name that comes twice: what fits first need not be what comes again.
		{"* $x * $x *", "a 1 2 3 2 b", nil, "map[x:2]"},
		{"* $x * $x *", "a 1 2 3 4 b", nil, "-"},
		{"$x$x", "abab", nil, "map[x:ab]"},
		{"$x$x", "aba", nil, "-"},
		{"* $x * $y $x $y *", "0 1 2 3 1 4 2 3 2 3 0", nil, "map[x:2 y:3]"},
		// Blanks.
		{"read  \"GET  /\"", "read \"GET  /\"", nil, "map[]"},
		{"GET $q", "GET  a  b", Binding{"q": "a  b"}, "map[]"},
		{"a $x", "a\tb", nil, "map[x:b]"},
	} {
		p, err := ParsePattern("p.events", tt.line)
		if err != nil {
			t.Fatal(err)
		}
		got := "-"
		if m, err := p.Find(t.Context(), told(tt.event), tt.known); err == nil {
			for name := range tt.known {
				delete(m.Names, name)
			}
			got = fmt.Sprint(map[string]string(m.Names))
		}
		if got != tt.want {
			t.Errorf("%q on %q, where %v: %s, want %s", tt.line, tt.event, tt.known, got, tt.want)
		}
	}
}

// busy is a story of many events that are alike.
func busy(n int) []Line {
	var texts []string
	for i := range n {
		texts = append(texts, fmt.Sprintf("envoy wrk:worker_0 fd %d: read %d bytes", i, i))
	}
	return told(texts...)
}

// TestOpenPattern searches where nothing fits: what later lines do not use must not multiply the
// ways, and where they are many all the same, the search ends with a word that helps.
func TestOpenPattern(t *testing.T) {
	const fresh = "envoy $a fd $b: read $c bytes\nenvoy $d fd $e: read $f bytes\nenvoy $g fd $h: read $i " +
		"bytes\nenvoy $j fd $k: read $l bytes\n"
	for _, tt := range []struct {
		name, pattern string
		events        int
		kind          fault.Kind
		want          string
	}{
		{"names that nothing uses again", fresh + "quic", 2000, fault.Environment, "p.events:5: no such event: quic"},
		{"a name that is used at the end", fresh + "quic $b", 500, fault.Environment,
			"p.events:5: no such event: quic 0"},
		{"names that are all used at the end", fresh + "quic $b $e $h $k", 2000, fault.Usage,
			"search p.events: the pattern is too open: 2000 events can be taken for its lines in too many ways"},
		{"a line that is too open", "*" + strings.Repeat("$a*$b*$c*", 3) + "quic$a$b$c", 2000, fault.Usage,
			"the pattern is too open"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, err := ParsePattern("p.events", tt.pattern)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.Find(t.Context(), busy(tt.events), nil); fault.Of(err) != tt.kind ||
				!strings.Contains(err.Error(), tt.want) {
				t.Errorf("kind %q: %v\nwant %q: %s", fault.Of(err), err, tt.kind, tt.want)
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		p, _ := ParsePattern("p.events", fresh+"quic $b $e $h $k")
		if _, err := p.Find(ctx, busy(2000), nil); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}

// TestOrderOfARecordedRequest finds the story of a recorded request, and says what names stand for.
func TestOrderOfARecordedRequest(t *testing.T) {
	r := recording(t)
	var story []Line
	for _, l := range Story(r, r.About(trace.Selection{RequestID: requestID})) {
		if l.Event.Pod == "fortio-server.mark" {
			story = append(story, l)
		}
	}
	text, err := os.ReadFile(filepath.Join("testdata", "cold.events"))
	if err != nil {
		t.Fatal(err)
	}
	p, err := ParsePattern("cold.events", string(text))
	if err != nil {
		t.Fatal(err)
	}
	m, err := p.Find(t.Context(), story, Binding{"SERVER": "172.21.206.198"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"worker": "wrk:worker_1", "down": "39", "up": "42",
		"client": "172.21.206.197:58524", "own": "127.0.0.6:34830"} {
		if m.Names[name] != want {
			t.Errorf("$%s is %s, want %s", name, m.Names[name], want)
		}
	}
	var out strings.Builder
	if err := WriteLines(&out, m.Lines, false, 0); err != nil {
		t.Fatal(err)
	}
	golden.Equal(t, filepath.Join("testdata", "cold.story"), out.String())

	// Each line matters: without its event the order does not hold, unless another
	// event is the same.
	for i, l := range m.Lines {
		var without []Line
		for _, other := range story {
			if other.Text != l.Text {
				without = append(without, other)
			}
		}
		if _, err := p.Find(t.Context(), without, Binding{"SERVER": "172.21.206.198"}); err == nil {
			t.Errorf("without event %d, %s, the order still holds", i, l.Text)
		}
	}
}

func FuzzPattern(f *testing.F) {
	f.Add("envoy $w fd $d: read *\nno *: write *\n$w",
		"envoy wrk:worker_1 fd 39: read 1 bytes\nenvoy wrk:worker_1 fd 39: write 1 bytes")
	f.Add("$a $a\n**$b", "x x\ny")
	f.Add("no \xff$", "\xff")
	f.Add("* $x * $x *\nno $x\n*$x$x*", "a 1 2 3 2 b\n1\n11")
	f.Fuzz(func(t *testing.T, pattern, text string) {
		p, err := ParsePattern("fuzz", pattern)
		if err != nil {
			return
		}
		story := told(strings.Split(text, "\n")...)
		m, err := p.Find(t.Context(), story[:min(len(story), 20)], Binding{"w": "wrk:worker_1"})
		if err != nil {
			if err.Error() == "" {
				t.Error("an error without words")
			}
			return
		}
		for i := 1; i < len(m.Lines); i++ {
			if !m.Lines[i-1].Event.Time.Before(m.Lines[i].Event.Time) {
				t.Errorf("found out of order: %q", m.Lines)
			}
		}
	})
}
