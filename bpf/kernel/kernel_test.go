//go:build linux && amd64

package kernel

import (
	"net/netip"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/bpf/internal/probetest"
	"github.com/flowproof/lab/bpf/probe"
)

func TestMain(m *testing.M) { probetest.Main(m) }

// talk makes one connection over loopback, says request on it and answer back, and closes it, with
// the system calls that Envoy makes.
func talk(t *testing.T, request, answer string) (client, server netip.AddrPort) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	listener, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	must(err)
	must(unix.Bind(listener, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(unix.Listen(listener, 8))
	bound, err := unix.Getsockname(listener)
	must(err)
	dialled, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM, 0)
	must(err)
	must(unix.Connect(dialled, bound))
	accepted, peer, err := unix.Accept4(listener, unix.SOCK_CLOEXEC)
	must(err)
	must(unix.Sendto(dialled, []byte(request), 0, nil))
	buffer := make([]byte, 8192)
	_, _, err = unix.Recvfrom(accepted, buffer, unix.MSG_PEEK)
	must(err)
	_, err = unix.Readv(accepted, [][]byte{buffer})
	must(err)
	_, err = unix.Write(accepted, []byte(answer))
	must(err)
	_, err = unix.Read(dialled, buffer)
	must(err)
	for _, fd := range []int{dialled, accepted, listener} {
		must(unix.Close(fd))
	}
	end := func(a unix.Sockaddr) netip.AddrPort {
		in := a.(*unix.SockaddrInet4)
		return netip.AddrPortFrom(netip.AddrFrom4(in.Addr), uint16(in.Port))
	}
	return end(peer), end(bound)
}

// watch runs what happens under the probes and returns the events.
func watch(t *testing.T, opts Options, what func()) []probe.Record {
	t.Helper()
	netns := probetest.Namespace(t)
	set, err := Load(opts)
	if err != nil {
		t.Fatal(err)
	}
	defer set.Close()
	if err := set.Watch(netns); err != nil {
		t.Fatal(err)
	}
	var records []probe.Record
	read := make(chan error, 1)
	go func() { read <- set.Read(func(r probe.Record) { records = append(records, r) }) }()
	if err := Start(set); err != nil {
		t.Fatal(err)
	}
	what()
	if err := set.Detach(); err != nil {
		t.Fatal(err)
	}
	if err := set.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	for _, s := range set.Statuses() {
		if !s.Attached {
			t.Errorf("probe %s is off: %s", s.Name, s.Problem)
		}
	}
	counts, err := set.Counts()
	if err != nil {
		t.Fatal(err)
	}
	if counts.Lost != 0 || counts.Missed != 0 || counts.Emitted != uint64(len(records)) {
		t.Errorf("read %d events, and the programs counted %+v", len(records), counts)
	}
	return records
}

func TestConnection(t *testing.T) {
	probetest.Require(t)
	const request, answer = "GET / HTTP/1.1\r\nhost: a\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n"
	var client, server netip.AddrPort
	records := watch(t, Options{Data: DefaultData}, func() { client, server = talk(t, request, answer) })
	tests := []struct {
		name          string
		kind          uint16
		local, remote netip.AddrPort
		data          string
	}{
		{"the kernel dials", State, client, server, ""},
		{"accept", Accept, server, client, ""},
		{"the client writes", Write, client, server, request},
		{"a look before reading", Peek, server, client, request},
		{"the server reads", Read, server, client, request},
		{"the server writes", Write, server, client, answer},
		{"the client reads", Read, client, server, answer},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, r := range records {
				if r.Kind == tt.kind && r.Local() == tt.local && r.Remote() == tt.remote && string(r.Data) == tt.data {
					return
				}
			}
			t.Errorf("not seen: %s–%s %q among %d events", tt.local, tt.remote, tt.data, len(records))
		})
	}
	closed := 0
	for _, r := range records {
		if r.Kind == Close {
			closed++
		}
		if r.Process() == "" && r.Kind != State {
			t.Errorf("event of kind %d without a process", r.Kind)
		}
	}
	if closed != 3 {
		t.Errorf("%d sockets closed, want 3", closed)
	}
}

func TestDataIsBoundedAndCanBeSwitchedOff(t *testing.T) {
	probetest.Require(t)
	long := "GET / HTTP/1.1\r\nx: " + strings.Repeat("a", 6000) + "\r\n\r\n"
	for _, size := range []int{0, 16, MaxData} {
		for _, r := range watch(t, Options{Data: size}, func() { talk(t, long, "HTTP/1.1 200 OK\r\n\r\n") }) {
			if (r.Kind == Read || r.Kind == Write) && len(r.Data) > size {
				t.Errorf("limit %d: %d bytes were copied", size, len(r.Data))
			}
		}
	}
	if _, err := Load(Options{Data: MaxData + 1}); err == nil {
		t.Error("more data than an event can carry is accepted")
	}
}

func TestAnotherNamespaceIsNotWatched(t *testing.T) {
	probetest.Require(t)
	records := watch(t, Options{}, func() {
		probetest.Namespace(t)
		talk(t, "GET / HTTP/1.1\r\n\r\n", "HTTP/1.1 200 OK\r\n\r\n")
	})
	if len(records) != 0 {
		t.Errorf("%d events of a namespace that is not watched", len(records))
	}
}
