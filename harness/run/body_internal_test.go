package run

import (
	"strings"
	"testing"
)

// TestBody shows the beginning of a body: bounded, without secrets, also where one begins among
// what is shown and ends behind it, and without what could command a terminal.
func TestBody(t *testing.T) {
	secret := "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJqYXNvbiJ9." + strings.Repeat("A", 43)
	for _, c := range []struct {
		name, body string
		wanted     int
		want       string
	}{
		{"not asked for", "hello", 0, ""},
		{"all of it", "hello\n", 512, "hello\n"},
		{"its beginning", "hello world", 5, "hello"},
		{"signs of many bytes", "äöü", 2, "äö"},
		{"a terminal's", "a\x1b[31mb\x00", 512, `a\x1b[31mb\x00`},
		{"no body", "", 512, ""},
	} {
		s := &Session{body: c.wanted, sent: &sent{body: []byte(c.body)}}
		if got := s.Body(); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	for _, wanted := range []int{20, 40, 512} {
		s := &Session{body: wanted, sent: &sent{body: []byte(`{"access_token":"` + secret + `","a":1}`)}}
		if got := s.Body(); strings.Contains(got, "eyJ") {
			t.Errorf("the first %d bytes have a secret: %s", wanted, got)
		}
	}
	if (&Session{body: 5}).Body() != "" {
		t.Error("a request that was not sent has a body")
	}
}
