package netfilter

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A look is one thing of a packet that rules test.
type look struct {
	what string              // in words; "": the option's name says it
	have func(packet) string // what a packet has there, in words
	// holds says whether a packet has one of the values; known is false where that depends on more
	// than the packet.
	holds func(*values, packet) (holds, known bool)
}

// looks has all of them by the options of iptables; nft's names are led to these by matches. A new
// one is a row.
var looks = map[string]look{
	"-p":                  protocolLook,
	"--protocol":          protocolLook,
	"-s":                  sourceLook,
	"--source":            sourceLook,
	"-d":                  destinationLook,
	"--destination":       destinationLook,
	"-o":                  outLook,
	"--out-interface":     outLook,
	"-i":                  inLook,
	"--in-interface":      inLook,
	"--sport":             sourcePortLook,
	"--source-port":       sourcePortLook,
	"--sports":            sourcePortLook,
	"--source-ports":      sourcePortLook,
	"--dport":             portLook,
	"--destination-port":  portLook,
	"--dports":            portLook,
	"--destination-ports": portLook,
	"--ctstate":           stateLook,
	"--state":             stateLook,
	"--uid-owner": {"user", func(p packet) string { return strconv.Itoa(p.uid) },
		sure(func(v *values, p packet) bool { return p.out != "" && v.number(p.uid) })},
	"--gid-owner": {"group", func(p packet) string { return strconv.Itoa(p.gid) },
		sure(func(v *values, p packet) bool { return p.out != "" && v.number(p.gid) })},
	"--mark": {"packet mark", func(p packet) string { return fmt.Sprintf("%#x", p.mark) },
		func(v *values, p packet) (bool, bool) { return hasMark(v.text, p.mark), markOf(v.text) != nil }},
	// of the connection, which is new
	"--connmark": {"connection mark", constant("0"),
		func(v *values, _ packet) (bool, bool) { return hasMark(v.text, 0), markOf(v.text) != nil }},
	// the first packet is of who opens the connection
	"--ctdir": {"connection direction", constant("ORIGINAL"),
		sure(func(v *values, _ packet) bool { return v.name("original", "ORIGINAL") })},
	"--tcp-flags": {"TCP flags", constant("SYN"),
		func(v *values, _ packet) (bool, bool) { return flagsHold(v) }},
	"--syn": {holds: sure(func(_ *values, p packet) bool { return p.proto == "tcp" })},
	"--family": {"address family", func(p packet) string {
		return map[bool]string{true: "ipv4", false: "ipv6"}[p.dst.Addr().Is4()]
	}, sure(func(v *values, p packet) bool { return p.dst.Addr().Is4() == (v.text == "ipv4") })},
	"--dst-type": {holds: sure(func(v *values, p packet) bool {
		return p.local == strings.EqualFold(v.text, "local")
	})},
	// A first packet belongs to no socket yet, so TPROXY's way round for known connections is not
	// taken.
	"--socket": {"a socket that it belongs to", constant("none yet"),
		sure(func(*values, packet) bool { return false })},
	"-m":      socketLook,
	"--match": socketLook,
}

// The looks that iptables has several names for.
var (
	protocolLook = look{"protocol", func(p packet) string { return p.proto },
		sure(func(v *values, p packet) bool {
			return v.name(p.proto, map[string]string{"tcp": "6", "udp": "17"}[p.proto], "all")
		})}
	sourceLook = look{"source address", func(p packet) string { return addressOrUnknown(p.src.Addr()) },
		sure(func(v *values, p packet) bool { return v.address(p.src.Addr()) })}
	destinationLook = look{"destination address", func(p packet) string { return addressOrUnknown(p.dst.Addr()) },
		sure(func(v *values, p packet) bool { return v.address(p.dst.Addr()) })}
	outLook = look{"outgoing interface", func(p packet) string { return orNone(p.out) },
		sure(func(v *values, p packet) bool { return v.interfaced(p.out) })}
	inLook = look{"incoming interface", func(p packet) string { return orNone(p.in) },
		sure(func(v *values, p packet) bool { return v.interfaced(p.in) })}
	sourcePortLook = look{"source port", func(p packet) string { return strconv.Itoa(int(p.src.Port())) },
		func(v *values, p packet) (bool, bool) {
			port := p.src.Port()
			return port != 0 && v.number(int(port)), port != 0
		}}
	portLook = look{"destination port", func(p packet) string { return strconv.Itoa(int(p.dst.Port())) },
		sure(func(v *values, p packet) bool { return v.number(int(p.dst.Port())) })}
	stateLook = look{"connection state", constant("NEW"),
		sure(func(v *values, _ packet) bool { return v.name("new", "NEW") })}
	// -m names an extension; that of sockets is a test by itself.
	socketLook = look{"a socket that it belongs to", constant("none yet"),
		sure(func(v *values, _ packet) bool { return v.text != "socket" })}
)

