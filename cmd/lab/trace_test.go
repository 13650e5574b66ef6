package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowproof/lab/cmd/lab/internal/exit"
)

// TestTraceRefuses says before anything runs, and without a cluster, what cannot be.
func TestTraceRefuses(t *testing.T) {
	for name, tt := range map[string]struct{ flag, value, want string }{
		"a level that there is not": {"--statements", "info", "is none of trace, debug"},
		"a bundle in no directory": {"--bundle", filepath.Join(t.TempDir(), "none", "run"),
			"make that directory first"},
		"a bundle over something else": {"--bundle", ".", "something else than a bundle"},
	} {
		t.Run(name, func(t *testing.T) {
			var errout bytes.Buffer
			code := Run(t.Context(), []string{"trace", "--from", "a", "--to", "http://b/", tt.flag, tt.value},
				Streams{In: strings.NewReader(""), Out: &errout, Err: &errout})
			if code != exit.Usage || !strings.Contains(errout.String(), tt.want) {
				t.Errorf("code %d, want %d with %q:\n%s", code, exit.Usage, tt.want, errout.String())
			}
		})
	}
}

// TestTraceNeedsBothEnds says in the class of wrong usage which end is missing.
func TestTraceNeedsBothEnds(t *testing.T) {
	for _, tt := range []struct{ given, value, missing string }{
		{"--from", "a", `"to"`}, {"--to", "http://b/", `"from"`},
	} {
		var errout bytes.Buffer
		code := Run(t.Context(), []string{"trace", tt.given, tt.value},
			Streams{In: strings.NewReader(""), Out: &errout, Err: &errout})
		if code != exit.Usage || !strings.Contains(errout.String(), tt.missing) {
			t.Errorf("with %s alone: code %d, want %d with %s:\n%s", tt.given, code, exit.Usage, tt.missing,
				errout.String())
		}
	}
}
