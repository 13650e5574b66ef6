//go:build !linux

package script

import (
	"context"
	"errors"
)

// netfilterFromHost is for Linux alone.
func netfilterFromHost(context.Context, int) (rules, conntrack []byte, err error) {
	return nil, nil, errNotLinux
}

// commandFromHost is for Linux alone.
func commandFromHost(context.Context, int, []string) ([]byte, error) { return nil, errNotLinux }

var errNotLinux = errors.New("network namespaces are Linux's (run the lab there)")