// sure is a look at the packet alone.
func sure(holds func(*values, packet) bool) func(*values, packet) (holds, known bool) {
	return func(v *values, p packet) (bool, bool) { return holds(v, p), true }
}

// constant is what the first packet of any connection has.
func constant(text string) func(packet) string { return func(packet) string { return text } }

// alwaysHold are tests that hold for the first packet of any connection, and
// options that are no tests.
var alwaysHold = []string{"-c", "--comment", "--tproxy-mark", "--on-ip", "--save-mark",
	"--restore-mark", "--nfmask",
	"--ctmask", "--random", "--random-fully", "--zone", "--log-prefix", "--log-level", "--reject-with"}

// holds evaluates one test. known is false for one that depends on more than the packet.
func (t test) holds(p packet) (holds, known bool) {
	if t.any != nil {
		return t.together(p)
	}
	l, ok := looks[t.name]
	if !ok {
		always := slices.Contains(alwaysHold, t.name)
		return always, always
	}
	holds, known = l.holds(t.value, p)
	return holds != t.negate, known
}

func addressOrUnknown(addr netip.Addr) string {
	if !addr.IsValid() {
		return "an unknown one"
	}
	return addr.String()
}

func orNone(s string) string {
	if s == "" {
		return "none"
	}
	return s
}

// needs says in words what a test that failed wants.
func (t test) needs(p packet) string {
	l := looks[t.name]
	not := ""
	if t.negate {
		not = "not "
	}
	if l.what == "" {
		return fmt.Sprintf("needs %s%s %s", not, t.name, t.value.shown())
	}
	return fmt.Sprintf("needs %s %s%s, the connection has %s", l.what, not, t.value.shown(), l.have(p))
}

// together evaluates fields side by side: one of the lists has to hold as a whole.
func (t test) together(p packet) (holds, known bool) {
	known = true
	for _, all := range t.any {
		why, open := rule{tests: all}.lacks(p)
		if why == "" {
			return !t.negate, true
		}
		known = known && open == ""
	}
	return t.negate, known
}

// hasMark compares a mark with a value that may have a mask behind it.
func hasMark(text string, mark uint32) bool {
	_, mask, masked := strings.Cut(text, "/")
	if m := markOf(mask); masked && m != nil {
		mark &= *m
	}
	want := markOf(text)
	return want != nil && mark == *want
}

// flagBits are the flags of a TCP header, in the names of iptables and of nft.
var flagBits = map[string]uint64{"FIN": 1, "SYN": 2, "RST": 4, "PSH": 8, "ACK": 16, "URG": 32, "ECE": 64, "ECN": 64,
	"CWR": 128, "ALL": 63, "NONE": 0}

// flagsHold evaluates "FIN,SYN,RST,ACK SYN": of the flags named first those are set that are named
// last. A first packet has SYN alone.
func flagsHold(v *values) (holds, known bool) {
	mask, set, _ := strings.Cut(v.text, " ")
	among, ok := flagsOf(mask)
	want, ok2 := flagsOf(set)
	if !ok || !ok2 {
		return false, false
	}
	return flagBits["SYN"]&among == want, true
}

// flagsOf reads names with commas, or numbers.
func flagsOf(text string) (bits uint64, ok bool) {
	for name := range strings.SplitSeq(text, ",") {
		bit, ok := flagBits[strings.ToUpper(name)]
		if !ok {
			n, err := strconv.ParseUint(name, 0, 8)
			if err != nil {
				return 0, false
			}
			bit = n
		}
		bits |= bit
	}
	return bits, true
}
