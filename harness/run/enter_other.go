//go:build !linux

package run

import (
	"context"
	"errors"
)

// commandFromHost is for Linux alone.
func commandFromHost(context.Context, int, []string) ([]byte, error) { return nil, errNotLinux }

var errNotLinux = errors.New("network namespaces are Linux's (run the lab there)")
