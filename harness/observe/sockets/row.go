// Package sockets reads the kernel's socket tables of two pods, before and after a request, and
// joins the rows that are the two ends of one connection. It is the workshop's second instrument:
// it shares nothing with Envoy's log.
package sockets

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"strconv"
	"strings"
)

// A Row is one TCP socket.
type Row struct {
	State    string         // as ss names it: LISTEN, ESTAB, TIME-WAIT, …
	Local    netip.AddrPort // the socket's own end, after REDIRECT
	Peer     netip.AddrPort // invalid for a listening socket
	Owners   []Owner        // processes that hold the socket; empty when they cannot be seen
	UID      int            // -1 when it is not shown
	Inode    uint64         // 0 for a socket that no process holds any more
	Raw      string         // the row as it was printed
	wildcard bool           // listens on every address
}

// An Owner is a descriptor by which a process holds a socket.
type Owner struct {
	Process string
	PID     int
	FD      int
}

// Process returns the name of the process that owns the socket; empty when it cannot be seen.
func (r Row) Process() string {
	if len(r.Owners) == 0 {
		return ""
	}
	return r.Owners[0].Process
}

// PID returns the id of the process that owns the socket, or 0.
func (r Row) PID() int {
	if len(r.Owners) == 0 {
		return 0
	}
	return r.Owners[0].PID
}

// Bounds on what is read, so that a hostile table cannot fill the memory.
const (
	maxRow  = 256 << 10
	maxRows = 1 << 20
)

// states are the names of a TCP socket's states as ss prints them, by the number in /proc/net/tcp
// (include/net/tcp_states.h).
var states = []string{"", "ESTAB", "SYN-SENT", "SYN-RECV", "FIN-WAIT-1", "FIN-WAIT-2",
	"TIME-WAIT", "UNCONN", "CLOSE-WAIT", "LAST-ACK", "LISTEN", "CLOSING", "SYN-RECV", "BOUND"}

// State is the name of a TCP socket's state by its number; "UNKNOWN" of none.
func State(number uint8) string {
	if number == 0 || int(number) >= len(states) {
		return "UNKNOWN"
	}
	return states[number]
}

// Parse reads a table in the form of `ss -H -t -n -a -p -e` (with or without -O, and with the
// heading when there is no -H), or of /proc/net/tcp and /proc/net/tcp6; it sees which by the lines
// themselves. An error names the line.
func Parse(r io.Reader) ([]Row, error) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 0, 64<<10), maxRow)
	rows := []Row{} // an empty table is not one that was not read
	for number := 1; scanner.Scan(); number++ {
		text := scanner.Text()
		fields := strings.Fields(text)
		if len(fields) == 0 || fields[0] == "State" || fields[0] == "sl" || strings.HasPrefix(text, "Failed to ") {
			continue
		}
		parse := parseSS
		if strings.HasSuffix(fields[0], ":") {
			parse = parseProc
		} else if text[0] == ' ' || text[0] == '\t' {
			continue // without -O, ss puts what -i prints on lines of their own
		}
		row, err := parse(fields)
		if i := strings.Index(text, "users:(("); i >= 0 && err == nil {
			row.Owners = parseUsers(text[i:]) // from the text itself, for a process name may hold blanks
		}
		if err != nil {
			return rows, fmt.Errorf("read socket table: line %d: %w", number, err)
		}
		if len(rows) == maxRows {
			return rows, fmt.Errorf("read socket table: line %d: more than %d sockets", number, maxRows)
		}
		row.Raw = strings.TrimRight(text, " \t")
		rows = append(rows, row)
	}
	if err := scanner.Err(); err != nil {
		return rows, fmt.Errorf("read socket table: after %d rows: %w", len(rows), err)
	}
	return rows, nil
}

// parseSS reads "ESTAB 0 0 10.0.0.1:5 10.0.0.2:80 users:((\"envoy\",pid=1,fd=2)) uid:1337 ino:9 …".
func parseSS(fields []string) (Row, error) {
	if len(fields) < 5 {
		return Row{}, fmt.Errorf("%d columns, a row of ss has at least 5 (call ss with -H -t -n -a -p -e)", len(fields))
	}
	row := Row{State: fields[0], UID: -1}
	if !knownState(row.State) {
		return Row{}, fmt.Errorf("state %q is none of TCP's", clip(row.State))
	}
	for _, queue := range fields[1:3] {
		if _, err := strconv.ParseUint(queue, 10, 64); err != nil {
			return Row{}, fmt.Errorf("queue %q is not a number", clip(queue))
		}
	}
	var err error
	if row.Local, row.wildcard, err = parseEnd(fields[3]); err != nil {
		return Row{}, err
	}
	if row.Peer, _, err = parseEnd(fields[4]); err != nil {
		return Row{}, err
	}
	for _, field := range fields[5:] {
		name, value, _ := strings.Cut(field, ":")
		switch name {
		case "uid":
			if uid, err := strconv.Atoi(value); err == nil {
				row.UID = uid
			}
		case "ino":
			row.Inode, _ = strconv.ParseUint(value, 10, 64)
		}
	}
	return row, nil
}

