package match

import (
	"strings"

	"github.com/flowproof/lab/harness/configdump"
)

// Substitute applies envoy.type.matcher.v3.RegexMatchAndSubstitute: every match is
// replaced, \1 is a group.
func Substitute(v configdump.Value, s string) string {
	p := SearchPattern(v.Get("pattern", "regex").Text())
	substitution := v.Get("substitution").Text()
	if p == nil || highestGroup(substitution) > p.NumSubexp() {
		return s // RE2::GlobalReplace changes nothing when the substitution names a group that there is not
	}
	return fromLatin1(p.ReplaceAllString(Latin1(s), Latin1(goTemplate(substitution))))
}

// highestGroup returns the highest \N in a substitution.
func highestGroup(s string) int {
	highest := 0
	for i := 0; i+1 < len(s); i++ {
		if s[i] == '\\' {
			if c := s[i+1]; c >= '0' && c <= '9' {
				highest = max(highest, int(c-'0'))
			}
			i++
		}
	}
	return highest
}

// goTemplate turns RE2's \1 into Go's ${1}.
func goTemplate(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s) && s[i+1] >= '0' && s[i+1] <= '9':
			b.WriteString("${" + s[i+1:i+2] + "}")
			i++
		case s[i] == '\\' && i+1 < len(s):
			b.WriteByte(s[i+1])
			i++
		case s[i] == '$':
			b.WriteString("$$")
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
