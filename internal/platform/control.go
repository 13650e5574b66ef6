package platform

import "syscall"

// control calls ask with the descriptor of a connection.
func control(conn syscall.Conn, ask func(fd int) error) error {
	raw, err := conn.SyscallConn()
	if err != nil {
		return err
	}
	var failed error
	if err := raw.Control(func(fd uintptr) { failed = ask(int(fd)) }); err != nil {
		return err
	}
	return failed
}
