package authority

import (
	"net"
	"strconv"
	"sync/atomic"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// A nameServer is a DNS server on loopback. What it says of a name is another thing
// in each variant.
type nameServer struct {
	port    string
	variant atomic.Int32
}

// addressOf is what a variant says: an address, no such name, no address of it, or that
// the server has failed.
var addressOf = [variants]struct {
	code    dnsmessage.RCode
	address []byte
}{{address: []byte{127, 62, 2, 1}}, {address: []byte{127, 62, 2, 2}}, {code: dnsmessage.RCodeNameError},
	{address: []byte{127, 62, 2, 3}}, {code: dnsmessage.RCodeSuccess}}

func newNameServer(t *testing.T) *nameServer {
	t.Helper()
	conn, err := net.ListenPacket("udp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	n := &nameServer{port: strconv.Itoa(conn.LocalAddr().(*net.UDPAddr).Port)}
	go n.serve(conn)
	return n
}

// serve answers until the socket is closed.
func (n *nameServer) serve(conn net.PacketConn) {
	buffer := make([]byte, 1500)
	for {
		size, from, err := conn.ReadFrom(buffer)
		if err != nil {
			return
		}
		var m dnsmessage.Message
		if m.Unpack(buffer[:size]) != nil || len(m.Questions) == 0 {
			continue
		}
		says := addressOf[n.variant.Load()]
		m.Response, m.RecursionAvailable, m.RCode, m.Additionals = true, true, says.code, nil
		if q := m.Questions[0]; says.address != nil && q.Type == dnsmessage.TypeA {
			m.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Name, Type: q.Type,
				Class: q.Class, TTL: 300},
				Body: &dnsmessage.AResource{A: [4]byte(says.address)}}}
		}
		if answer, err := m.Pack(); err == nil {
			_, _ = conn.WriteTo(answer, from) // a client that is gone asks no more
		}
	}
}
