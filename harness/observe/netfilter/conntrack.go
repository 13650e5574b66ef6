package netfilter

import (
	"bufio"
	"fmt"
	"io"
	"net/netip"
	"slices"
	"strings"
)

// A Tuple is one direction of a tracked connection.
type Tuple struct{ Src, Dst netip.AddrPort }

func (t Tuple) String() string { return t.Src.String() + " to " + t.Dst.String() }

// An Entry is one TCP connection as the kernel tracks it: as the client meant it, and as it
// is answered. Where netfilter redirected it, the answer comes from another address than
// the one that was dialled.
type Entry struct {
	Original, Reply Tuple
	Established     bool // no end has closed it
	Raw             string
}

// translated reports whether the destination was rewritten.
func (e Entry) translated() bool { return e.Reply.Src != e.Original.Dst }

// ParseConntrack reads TCP entries of /proc/net/nf_conntrack or of `conntrack -L`. An
// error names the line.
func ParseConntrack(r io.Reader) ([]Entry, error) {
	scanner := bufio.NewScanner(r)
	scanner.Buffer(make([]byte, 0, 4096), maxLine)
	var entries []Entry
	number := 0
	for scanner.Scan() {
		number++
		text := strings.TrimSpace(scanner.Text())
		words := strings.Fields(text)
		if len(words) > 2 && (words[0] == "ipv4" || words[0] == "ipv6") {
			words = words[2:]
		}
		if len(words) == 0 || words[0] != "tcp" {
			continue
		}
		entry, problem := parseEntry(words[1:])
		if problem != "" {
			return nil, fmt.Errorf("read connection tracking: line %d: %s", number, problem)
		}
		entry.Raw, entry.Established = text, slices.Contains(words, "ESTABLISHED")
		if entries = append(entries, entry); len(entries) > maxEntries {
			return nil, fmt.Errorf("read connection tracking: line %d: more than %d entries", number, maxEntries)
		}
	}
	if err := scanner.Err(); err != nil {
		return nil, fmt.Errorf("read connection tracking: after line %d: %w", number, err)
	}
	return entries, nil
}

// parseEntry reads the two tuples "src= dst= sport= dport=" of an entry; other
// words are passed over.
func parseEntry(words []string) (entry Entry, problem string) {
	var found [2]map[string]string
	at := -1
	for _, word := range words {
		name, value, ok := strings.Cut(word, "=")
		if !ok || name != "src" && name != "dst" && name != "sport" && name != "dport" {
			continue
		}
		if name == "src" {
			if at++; at > 1 {
				return Entry{}, "more than two directions"
			}
			found[at] = map[string]string{}
		}
		if at < 0 {
			return Entry{}, "an address before the first src="
		}
		found[at][name] = value
	}
	for i, tuple := range []*Tuple{&entry.Original, &entry.Reply} {
		src, err := netip.ParseAddrPort(join(found[i]["src"], found[i]["sport"]))
		if err != nil {
			return Entry{}, "no src= and sport= of an address"
		}
		dst, err := netip.ParseAddrPort(join(found[i]["dst"], found[i]["dport"]))
		if err != nil {
			return Entry{}, "no dst= and dport= of an address"
		}
		*tuple = Tuple{src, dst}
	}
	return entry, ""
}

// join makes "ip:port", with brackets around IPv6.
func join(ip, port string) string {
	if strings.Contains(ip, ":") {
		return "[" + ip + "]:" + port
	}
	return ip + ":" + port
}

// fresh returns the entries of after whose connection was not tracked before.
func fresh(before, after []Entry) []Entry {
	old := make(map[Tuple]bool, len(before))
	for _, e := range before {
		old[e.Original] = true
	}
	var all []Entry
	for _, e := range after {
		if !old[e.Original] {
			all = append(all, e)
		}
	}
	return all
}
