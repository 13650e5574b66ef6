//go:build !linux

package run

import (
	"errors"

	"github.com/flowproof/lab/harness/observe/sockets"
)

func destroySockets(int, []sockets.Row) error {
	return errors.New("this machine has no SOCK_DESTROY (run it on Linux)")
}