func knownState(state string) bool {
	for _, s := range states[1:] {
		if s == state {
			return true
		}
	}
	return false
}

// parseEnd reads one end of a socket as ss prints it: 10.0.0.1:80, [::1]:80, 0.0.0.0:*, *:15006,
// [::ffff:10.0.0.1]:80, 10.0.0.1%eth0:80. An IPv4 address in IPv6 form becomes IPv4, so that the
// two ends of a connection compare.
func parseEnd(text string) (end netip.AddrPort, wildcard bool, err error) {
	i := strings.LastIndexByte(text, ':')
	if i < 0 {
		return end, false, fmt.Errorf("address %q has no port", clip(text))
	}
	host, port := strings.Trim(text[:i], "[]"), text[i+1:]
	host, _, _ = strings.Cut(host, "%") // the device that a socket is bound to
	host = strings.TrimSuffix(host, "]")
	addr := netip.IPv6Unspecified()
	if host != "*" {
		if addr, err = netip.ParseAddr(host); err != nil {
			return end, false, fmt.Errorf("address %q is not an IP address (call ss with -n)", clip(text))
		}
	}
	addr = addr.Unmap()
	if port == "*" {
		return netip.AddrPortFrom(addr, 0), addr.IsUnspecified(), nil
	}
	n, err := strconv.ParseUint(port, 10, 16)
	if err != nil {
		return end, false, fmt.Errorf("port of %q is not a number (call ss with -n)", clip(text))
	}
	return netip.AddrPortFrom(addr, uint16(n)), addr.IsUnspecified(), nil
}

// parseUsers reads (("envoy",pid=1,fd=2),("envoy",pid=1,fd=3)). What it cannot read it leaves out.
func parseUsers(text string) []Owner {
	var owners []Owner
	for len(owners) < 4096 {
		_, rest, ok := strings.Cut(text, `("`)
		if !ok {
			break
		}
		name, rest, ok := strings.Cut(rest, `",pid=`)
		if !ok {
			break
		}
		pid, rest, ok := strings.Cut(rest, ",fd=")
		if !ok {
			break
		}
		fd, rest, ok := strings.Cut(rest, ")")
		if !ok {
			break
		}
		owner := Owner{Process: name}
		var err1, err2 error
		owner.PID, err1 = strconv.Atoi(pid)
		owner.FD, err2 = strconv.Atoi(fd)
		if err1 == nil && err2 == nil {
			owners = append(owners, owner)
		}
		text = rest
	}
	return owners
}

// parseProc reads a row of /proc/net/tcp or tcp6 (Documentation/networking/proc_net_tcp.rst).
func parseProc(fields []string) (Row, error) {
	if len(fields) < 10 {
		return Row{}, fmt.Errorf("%d columns, a row of /proc/net/tcp has at least 10", len(fields))
	}
	state, err := strconv.ParseUint(fields[3], 16, 8)
	if err != nil || state == 0 || int(state) >= len(states) {
		return Row{}, fmt.Errorf("state %q is none of TCP's", clip(fields[3]))
	}
	row := Row{State: states[state], UID: -1}
	if row.Local, err = parseHex(fields[1]); err != nil {
		return Row{}, err
	}
	if row.Peer, err = parseHex(fields[2]); err != nil {
		return Row{}, err
	}
	row.wildcard = row.Local.Addr().IsUnspecified()
	if uid, err := strconv.Atoi(fields[7]); err == nil {
		row.UID = uid
	}
	row.Inode, _ = strconv.ParseUint(fields[9], 10, 64)
	return row, nil
}

// parseHex reads "0100007F:3A98": an address as words of four bytes in the host's byte order, which
// is little-endian here, and a port as a number.
func parseHex(text string) (netip.AddrPort, error) {
	host, port, _ := strings.Cut(text, ":")
	raw, err := hex.DecodeString(host)
	n, errPort := strconv.ParseUint(port, 16, 16)
	if err != nil || errPort != nil || (len(raw) != 4 && len(raw) != 16) {
		return netip.AddrPort{}, fmt.Errorf("address %q is not one of /proc/net/tcp", clip(text))
	}
	for i := 0; i < len(raw); i += 4 {
		raw[i], raw[i+1], raw[i+2], raw[i+3] = raw[i+3], raw[i+2], raw[i+1], raw[i]
	}
	addr, _ := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), nil
}

// clip shortens what is put into an error.
func clip(text string) string {
	const most = 60
	if len(text) > most {
		return text[:most] + "…"
	}
	return text
}
