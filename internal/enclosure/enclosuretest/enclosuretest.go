//go:build linux

// Package enclosuretest is for tests of what runs in an enclosure: they have to see that
// nothing of it stays.
package enclosuretest

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"testing"
	"time"

	"github.com/flowproof/lab/internal/enclosure"
	"github.com/flowproof/lab/internal/wait"
)

// AwaitNothing waits until the control socket, the cgroups and the directory of an
// enclosure are gone.
func AwaitNothing(t *testing.T, kind enclosure.Kind, name string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), enclosure.Deadline)
	defer cancel()
	if err := kind.AwaitGone(ctx, name); err != nil {
		t.Fatal(err)
	}
	traces, err := kind.Traces(name)
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range traces {
		late := wait.Until(ctx, 20*time.Millisecond, func() (bool, error) {
			_, err := os.Lstat(path)
			return errors.Is(err, fs.ErrNotExist), nil
		})
		if late != nil {
			t.Fatalf("%s is left", path)
		}
	}
}
