package screen

import "testing"

func TestMiddle(t *testing.T) {
	for _, c := range []struct {
		text    string
		columns int
		want    string
	}{
		{"short", 10, "short"},
		{"outbound|8080||fortio-server-l2.mark.svc.cluster.local", 40, "outbound|8080||fortio-server-l2.mark…"},
		{"outbound|8080||fortio-server-l2.mark.svc.cluster.local", 30, "outbound|8080||…erver-l2.mark…"},
		{"信道信道信道", 7, "信…信道"},
		{"abc", 1, "abc"},
	} {
		if got := Middle(c.text, c.columns); got != c.want {
			t.Errorf("%s in %d: %q, want %q", c.text, c.columns, got, c.want)
		}
	}
}

func TestEnd(t *testing.T) {
	for _, c := range []struct {
		text    string
		columns int
		want    string
	}{
		{"short", 10, "short"},
		{"matched by a destination port", 20, "matched by a…"},
		{"matched by destination port", 24, "matched by destination…"},
		{"abcdefghij", 5, "abcd…"},
		{"one, two", 6, "one…"},
		{"x", 0, ""},
	} {
		if got := End(c.text, c.columns); got != c.want {
			t.Errorf("%s in %d: %q, want %q", c.text, c.columns, got, c.want)
		}
	}
}
