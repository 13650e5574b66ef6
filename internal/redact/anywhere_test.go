package redact

import (
	"strings"
	"testing"
)

// TestQueryIsTheSameAnywhere holds that of one path with a query the same is kept by itself, in a
// URL, in a log's line, in JSON, and once more of what was kept already: evidence of several
// instruments is compared by it.
func TestQueryIsTheSameAnywhere(t *testing.T) {
	for _, p := range []string{
		"/x?token=abcdefgh",
		"/x?page=/a?token=abcdefgh",
		"/x?header=Location:http://h/?ticket=abcdefgh&page=1",
		"/x?a;sig=abcdefgh&page=2",
		"/x?redirect_uri=https%3A%2F%2Fu:abcdefgh%40h%2F%3Fk%3Dijklmnop&state=abcdefgh",
		"/x?email=abcdefgh%40x.y&code=123456",
		"/x?header=Set-Cookie:sid=abcdefgh&header=WWW-Authenticate:Basic+realm=abcdefgh",
	} {
		want := path(p)
		for _, c := range []struct{ around, what string }{
			{"P", "by itself"}, {"http://h:80P", "in a URL"}, {"GET P HTTP/1.1", "in a request line"},
			{"':path', 'P'", "in Envoy's log"}, {`{"path":"P","method":"GET"}`, "in JSON"},
		} {
			once := Text(strings.Replace(c.around, "P", p, 1))
			if got := strings.Replace(c.around, "P", want, 1); once != got {
				t.Errorf("%s %s:\n%s, want\n%s", p, c.what, once, got)
			}
			if again := Text(once); again != once {
				t.Errorf("%s %s, once more:\n%s, want\n%s", p, c.what, again, once)
			}
		}
	}
}
