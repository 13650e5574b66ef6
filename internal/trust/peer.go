package trust

import (
	"context"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"syscall"

	"github.com/flowproof/lab/internal/platform"
)

// Dial connects to a socket of this user's own or of root's. Its directory is looked at before, and
// afterwards the kernel is asked who listens (SO_PEERCRED, unix(7)); ErrUntrusted is in the chain
// of the error when it is another user.
func Dial(ctx context.Context, path string) (net.Conn, error) {
	if err := Path(filepath.Dir(path)); err != nil {
		return nil, err
	}
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if err != nil {
		return nil, err
	}
	if err := Peer(conn.(*net.UnixConn)); err != nil {
		_ = conn.Close()
		return nil, fmt.Errorf("speak with the process behind %s: %w", path, err)
	}
	return conn, nil
}

// Peer returns nil when the process at the other end of a connected socket is
// root's or this user's.
func Peer(conn syscall.Conn) error {
	peer, err := platform.PeerOf(conn)
	if err != nil {
		return err
	}
	if peer.UID != 0 && peer.UID != os.Geteuid() {
		return fmt.Errorf("%w: process %d of user %d is at the other end", ErrUntrusted, peer.PID, peer.UID)
	}
	return nil
}

// A Listener accepts connections of root's and of this user's processes only; those of others
// are closed unheard.
type Listener struct{ *net.UnixListener }

// Accept waits for the next connection.
func (l Listener) Accept() (net.Conn, error) {
	for {
		conn, err := l.AcceptUnix()
		if err != nil {
			return nil, err
		}
		if Peer(conn) == nil {
			return conn, nil
		}
		_ = conn.Close()
	}
}
