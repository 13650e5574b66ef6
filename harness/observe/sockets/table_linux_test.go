package sockets

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestSocketTable holds the table against what this process knows of its own sockets, and against
// that of ss where there is one.
func TestSocketTable(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can ask for the sockets of a network namespace that it is given")
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	client, err := net.Dial("tcp", listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	text, err := socketTable(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	address := netip.MustParseAddrPort(listener.Addr().String())
	own := netip.MustParseAddrPort(client.LocalAddr().String())
	got := rowsOf(t, text, address)
	listens, connected := got[fmt.Sprint("LISTEN ", address, " ", netip.AddrPortFrom(address.Addr(), 0).Port())],
		got[fmt.Sprint("ESTAB ", own, " ", address.Port())]
	for _, r := range []Row{listens, connected} {
		if r.PID() != os.Getpid() || r.Process() == "" {
			t.Errorf("%+v is not this process's", r)
		}
	}
	if _, err := exec.LookPath("ss"); err != nil {
		return
	}
	printed, err := exec.Command(command.OnHost[0], command.OnHost[1:]...).Output()
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range rowsOf(t, printed, address) {
		r, ok := got[name]
		if !ok || fmt.Sprint(r.Owners) != fmt.Sprint(want.Owners) || endsOf(r) != endsOf(want) {
			t.Errorf("%s is %q, and of ss %q", name, r.Raw, want.Raw)
		}
	}
}

// endsOf are the two ends of a row, as they are written.
func endsOf(r Row) string { return strings.Join(strings.Fields(r.Raw)[3:5], " ") }

// TestEnd holds how ends of sockets of each family are written.
func TestEnd(t *testing.T) {
	for want, got := range map[string]string{
		"10.0.0.1:80":          end(unix.AF_INET, net.IPv4(10, 0, 0, 1), 80),
		"0.0.0.0:*":            end(unix.AF_INET, net.IPv4zero, 0),
		"[::1]:80":             end(unix.AF_INET6, net.IPv6loopback, 80),
		"[::ffff:10.0.0.1]:80": end(unix.AF_INET6, net.IPv4(10, 0, 0, 1), 80),
		"[::]:*":               end(unix.AF_INET6, net.IPv6zero, 0),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

// rowsOf are the rows of a table with one end at an address, by what they are.
func rowsOf(t *testing.T, table []byte, address netip.AddrPort) map[string]Row {
	t.Helper()
	all, err := Parse(bytes.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]Row{}
	for _, r := range all {
		if r.Local == address || r.Peer == address {
			rows[fmt.Sprint(r.State, " ", r.Local, " ", r.Peer.Port())] = r
		}
	}
	return rows
}
