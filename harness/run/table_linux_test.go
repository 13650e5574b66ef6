package run

import (
	"bytes"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"

	"github.com/flowproof/lab/harness/observe/sockets"
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
	for _, r := range []sockets.Row{listens, connected} {
		if r.PID() != os.Getpid() || r.Process() == "" {
			t.Errorf("%+v is not this process's", r)
		}
	}
	if _, err := exec.LookPath("ss"); err != nil {
		return
	}
	printed, err := commandFromHost(t.Context(), os.Getpid(), sockets.FromHost)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range rowsOf(t, printed, address) {
		r, ok := got[name]
		if !ok || fmt.Sprint(r.Owners) != fmt.Sprint(want.Owners) {
			t.Errorf("%s is %q, and of ss %q", name, r.Raw, want.Raw)
		}
	}
}

// rowsOf are the rows of a table with one end at an address, by what they are.
func rowsOf(t *testing.T, table []byte, address netip.AddrPort) map[string]sockets.Row {
	t.Helper()
	all, err := sockets.Parse(bytes.NewReader(table))
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]sockets.Row{}
	for _, r := range all {
		if r.Local == address || r.Peer == address {
			rows[fmt.Sprint(r.State, " ", r.Local, " ", r.Peer.Port())] = r
		}
	}
	return rows
}
