package flow

import "testing"

func TestSameRequestID(t *testing.T) {
	const id = "58759b51-2b82-4c4a-96d4-d485264bf2a5"
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{id, id, true},
		{id, "58759b51-2b82-9c4a-96d4-d485264bf2a5", true}, // Envoy wrote its trace reason
		{id, "58759b51-2b82-4c5a-96d4-d485264bf2a5", false},
		{id, "58759b51-2b82-4c4a-96d4-d485264bf2a6", false},
		{id, "58759b51-2b83-4c4a-96d4-d485264bf2a5", false},
		{id, id[:35], false},
		{"", "", false},
		{"not-a-uuid", "not-a-uuid", true},
	} {
		if got := SameRequestID(c.a, c.b); got != c.same {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
	}
}
