package infer

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
	uid, gid int
	mark     uint32 // that a rule has given it
}

// alwaysHold are tests that hold for the first packet of any connection, and options that are no tests.
var alwaysHold = []string{"-m", "--match", "-c", "--comment", "--tproxy-mark", "--on-ip", "--save-mark", "--restore-mark", "--nfmask",
	"--ctmask", "--random", "--random-fully", "--sport", "--sports", "--syn", "--tcp-flags", "--zone", "--log-prefix", "--log-level", "--reject-with", "--ctdir"}

// holds evaluates one test. known is false for one that depends on more than the packet.
func (t test) holds(p packet) (holds, known bool) {
	switch t.name {
	case "-p", "--protocol":
		holds = slices.ContainsFunc(strings.Split(t.value, ","), func(s string) bool { return s == "tcp" || s == "6" || s == "all" })
	case "-m", "--match":
		// A first packet belongs to no socket yet, so TPROXY's way round for known connections is not taken.
		return t.value != "socket", true
	case "--socket":
		holds = false
	case "--dport", "--destination-port", "--dports", "--destination-ports":
		holds = inList(t.value, func(s string) bool { return inRangeOf(s, ":", int(p.dst.Port())) })
	case "-s", "--source":
		holds = inList(t.value, func(s string) bool { return inPrefix(s, p.src.Addr()) })
	case "-d", "--destination":
		holds = inList(t.value, func(s string) bool { return inPrefix(s, p.dst.Addr()) })
	case "-o", "--out-interface":
		holds = inList(t.value, func(s string) bool { return isInterface(s, p.out) })
	case "-i", "--in-interface":
		holds = inList(t.value, func(s string) bool { return isInterface(s, p.in) })
	case "--uid-owner":
		holds = inList(t.value, func(s string) bool { return p.out != "" && inRangeOf(s, "-", p.uid) })
	case "--gid-owner":
		holds = inList(t.value, func(s string) bool { return p.out != "" && inRangeOf(s, "-", p.gid) })
	case "--ctstate", "--state":
		holds = inList(t.value, func(s string) bool { return strings.EqualFold(s, "new") })
	case "--mark":
		return hasMark(t.value, p.mark) != t.negate, markOf(t.value) != nil
	case "--connmark": // of the connection, which is new
		return hasMark(t.value, 0) != t.negate, markOf(t.value) != nil
	case "--dst-type":
		holds = p.local == strings.EqualFold(t.value, "local")
	case "--family":
		holds = p.dst.Addr().Is4() == (t.value == "ipv4")
	default:
		return slices.Contains(alwaysHold, t.name), slices.Contains(alwaysHold, t.name)
	}
	return holds != t.negate, true
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

// inList says whether one of the members of a list holds.
func inList(list string, holds func(string) bool) bool {
	return slices.ContainsFunc(strings.Split(list, ","), func(s string) bool { return holds(strings.TrimSpace(s)) })
}

// inRangeOf says whether a number is the one that a text says or lies in its range.
func inRangeOf(text, separator string, n int) bool {
	low, high, ranged := strings.Cut(text, separator)
	from, err := strconv.Atoi(low)
	if err != nil {
		return false
	}
	to := from
	if ranged {
		if to, err = strconv.Atoi(high); err != nil {
			return false
		}
	}
	return n >= from && n <= to
}

// inPrefix says whether an address is the one that a text says, or lies in its prefix or range.
func inPrefix(text string, addr netip.Addr) bool {
	if !addr.IsValid() {
		return false
	}
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Contains(addr)
	}
	if low, high, ranged := strings.Cut(text, "-"); ranged {
		from, err := netip.ParseAddr(low)
		to, err2 := netip.ParseAddr(high)
		return err == nil && err2 == nil && from.Compare(addr) <= 0 && addr.Compare(to) <= 0 && from.BitLen() == addr.BitLen()
	}
	a, err := netip.ParseAddr(text)
	return err == nil && a == addr
}

// isInterface says whether a name is the interface's; iptables ends a prefix with +, nft with *.
func isInterface(name, is string) bool {
	if prefix := strings.TrimRight(name, "+*"); prefix != name {
		return is != "" && strings.HasPrefix(is, prefix)
	}
	return name == is
}
