//go:build linux && amd64

package capture

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"
	"strconv"
	"time"
	"unsafe"

	"github.com/flowproof/lab/harness/observe/trace"
	"golang.org/x/sys/unix"
)

// redirected asks the kernel, for every connection that an Envoy had open when the watch began,
// where it was dialled before REDIRECT. Envoy itself asked when it accepted the connection, and
// that was not seen; conntrack still knows. The descriptor is borrowed (pidfd_getfd, Linux 5.6),
// which needs CAP_SYS_PTRACE; without it nothing is told.
func redirected(pid int, pod string) []trace.Event {
	process, err := unix.PidfdOpen(pid, 0)
	if err != nil {
		return nil
	}
	defer unix.Close(process)
	entries, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", pid))
	if err != nil {
		return nil
	}
	var events []trace.Event
	for _, entry := range entries {
		number, err := strconv.Atoi(entry.Name())
		if err != nil {
			continue
		}
		fd, err := unix.PidfdGetfd(process, number, 0)
		if err != nil {
			continue
		}
		if e, ok := askRedirected(fd); ok {
			e.Pod, e.FD, e.Time = pod, int32(number), time.Now()
			events = append(events, e)
		}
		_ = unix.Close(fd)
	}
	return events
}

// askRedirected asks about one descriptor; ok is false for one that is no
// redirected IPv4 connection.
func askRedirected(fd int) (trace.Event, bool) {
	local, err := unix.Getsockname(fd)
	if err != nil {
		return trace.Event{}, false
	}
	remote, err := unix.Getpeername(fd)
	if err != nil {
		return trace.Event{}, false
	}
	e := trace.Event{Kind: trace.Redirected, Local: endOf(local), Remote: endOf(remote)}
	if !e.Local.IsValid() || !e.Remote.IsValid() {
		return trace.Event{}, false
	}
	var raw [16]byte // struct sockaddr_in
	size := uint32(len(raw))
	const originalDst = 80 // SO_ORIGINAL_DST: include/uapi/linux/netfilter_ipv4.h
	if _, _, errno := unix.Syscall6(unix.SYS_GETSOCKOPT, uintptr(fd), unix.SOL_IP, originalDst,
		uintptr(unsafe.Pointer(&raw)), uintptr(unsafe.Pointer(&size)), 0); errno != 0 {
		return trace.Event{}, false
	}
	e.Address = netip.AddrPortFrom(netip.AddrFrom4([4]byte(raw[4:8])), binary.BigEndian.Uint16(raw[2:]))
	return e, e.Address != e.Local && e.Address != e.Remote // conntrack also knows connections that nothing redirected
}

func endOf(a unix.Sockaddr) netip.AddrPort {
	switch a := a.(type) {
	case *unix.SockaddrInet4:
		return netip.AddrPortFrom(netip.AddrFrom4(a.Addr), uint16(a.Port))
	case *unix.SockaddrInet6:
		return netip.AddrPortFrom(netip.AddrFrom16(a.Addr).Unmap(), uint16(a.Port))
	}
	return netip.AddrPort{}
}
