//go:build !linux

package run

import (
	"context"
	"errors"

	"github.com/flowproof/lab/harness/observe/instrument"
)

// commandFromHost is for Linux alone.
func commandFromHost(context.Context, int, instrument.Command) ([]byte, error) {
	return nil, errNotLinux
}

var errNotLinux = errors.New("network namespaces are Linux's (run the lab there)")
