package flow

import (
	"net/netip"
	"strings"
)

const arrow = " → "

// Translation is the value of FactTranslated: an end ip:port as its owner knows it, and as the
// other end of the connection does.
func Translation(own, shown string) string { return own + arrow + shown }

// TranslatedPort reads the value of FactTranslated. ok is false where it is none, or where more
// than the port was translated.
func TranslatedPort(value string) (own, shown string, ok bool) {
	own, shown, ok = strings.Cut(value, arrow)
	return own, shown, ok && own != shown && SameHost(own, shown)
}

// SameHost says whether two ends ip:port have one address.
func SameHost(a, b string) bool {
	first, err := netip.ParseAddrPort(a)
	second, errSecond := netip.ParseAddrPort(b)
	return err == nil && errSecond == nil && first.Addr() == second.Addr()
}
