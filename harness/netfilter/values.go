package netfilter

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// values are what a test compares with: one value, or a list with commas. A list may be as long as
// a whole text and be asked by thousands of rules, so each form of it is made once, when it is
// first needed, and is found in by halves.
type values struct {
	text      string
	numbers   form[int]
	addresses form[netip.Addr]
	names     form[string]
}

// listed makes values of a text such as "80,443,6000-6010".
func listed(text string) *values { return &values{text: text} }

// A form is a list read as ranges of one kind, in order and apart from each other.
type form[T any] struct {
	once   sync.Once
	ranges []span[T]
}

// A span is a range with both its ends.
type span[T any] struct{ from, to T }

// has says whether x lies in one of the ranges that read makes of the members of a text.
func (f *form[T]) has(text string, x T, read func(string) (span[T], bool), compare func(a, b T) int) bool {
	f.once.Do(func() {
		for member := range strings.SplitSeq(text, ",") {
			if s, ok := read(strings.TrimSpace(member)); ok && compare(s.from, s.to) <= 0 {
				f.ranges = append(f.ranges, s)
			}
		}
		f.ranges = apart(f.ranges, compare)
	})
	i, found := slices.BinarySearchFunc(f.ranges, x, func(s span[T], x T) int { return compare(s.from, x) })
	return found || i > 0 && compare(x, f.ranges[i-1].to) <= 0
}

// apart puts ranges in order and joins those that overlap.
func apart[T any](all []span[T], compare func(a, b T) int) []span[T] {
	slices.SortFunc(all, func(a, b span[T]) int { return compare(a.from, b.from) })
	joined := all[:0]
	for _, s := range all {
		last := len(joined) - 1
		switch {
		case last < 0 || compare(s.from, joined[last].to) > 0:
			joined = append(joined, s)
		case compare(s.to, joined[last].to) > 0:
			joined[last].to = s.to
		}
	}
	return joined
}

// number says whether a port or user is listed. iptables writes a range of ports with a colon, all
// others have a dash.
func (v *values) number(n int) bool { return v.numbers.has(v.text, n, numberSpan, cmp.Compare[int]) }

// address says whether an address is listed, or lies in a prefix or range that is.
// Netfilter knows no zones.
func (v *values) address(a netip.Addr) bool {
	return a.IsValid() && v.addresses.has(v.text, a.WithZone(""), addressSpan, netip.Addr.Compare)
}

// name says whether one of the words is listed.
func (v *values) name(words ...string) bool {
	return slices.ContainsFunc(words, func(w string) bool { return v.names.has(v.text, w, nameSpan, strings.Compare) })
}

// interfaced says whether an interface is listed; iptables ends a prefix with +, nft with *.
func (v *values) interfaced(name string) bool {
	for i := 0; i <= len(name) && name != ""; i++ {
		if v.name(name[:i]+"+", name[:i]+"*") {
			return true
		}
	}
	return v.name(name)
}

func nameSpan(text string) (span[string], bool) { return span[string]{text, text}, true }

func numberSpan(text string) (span[int], bool) {
	low, high := text, text
	if i := strings.IndexAny(text, ":-"); i > 0 {
		low, high = text[:i], text[i+1:]
	}
	from, err := strconv.Atoi(low)
	to, err2 := strconv.Atoi(high)
	return span[int]{from, to}, err == nil && err2 == nil
}

func addressSpan(text string) (span[netip.Addr], bool) {
	if p, err := netip.ParsePrefix(text); err == nil {
		return span[netip.Addr]{p.Masked().Addr(), lastOf(p)}, true
	}
	low, high, ranged := strings.Cut(text, "-")
	if !ranged {
		high = low
	}
	from, err := netip.ParseAddr(low)
	to, err2 := netip.ParseAddr(high)
	return span[netip.Addr]{from, to}, err == nil && err2 == nil && from.BitLen() == to.BitLen()
}

// lastOf returns the last address of a prefix.
func lastOf(p netip.Prefix) netip.Addr {
	bytes := p.Addr().AsSlice()
	for bit := p.Bits(); bit < len(bytes)*8; bit++ {
		bytes[bit/8] |= 0x80 >> (bit % 8)
	}
	last, _ := netip.AddrFromSlice(bytes)
	return last
}

// shown is the text at a length that a person reads.
func (v *values) shown() string {
	const most = 120
	if len(v.text) <= most {
		return v.text
	}
	return strings.ToValidUTF8(v.text[:most], "") + "…"
}
