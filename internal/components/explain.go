package components

import (
	"errors"
	"strings"
)

// A symptom is a part of a program's output by which a cause is known, and what mends it.
type symptom struct {
	says []string // any of them, in lower case
	hint string
}

// symptoms are looked for in order.
var symptoms = []symptom{
	{[]string{"no space left on device", "disk quota exceeded"},
		"the disk is full: free some space, or choose another place with FLOWPROOF_CACHE, GOCACHE, GOMODCACHE"},
	{[]string{"checksum mismatch", "do not match the hashes", "hash mismatch", "hash sum mismatch",
		"does not match requested digest", "error verifying sha256 checksum",
		"does not match expected size"},
		"what was served is not what is pinned: do not use it; try again from another network"},
	{[]string{"keyring file not available", "release signed by unknown key", "gpgv"},
		"install the archive's keyring: debian-archive-keyring or ubuntu-keyring"},
	{[]string{"blob_unknown", "manifest_unknown", "name_unknown", "status code 404"},
		"the registry does not have it: check FLOWPROOF_REGISTRY and --istio; images need no registry with --images " +
			"built"},
	{[]string{"403 forbidden", "407 proxy", "401 unauthorized", "410 gone", "denied"},
		"the registry refused: check GOPROXY, pip's index, apt's sources and proxy settings"},
	{[]string{"no such host", "temporary failure in name resolution", "temporary failure resolving",
		"connection refused",
		"network is unreachable", "i/o timeout", "tls handshake timeout", "read timed out", "connection timed out",
		"could not connect", "failed getting release file", "no matching distribution found"},
		"the registry cannot be reached: check the network, GOPROXY, pip's index, apt's sources, FLOWPROOF_REGISTRY; " +
			"images need none with --images built"},
	{[]string{"cannot allocate memory", "signal: killed", "out of memory"},
		"memory ran out: linking Kubernetes needs about 2 GiB"},
	{[]string{"operation not permitted", "permission denied"},
		"this needs root, or a cache directory of your own: see lab doctor"},
}

// A failure is an error with the end of the output that explains it and, where the
// cause is known, what to do.
type failure struct {
	err    error
	output string
	hint   string
}

func (f *failure) Error() string {
	s := f.err.Error()
	if f.hint != "" {
		s += " (" + f.hint + ")"
	}
	if f.output != "" {
		s += "\nCommand Output:\n" + f.output
	}
	return s
}

func (f *failure) Unwrap() error { return f.err }

// explain adds to err what is known about its cause. It leaves alone what was explained before.
func explain(err error, output string) error {
	var known *failure
	if err == nil || errors.As(err, &known) {
		return err
	}
	text := strings.ToLower(err.Error() + "\n" + output)
	for _, s := range symptoms {
		for _, say := range s.says {
			if strings.Contains(text, say) {
				return &failure{err, output, s.hint}
			}
		}
	}
	if output != "" {
		return &failure{err, output, ""}
	}
	return err
}
