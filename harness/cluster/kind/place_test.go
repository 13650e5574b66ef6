package kind

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/flowproof/lab/internal/exit"
)

func TestLabsDirectoryIsTheUsersAlone(t *testing.T) {
	me := os.Geteuid()
	for _, tt := range []struct {
		name string
		make func(path string) error
		uid  int
		why  string // part of the refusal; empty: it is good
	}{
		{"there is none", func(string) error { return nil }, me, ""},
		{"the user's alone", func(path string) error { return os.Mkdir(path, 0o700) }, me, ""},
		{"another user's", func(path string) error { return os.Mkdir(path, 0o700) }, me + 1, "another user"},
		{"others may read", func(path string) error { return os.Mkdir(path, 0o750) }, me, "0750"},
		{"a file", func(path string) error { return os.WriteFile(path, nil, 0o600) }, me, "not a directory"},
		{"a link", func(path string) error { return os.Symlink(os.TempDir(), path) }, me, "not a directory"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "flowproof")
			if err := tt.make(path); err != nil {
				t.Fatal(err)
			}
			err := checkOwn(path, tt.uid)
			if tt.why == "" && err == nil {
				return
			}
			if err == nil || tt.why == "" || !strings.Contains(err.Error(), tt.why) || exit.Code(err) != exit.Environment {
				t.Errorf("%v, want a refusal with %q", err, tt.why)
			}
		})
	}
}
