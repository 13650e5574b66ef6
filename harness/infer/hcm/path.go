package hcm

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
)

// normalisePath does what the connection manager is told to do to a path before routing:
// normalize_path, merge_slashes and path_with_escaped_slashes_action.
func normalisePath(w *passage.Walk, path string) string {
	manager := w.HCM.At
	only := match.PathOnly(path)
	rest := path[len(only):]
	if hasEscapedSlash(only) {
		switch action, _ := escapedSlashes(w); action {
		case unescapeForward, unescapeRedirect:
			only = plainSlashes.Replace(only)
		}
	}
	if on, _ := normalizes(w); on {
		if strings.Contains(only, ".;") && w.Proxy.Guarded("strip_dotdot_segments_with_parameters") {
			only = plainDots(only)
		}
		only = canonicalPath(only)
	}
	if manager.Get("merge_slashes").Bool() && strings.Contains(only, "//") {
		only = mergeSlashes(only)
	}
	return only + rest
}

var plainSlashes = strings.NewReplacer("%2F", "/", "%2f", "/", "%5C", "\\", "%5c", "\\")

// Values of path_with_escaped_slashes_action by their numbers.
const (
	rejectSlashes    = "2"
	unescapeRedirect = "3"
	unescapeForward  = "4"
)

var slashActions = map[string]string{"": "0", "IMPLEMENTATION_SPECIFIC_DEFAULT": "0", "KEEP_UNCHANGED": "1",
	"REJECT_REQUEST": rejectSlashes, "UNESCAPE_AND_REDIRECT": unescapeRedirect, "UNESCAPE_AND_FORWARD": unescapeForward}

const managerKey = "http_connection_manager."

// normalizes says whether the manager resolves dot segments, and what says so: normalize_path, or
// where it is not set the runtime.
func normalizes(w *passage.Walk) (on bool, at configdump.Value) {
	if at = w.HCM.At.Get("normalize_path"); at.Exists() {
		return at.Bool(), at
	}
	const key = managerKey + "normalize_path"
	return feature(w, key, 0), w.Proxy.Runtime(key)
}

// escapedSlashes is the number of path_with_escaped_slashes_action, and what says so: the field, or
// where it leaves that open the runtime, which may also turn it off.
// (getPathWithEscapedSlashesAction)
func escapedSlashes(w *passage.Walk) (action string, at configdump.Value) {
	at = w.HCM.At.Get("path_with_escaped_slashes_action")
	if action = cmp.Or(slashActions[at.Text()], at.Text()); action == "0" {
		at = w.Proxy.Runtime(managerKey + "path_with_escaped_slashes_action")
		action = at.Text()
	}
	if action != "" && !feature(w, managerKey+"path_with_escaped_slashes_action_enabled", 100) {
		return "", at
	}
	return action, at
}

// feature draws whether the runtime turns something on, which Envoy asks when it makes the
// connection manager.
func feature(w *passage.Walk, key string, otherwise uint64) bool {
	on := w.Proxy.Percent(key, otherwise)
	return on == 100 || on > 0 && w.Lot(flow.WhatPath, w.Proxy.Runtime(key), on, 100,
		fmt.Sprintf("the runtime turns %s on for %d of 100 connection managers", key, on))
}

// mergeSlashes leaves one slash between two segments, and of a path of slashes the first and the
// last. (PathUtil::mergeSlashes)
func mergeSlashes(path string) string {
	first, last := "", ""
	if strings.HasPrefix(path, "/") {
		first = "/"
	}
	if strings.HasSuffix(path, "/") {
		last = "/"
	}
	return first + strings.Join(strings.FieldsFunc(path, func(r rune) bool { return r == '/' }), "/") + last
}

// plainDots takes the parameters from the segments . and .., which then are resolved.
func plainDots(path string) string {
	segments := strings.Split(path, "/")
	for i, s := range segments {
		if dots, _, ok := strings.Cut(s, ";"); ok && (dots == "." || dots == "..") {
			segments[i] = dots
		}
	}
	return strings.Join(segments, "/")
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
	return escaped("/" + strings.Join(out, "/"))
}

// escaped writes as %XX what may not stand in a path, and bytes beyond ASCII.
func escaped(path string) string {
	const hex = "0123456789ABCDEF"
	odd := func(c byte) bool { return c >= 0x80 || c <= ' ' || strings.IndexByte("\"<>^`{|}", c) >= 0 }
	var b strings.Builder
	b.Grow(len(path))
	for i := 0; i < len(path); i++ {
		if c := path[i]; odd(c) {
			b.WriteString("%" + string(hex[c>>4]) + string(hex[c&15]))
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
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
