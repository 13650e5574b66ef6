package filters

import (
	"strings"
	"testing"
)

// TestRows holds that the catalogue is whole: what is computed is declared so, and what is
// not says what decides.
func TestRows(t *testing.T) {
	for category, rows := range Rows() {
		seen := map[string]bool{}
		for _, r := range rows {
			name := category + " " + r.Type
			if seen[r.Type] {
				t.Errorf("%s stands twice", name)
			}
			seen[r.Type] = true
			if !r.Computed && r.On == "" {
				t.Errorf("%s is not computed, and does not say what decides", name)
			}
			if !r.Computed && r.Can == Nothing {
				t.Errorf("%s can do nothing, which needs no computing", name)
			}
			if !strings.HasPrefix(r.Doc(), "https://") || r.Name == "" {
				t.Errorf("%s has no name or page", name)
			}
			if category == "envoy.filters.http" && computed[r.Type] != nil && !r.Computed {
				t.Errorf("%s is computed, and its row says that it is not", name)
			}
		}
	}
	for kind := range computed {
		if HTTP(kind, "") == nil {
			t.Errorf("%s is computed and has no row", kind)
		}
	}
}

func TestEffect(t *testing.T) {
	for want, e := range map[string]Effect{"nothing": Nothing, "answer": Answer,
		"answer, clear the route cache": Answer | Reroute} {
		if e.String() != want {
			t.Errorf("%s; expected %s", e, want)
		}
	}
}

// FuzzClaims reads tokens of all kinds: none may panic.
func FuzzClaims(f *testing.F) {
	f.Add("eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJ0ZXN0IiwiZXhwIjo0MTAyNDQ0ODAwfQ.AAAA", "iss")
	f.Add("a.b.c", "o.p")
	f.Fuzz(func(t *testing.T, token, name string) {
		if c, ok := claimsOf(token); ok {
			claimText(c.All, name)
		}
	})
}
