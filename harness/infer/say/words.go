// Package say has the few turns of phrase that sentences about a way are made of.
package say

import (
	"fmt"
	"strings"
)

// OrNone is a text, or none where it is empty.
func OrNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// Join makes one sentence of its parts, leaving out what is empty.
func Join(parts ...string) string {
	var kept []string
	for _, p := range parts {
		if p != "" {
			kept = append(kept, p)
		}
	}
	return strings.Join(kept, "; ")
}

// List joins names for a sentence and keeps it readable when there are many.
func List(names []string) string {
	const shown = 6
	text := ""
	for i, n := range names {
		if i == shown {
			return fmt.Sprintf("%s and %d more", text, len(names)-shown)
		}
		if i > 0 {
			text += ", "
		}
		text += n
	}
	return text
}
