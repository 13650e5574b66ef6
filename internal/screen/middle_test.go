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

// TestOnlyASCII tells by the locale whether a terminal shows more than ASCII; the first of the
// variables that is set decides.
func TestOnlyASCII(t *testing.T) {
	for _, c := range []struct {
		all, ctype, lang string
		want             bool
	}{
		{"", "", "", false}, {"C", "", "en_US.UTF-8", true}, {"", "", "POSIX", true}, {"C.UTF-8", "", "", false},
		{"", "", "en_US.utf8", false}, {"", "", "de_DE.ISO-8859-15@euro", true}, {"", "ja_JP.eucJP", "C.UTF-8", true},
		{"", "", "en_US", false},
	} {
		locale := map[string]string{"LC_ALL": c.all, "LC_CTYPE": c.ctype, "LANG": c.lang}
		if got := onlyASCII(func(name string) string { return locale[name] }); got != c.want {
			t.Errorf("%v: %v", locale, got)
		}
	}
}
