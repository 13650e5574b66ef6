package trace

import "encoding/binary"

// A Hello is what one end of a TLS connection says first, as far as it was captured. Source: RFC
// 8446, sections 4.1.2, 4.1.3 and 4.2.
type Hello struct {
	Server     bool     `json:"server,omitempty"` // a ServerHello
	ServerName string   `json:"serverName,omitempty"`
	ALPN       []string `json:"alpn,omitempty"`
	Versions   []string `json:"versions,omitempty"` // offered by the client, or the one that the server chose
	Cipher     uint16   `json:"cipher,omitempty"`   // that the server chose
	Resumption bool     `json:"resumption,omitempty"`
	Partial    bool     `json:"partial,omitempty"` // what was captured ends before the message does
}

// The numbers of TLS: RFC 8446, sections 4, 5.1 and 4.2.
const (
	recordHandshake     = 22
	messageClientHello  = 1
	messageServerHello  = 2
	extensionServerName = 0
	extensionALPN       = 16
	extensionTicket     = 35
	extensionPreShared  = 41
	extensionVersions   = 43
)

// cursor reads what may end anywhere, as a probe's copy of a message does: after the end all is
// empty, and a vector that is cut has what was copied. cryptobyte would refuse it whole.
type cursor struct{ rest []byte }

func (c *cursor) take(n int) []byte {
	n = min(n, len(c.rest))
	taken := c.rest[:n]
	c.rest = c.rest[n:]
	return taken
}

func (c *cursor) number(size int) int {
	n := 0
	for _, b := range c.take(size) {
		n = n<<8 | int(b)
	}
	return n
}

// vector reads a vector that begins with its length in size bytes.
func (c *cursor) vector(size int) cursor { return cursor{rest: c.take(c.number(size))} }

// ParseHello reads a ClientHello or ServerHello from the beginning of what one end
// sent: ok is false for anything else. A message that goes over several records is read
// to the end of the first.
func ParseHello(b []byte) (h Hello, ok bool) {
	if len(b) < 9 || b[0] != recordHandshake || b[1] != 3 ||
		(b[5] != messageClientHello && b[5] != messageServerHello) {
		return h, false
	}
	h.Server = b[5] == messageServerHello
	record := int(binary.BigEndian.Uint16(b[3:])) + 5
	length := int(b[6])<<16 | int(b[7])<<8 | int(b[8])
	h.Partial = len(b) < record || record < 9+length
	c := cursor{rest: b[9:max(9, min(len(b), record, 9+length))]}
	version := c.number(2)
	c.take(32)  // random
	c.vector(1) // session id
	if h.Server {
		h.Cipher = uint16(c.number(2))
		c.number(1) // compression
	} else {
		c.vector(2) // cipher suites
		c.vector(1) // compression
	}
	extensions := c.vector(2)
	h.extensions(&extensions)
	if len(h.Versions) == 0 && version != 0 {
		h.Versions = []string{versionName(version)}
	}
	return h, true
}

func (h *Hello) extensions(c *cursor) {
	for len(c.rest) >= 4 {
		kind := c.number(2)
		body := c.vector(2)
		switch kind {
		case extensionServerName:
			names := body.vector(2)
			if names.number(1) == 0 {
				name := names.vector(2)
				h.ServerName = string(name.rest)
			}
		case extensionALPN:
			for list := body.vector(2); len(list.rest) > 0; {
				name := list.vector(1)
				h.ALPN = append(h.ALPN, string(name.rest))
			}
		case extensionTicket: // of TLS 1.2: empty where the client only says that it knows tickets
			h.Resumption = h.Resumption || !h.Server && len(body.rest) > 0
		case extensionPreShared:
			h.Resumption = true
		case extensionVersions:
			if h.Server {
				h.Versions = append(h.Versions, versionName(body.number(2)))
				continue
			}
			for list := body.vector(1); len(list.rest) >= 2; {
				h.Versions = append(h.Versions, versionName(list.number(2)))
			}
		}
	}
}

// versionName names a version as Envoy does. Clients also offer numbers that are none
// (RFC 8701: GREASE).
func versionName(v int) string {
	switch v {
	case 0x0301:
		return "TLSv1"
	case 0x0302:
		return "TLSv1.1"
	case 0x0303:
		return "TLSv1.2"
	case 0x0304:
		return "TLSv1.3"
	}
	return "unknown"
}

// RecordName names a TLS record by its first bytes; "" when it is none. Source: RFC
// 8446, section 5.1.
func RecordName(b []byte) string {
	if len(b) < 3 || b[1] != 3 || b[2] > 4 {
		return ""
	}
	switch b[0] {
	case 20:
		return "change_cipher_spec"
	case 21:
		return "alert"
	case recordHandshake:
		return "handshake"
	case 23:
		return "application_data"
	}
	return ""
}
