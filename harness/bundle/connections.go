package bundle

import (
	"bytes"
	"fmt"
	"net/netip"
	"strings"

	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/harness/observe/sockets"
)

// inboundSource is the address from which a sidecar dials its own application: Istio's
// InboundPassthroughBindIpv4.
var inboundSource = netip.MustParseAddr("127.0.0.6")

// connections holds what the recording says of the pools before the request against the socket
// tables of before it.
func (r *recordingCheck) connections() {
	if r.Cold && r.Warm {
		r.wrong("the pools were cold and warm at once")
	}
	server, err := netip.ParseAddr(r.Server.IP)
	if err != nil || r.Port == 0 || !r.Cold && !r.Warm {
		return
	}
	target := netip.AddrPortFrom(server, r.Port)
	client, known := pooled(r.Client.Part(instrument.SocketsBefore), netip.Addr{}, target)
	inner, knownInner := pooled(r.Server.Part(instrument.SocketsBefore), inboundSource, target)
	switch {
	case r.Cold && known && client > 0:
		r.wrong("cold says that no connection was pooled, and the table of %s has %d to %s",
			r.Client.Name, client, target)
	case r.Cold && knownInner && inner > 0:
		r.wrong("cold says that no connection was pooled, and the table of %s has %d to its application",
			r.Server.Name, inner)
	case r.Warm && known && client != r.Client.Workers:
		r.wrong("warm says that each of %d workers had a connection pooled, and the table of %s has %d to %s",
			r.Client.Workers, r.Client.Name, client, target)
	}
}

// again holds that no table but that of a client with a pool was read once more, and that there was
// something in it: a sidecar listens.
func (r *recordingCheck) again() {
	for _, pod := range r.Pods() {
		switch table := pod.Part(instrument.SocketsAgain); {
		case table == nil:
		case pod.Name != r.Client.Name || !sockets.Again(pod.Part(instrument.SocketsAfter)):
			r.wrong("the sockets of %s were read once more, and there was no pool to look at again", pod.Name)
		case len(bytes.TrimSpace(table)) == 0:
			r.wrong("the sockets of %s were read once more, and none is in the table, not even one that listens",
				pod.Name)
		}
	}
}

// pooled counts the connections of a table that a proxy could still use towards a target; known is
// false where there is no table.
func pooled(table []byte, from netip.Addr, target netip.AddrPort) (n int, known bool) {
	if table == nil {
		return 0, false
	}
	rows, err := sockets.Parse(bytes.NewReader(table))
	if err != nil {
		return 0, false
	}
	for _, row := range rows {
		switch row.State {
		case "ESTAB", "SYN-SENT", "CLOSE-WAIT":
			if row.Peer == target && (!from.IsValid() || row.Local.Addr() == from) {
				n++
			}
		}
	}
	return n, true
}

// otherRule compares the rules of two outputs of iptables-save, without counters and comments. It
// returns the first rule of the table nat that only one of them has.
func otherRule(given, seen string) (rule string, differ bool) {
	a, b := natRules(given), natRules(seen)
	if a == nil || b == nil {
		return "", false // of another form, or of other tables
	}
	for line := range a {
		if !b[line] {
			return fmt.Sprintf("%q was not there", line), true
		}
	}
	for line := range b {
		if !a[line] {
			return fmt.Sprintf("%q was not there when the path was inferred", line), true
		}
	}
	return "", false
}

// natRules are the rules of the table nat as iptables-save prints them; nil where
// it has no such table.
func natRules(text string) map[string]bool {
	var rules map[string]bool
	table := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "*") {
			if table = line; table == "*nat" && rules == nil {
				rules = map[string]bool{}
			}
			continue
		}
		if _, rule, ok := strings.Cut(line, "-A "); ok && table == "*nat" {
			rules["-A "+rule] = true
		}
	}
	return rules
}
