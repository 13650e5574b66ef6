package curl

import (
	"fmt"
	"strings"
)

// ReadConfig reads options of curl's from text as curl reads it with --config: one a line, a long
// one with or without its dashes, its value behind blanks, = or :, in quotes where it has blanks; #
// begins a comment. It returns them as arguments. An error names the line, and not what stands in
// it. Source: curl(1), -K, --config.
func ReadConfig(text string) ([]string, error) {
	var args []string
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		end := strings.IndexAny(line, " \t=:")
		if end < 0 {
			end = len(line)
		}
		name := line[:end]
		if !strings.HasPrefix(name, "-") {
			name = "--" + name
		}
		if !optionName.MatchString(strings.TrimPrefix(name, "--")) {
			return nil, fmt.Errorf("line %d: it begins with no option of curl's", number)
		}
		value := strings.TrimLeft(line[end:], " \t")
		if value != "" && (value[0] == '=' || value[0] == ':') {
			value = strings.TrimLeft(value[1:], " \t")
		}
		quoted := strings.HasPrefix(value, `"`)
		if quoted {
			var closed bool
			if value, closed = unquoted(value[1:]); !closed {
				return nil, fmt.Errorf("line %d: a quote is not closed", number)
			}
		} else {
			value, _, _ = strings.Cut(value, " #")
			value = strings.TrimSpace(value)
			if strings.ContainsAny(value, " \t") {
				return nil, fmt.Errorf("line %d: a value with blanks stands without quotes", number)
			}
		}
		args = append(args, name)
		if quoted || value != "" {
			args = append(args, value)
		}
	}
	return args, nil
}

// unquoted is a text up to the quote that ends it, with what a backslash stands for: \\,
// \", \t, \n, \r, \v.
func unquoted(text string) (value string, closed bool) {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '"':
			return b.String(), true
		case c == '\\' && i+1 < len(text):
			i++
			if at := strings.IndexByte("tnrv", text[i]); at >= 0 {
				b.WriteByte("\t\n\r\v"[at])
			} else {
				b.WriteByte(text[i])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", false
}
