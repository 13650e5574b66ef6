package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// Lock keeps other processes on this machine, of whatever user, from what has that name until it is closed or this process
// ends. It is an abstract socket, which leaves no file and which only one process can have. While another has it, Lock waits
// until ctx ends; after a second it calls waiting once with the words for who that is.
func Lock(ctx context.Context, name string, waiting func(holder string)) (io.Closer, error) {
	address := &net.UnixAddr{Net: "unix", Name: "@flowproof-" + name}
	told, tick := time.After(time.Second), time.NewTicker(20*time.Millisecond)
	defer tick.Stop()
	for {
		l, err := net.ListenUnix("unix", address)
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, unix.EADDRINUSE) {
			return nil, fmt.Errorf("lock %s: %w", name, err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("wait for %s: %w", lockHolder(address), ctx.Err())
		case <-told:
			waiting(lockHolder(address))
		case <-tick.C: // a socket's end is no event to those who do not hold it
		}
	}
}

// lockHolder names the process that listens.
func lockHolder(address *net.UnixAddr) string {
	const unknown = "another process"
	conn, err := net.DialUnix("unix", nil, address)
	if err != nil {
		return unknown
	}
	defer conn.Close()
	raw, err := conn.SyscallConn()
	if err != nil {
		return unknown
	}
	var cred *unix.Ucred
	err = raw.Control(func(fd uintptr) {
		cred, _ = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
	})
	if err != nil || cred == nil || cred.Pid <= 0 {
		return unknown
	}
	return fmt.Sprintf("process %d", cred.Pid)
}
