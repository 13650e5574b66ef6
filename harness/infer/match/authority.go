package match

import (
	"strings"
)

// SplitPort cuts an authority at its port, which may be any text: HeaderUtility::getPortStart.
func SplitPort(host string) (name, port string) {
	i := strings.LastIndexByte(host, ':')
	if i < 0 || strings.LastIndexByte(host, ']') > i {
		return host, ""
	}
	return host[:i], host[i+1:]
}

// Digits says whether a text is decimal digits and nothing else.
func Digits(s string) bool {
	for _, c := range s {
		if c < '0' || c > '9' {
			return false
		}
	}
	return s != ""
}
