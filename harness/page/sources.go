package page

import "github.com/flowproof/lab/internal/lazyregexp"

// place is where a statement says that it stands: Envoy's log names the file by its path in the
// source, however its build has called the root of it.
var place = lazyregexp.New(`^(?:\./|external/envoy/)?(source/[A-Za-z0-9_/]+\.(?:cc|h)):(\d+)$`)

// release is a version that Envoy's repository has a tag for.
var release = lazyregexp.New(`^\d+\.\d+\.\d+$`)

// SourceURL is the line of Envoy's source, at a version, that made a statement; "" where it is
// not known.
func SourceURL(version, source string) string {
	at := place.FindStringSubmatch(source)
	if at == nil || !release.MatchString(version) {
		return ""
	}
	return "https://github.com/envoyproxy/envoy/blob/v" + version + "/" + at[1] + "#L" + at[2]
}
