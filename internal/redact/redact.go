// Package redact takes secrets out of what the lab keeps or shows. It goes by meaning: of a header
// or a query parameter it shows the value where its name is on a list of what is harmless, and of
// free text it hides what is a secret by its form or by the name before it. It is applied before
// anything reaches disk or screen.
//
// Where a secret stood, its length stands: «redacted 12 B». In one process equal values have equal
// marks and different values different ones, so that what was compared before can be compared
// afterwards with the same result: the second value of 12 bytes is «redacted 12 B, 2». Nothing of
// the value itself is in its mark.
package redact

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"sync"

	"github.com/flowproof/lab/internal/lazyregexp"
)

// Masked is the word that Envoy's own config_dump writes in place of a secret.
const Masked = "[redacted]"

// maskedBytes is Masked in base64, as config_dump writes it into inline_bytes.
const maskedBytes = "W3JlZGFjdGVkXQ=="

// markForm is the form of a mark, for use in other expressions.
const markForm = `«redacted [0-9]+ B(?:, [0-9]+)?»`

var (
	aMark    = lazyregexp.New(markForm)
	onlyMark = lazyregexp.New(`^(?:` + markForm + `)$`)
)

// marks gives each value its number among the values of its length. A value's digest is
// kept, never the value.
var marks = struct {
	sync.Mutex
	number map[[sha256.Size]byte]int
	count  map[int]int // values by length
}{number: map[[sha256.Size]byte]int{}, count: map[int]int{}}

// Mark returns what stands in place of a secret value. An empty value is no secret, and what is a
// mark already stays.
func Mark(value string) string {
	if value == "" || value == Masked || value == maskedBytes || onlyMark.MatchString(value) {
		return value
	}
	marks.Lock()
	defer marks.Unlock()
	digest := sha256.Sum256([]byte(value))
	number := marks.number[digest]
	if number == 0 {
		marks.count[len(value)]++
		number = marks.count[len(value)]
		marks.number[digest] = number
	}
	if number == 1 {
		return fmt.Sprintf("«redacted %d B»", len(value))
	}
	return fmt.Sprintf("«redacted %d B, %d»", len(value), number)
}

// escapedMark is a mark that stood in a URL of which all was escaped that may not stand there,
// or only the blanks.
var escapedMark = lazyregexp.New(`(?:«|%C2%AB)redacted%20([0-9]+)%20B(?:,%20([0-9]+))?(?:»|%C2%BB)`)

// unescape writes marks in a URL as they are written everywhere else.
func unescape(text string) string {
	if !strings.Contains(text, "redacted%20") {
		return text
	}
	return replace(escapedMark, text, func(m []string) string {
		if m[2] != "" {
			return "«redacted " + m[1] + " B, " + m[2] + "»"
		}
		return "«redacted " + m[1] + " B»"
	})
}

// Hidden reports whether a part of text was a secret: what it says cannot be read any more, only
// compared as a whole.
func Hidden(text string) bool {
	return strings.Contains(text, "«redacted ") && aMark.MatchString(text) || strings.Contains(text, Masked)
}

// Shown returns the parts of text, which may be a URL, that are no marks: what is hidden has not
// the bytes of its mark.
func Shown(text string) string {
	if !strings.Contains(text, "redacted") {
		return text
	}
	return aMark.ReplaceAllString(unescape(text), "")
}
