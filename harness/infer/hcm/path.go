package hcm

import (
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/match"
)

// normalisePath does what the connection manager is told to do to a path before routing:
// normalize_path, merge_slashes and path_with_escaped_slashes_action.
func normalisePath(manager configdump.Message, path string) string {
	only := match.PathOnly(path)
	rest := path[len(only):]
	switch manager.Get("path_with_escaped_slashes_action").Text() {
	case "UNESCAPE_AND_FORWARD", "UNESCAPE_AND_REDIRECT", "3", "4":
		only = strings.NewReplacer("%2F", "/", "%2f", "/", "%5C", "\\", "%5c", "\\").Replace(only)
	}
	if manager.Get("normalize_path").Bool() {
		only = canonicalPath(only)
	}
	if manager.Get("merge_slashes").Bool() {
		for strings.Contains(only, "//") {
			only = strings.ReplaceAll(only, "//", "/")
		}
	}
	return only + rest
}

// canonicalPath resolves dot segments, turns backslashes into slashes and decodes escaped
// unreserved characters, as RFC 3986 section 6 and PathUtil::canonicalPath do.
func canonicalPath(path string) string {
	if !strings.HasPrefix(path, "/") {
		return path
	}
	path = strings.ReplaceAll(decodeUnreserved(path), "\\", "/")
	var out []string
	segments := strings.Split(path[1:], "/")
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case ".":
			if last {
				out = append(out, "")
			}
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, s)
		}
	}
	return "/" + strings.Join(out, "/")
}

// decodeUnreserved decodes %XX of letters, digits and -._~ and leaves other escapes as they are.
func decodeUnreserved(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if c, err := strconv.ParseUint(s[i+1:i+3], 16, 8); err == nil && unreserved(byte(c)) {
				b.WriteByte(byte(c))
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}
