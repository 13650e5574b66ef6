package flow

import "testing"

// TestParsed reads URLs as they are given and as they are kept: the host is the same.
func TestParsed(t *testing.T) {
	for text, want := range map[string]string{
		"http://a:80/b?c#d":                     "http://a:80/b?c#d",
		"a:80":                                  "http://a:80",
		"http://u:p@a:80/b":                     "http://a:80/b",
		"http://«redacted 13 B»@a:80/?c=d@e":    "http://a:80/?c=d@e",
		"https://u@v@a/":                        "https://a/",
		"http://[::1]:80/b@c":                   "http://[::1]:80/b@c",
		"http://a?b=http://u:p@c/":              "http://a?b=http://u:p@c/",
		"http://«redacted 5 B, 2»@a/?q=«1 B»&r": "http://a/?q=«1 B»&r",
	} {
		u, err := Call{URL: text}.Parsed()
		if err != nil {
			t.Errorf("%s: %v", text, err)
			continue
		}
		if again, err := (Call{URL: want}).Parsed(); err != nil || u.String() != again.String() || u.User != nil {
			t.Errorf("%s is %s, want %s", text, u, want)
		}
	}
}
