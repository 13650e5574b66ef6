package netfilter

import (
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// packet is what a rule's tests look at: the first one of a TCP connection.
type packet struct {
	src, dst netip.AddrPort
	out, in  string // interfaces
	local    bool   // the destination is an address of the pod
	proto    string // tcp or udp
	uid, gid int
	mark     uint32 // that a rule has given it
}

// alwaysHold are tests that hold for the first packet of any connection, and
// options that are no tests.
var alwaysHold = []string{"-m", "--match", "-c", "--comment", "--tproxy-mark", "--on-ip", "--save-mark",
	"--restore-mark", "--nfmask",
	"--ctmask", "--random", "--random-fully", "--zone", "--log-prefix", "--log-level", "--reject-with"}

// holds evaluates one test. known is false for one that depends on more than the packet.
func (t test) holds(p packet) (holds, known bool) {
	if t.any != nil {
		return t.together(p)
	}
	switch t.name {
	case "-p", "--protocol":
		holds = t.value.name(p.proto, map[string]string{"tcp": "6", "udp": "17"}[p.proto], "all")
	case "-m", "--match":
		// A first packet belongs to no socket yet, so TPROXY's way round for known
		// connections is not taken.
		return t.value.text != "socket", true
	case "--socket":
		holds = false
	case "--syn":
		holds = p.proto == "tcp"
	case "--tcp-flags":
		return t.flags()
	case "--ctdir": // the first packet is of who opens the connection
		holds = t.value.name("original", "ORIGINAL")
	case "--sport", "--source-port", "--sports", "--source-ports":
		if p.src.Port() == 0 {
			return false, false
		}
		holds = t.value.number(int(p.src.Port()))
	case "--dport", "--destination-port", "--dports", "--destination-ports":
		holds = t.value.number(int(p.dst.Port()))
	case "-s", "--source":
		holds = t.value.address(p.src.Addr())
	case "-d", "--destination":
		holds = t.value.address(p.dst.Addr())
	case "-o", "--out-interface":
		holds = t.value.interfaced(p.out)
	case "-i", "--in-interface":
		holds = t.value.interfaced(p.in)
	case "--uid-owner":
		holds = p.out != "" && t.value.number(p.uid)
	case "--gid-owner":
		holds = p.out != "" && t.value.number(p.gid)
	case "--ctstate", "--state":
		holds = t.value.name("new", "NEW")
	case "--mark":
		return hasMark(t.value.text, p.mark) != t.negate, markOf(t.value.text) != nil
	case "--connmark": // of the connection, which is new
		return hasMark(t.value.text, 0) != t.negate, markOf(t.value.text) != nil
	case "--dst-type":
		holds = p.local == strings.EqualFold(t.value.text, "local")
	case "--family":
		holds = p.dst.Addr().Is4() == (t.value.text == "ipv4")
	default:
		return slices.Contains(alwaysHold, t.name), slices.Contains(alwaysHold, t.name)
	}
	return holds != t.negate, true
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

// flags evaluates "FIN,SYN,RST,ACK SYN": of the flags named first those are set that are named
// last. A first packet has SYN alone.
func (t test) flags() (holds, known bool) {
	mask, set, _ := strings.Cut(t.value.text, " ")
	among, ok := flagsOf(mask)
	want, ok2 := flagsOf(set)
	if !ok || !ok2 {
		return false, false
	}
	return (flagBits["SYN"]&among == want) != t.negate, true
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
