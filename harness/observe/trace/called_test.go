package trace

import "testing"

// TestCalled counts filters only where the last of them is known.
func TestCalled(t *testing.T) {
	filter, router := &Event{Text: headersCalled}, &Event{Text: headersRouted}
	for name, c := range map[string]struct {
		stream []*Event
		sentOn bool
		want   int
	}{
		"to the router":              {[]*Event{filter, filter, router, filter}, true, 3},
		"answered by the second":     {[]*Event{filter, filter}, false, 2},
		"sent on, the rest not told": {[]*Event{filter, filter}, true, 0},
		"a router alone":             {[]*Event{router}, true, 0},
		"answered by the router":     {[]*Event{filter, router}, false, 2},
	} {
		if _, n := called(c.stream, c.sentOn); n != c.want {
			t.Errorf("%s: %d, want %d", name, n, c.want)
		}
	}
}
