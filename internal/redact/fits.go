package redact

import "strings"

// Fits reports whether text may be what pattern was before Envoy took secrets out of it: each
// Masked in pattern stands for any run of characters, as nothing is left there of the value. Our
// own marks stand for one value each, and fit themselves alone.
func Fits(pattern, text string) bool {
	pieces := strings.Split(pattern, Masked)
	rest, ok := strings.CutPrefix(text, pieces[0])
	if !ok || len(pieces) == 1 {
		return ok && rest == ""
	}
	for _, piece := range pieces[1 : len(pieces)-1] {
		_, after, found := strings.Cut(rest, piece)
		if !found {
			return false
		}
		rest = after
	}
	return strings.HasSuffix(rest, pieces[len(pieces)-1])
}
