package infer

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// A Ruleset is a pod's netfilter rules as `iptables-save` prints them, one family or both.
type Ruleset struct {
	chains map[string]map[string][]rule // table, chain
}

// A rule is one line of a chain.
type rule struct {
	text   string
	tests  []test
	target string
	port   uint16 // of REDIRECT and TPROXY
	to     netip.AddrPort
}

// A test is one condition of a rule.
type test struct {
	name   string // the option as it is written
	value  string
	negate bool
}

// ParseRules reads the text of `iptables-save`, also of its nft variant. An empty text is no Ruleset.
func ParseRules(text string) (*Ruleset, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	r := &Ruleset{chains: map[string]map[string][]rule{}}
	table := ""
	for number, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		switch {
		case line == "" || line[0] == '#' || line == "COMMIT":
		case line[0] == '*':
			if table = line[1:]; r.chains[table] == nil {
				r.chains[table] = map[string][]rule{}
			}
		case line[0] == ':':
		case strings.HasPrefix(line, "["): // counters of iptables-save -c
			_, line, _ = strings.Cut(line, "] ")
			fallthrough
		case strings.HasPrefix(line, "-A "):
			if table == "" {
				return nil, fmt.Errorf("netfilter rules: line %d stands before any *table", number+1)
			}
			chain, parsed, err := parseRule(line)
			if err != nil {
				return nil, fmt.Errorf("netfilter rules: line %d: %w", number+1, err)
			}
			r.chains[table][chain] = append(r.chains[table][chain], parsed)
		default:
			return nil, fmt.Errorf("netfilter rules: line %d is not one of iptables-save: %.60q", number+1, line)
		}
	}
	if len(r.chains) == 0 {
		return nil, fmt.Errorf("netfilter rules: no *table in the text (give what iptables-save prints)")
	}
	return r, nil
}

// parseRule reads one -A line.
func parseRule(line string) (chain string, r rule, err error) {
	words := strings.Fields(line)
	if len(words) < 2 || words[0] != "-A" {
		return "", r, fmt.Errorf("a rule begins with -A and a chain: %.60q", line)
	}
	r.text = line
	negate := false
	for i := 2; i < len(words); i++ {
		word := words[i]
		value := ""
		if i+1 < len(words) && !strings.HasPrefix(words[i+1], "-") && words[i+1] != "!" {
			value = words[i+1]
		}
		switch word {
		case "!":
			negate = true
			continue
		case "-j", "-g", "--jump", "--goto":
			r.target = value
		case "--to-ports", "--to-port", "--on-port":
			first, _, _ := strings.Cut(value, "-")
			port, err := strconv.ParseUint(first, 10, 16)
			if err != nil {
				return "", r, fmt.Errorf("port %q is no number", value)
			}
			r.port = uint16(port)
		case "--to-destination":
			r.to, _ = netip.ParseAddrPort(value)
		default:
			if strings.HasPrefix(word, "-") {
				r.tests = append(r.tests, test{word, value, negate})
			}
		}
		negate = false
		if value != "" {
			i++
		}
	}
	return words[1], r, nil
}

// A Sender says who in a pod opens a connection, which decides the owner rules of ISTIO_OUTPUT.
type Sender struct {
	UID, GID int
	Known    bool // false: an ordinary process of the application, neither 1337 nor root's loopback
}

// proxyUID is the user of the sidecar, unless the rules say another.
const proxyUID = 1337

// appUID stands for an application's user where nobody said which.
const appUID = 1000

func (s Sender) uid() int {
	if s.Known {
		return s.UID
	}
	return appUID
}

func (s Sender) gid() int {
	if s.Known {
		return s.GID
	}
	return appUID
}

// packet is what a rule's tests look at.
type packet struct {
	src, dst netip.AddrPort
	out, in  string // interfaces
	uid, gid int
}

// holds evaluates one test. known is false for one that depends on more than the packet.
func (t test) holds(p packet) (holds, known bool) {
	known = true
	switch t.name {
	case "-p", "--protocol":
		holds = t.value == "tcp" || t.value == "6" || t.value == "all"
	case "-m", "--match":
		// A first packet belongs to no socket yet, so TPROXY's way round for known connections is not taken.
		return t.value != "socket", true
	case "-c", "--comment", "--tproxy-mark", "--on-ip", "--set-xmark", "--random", "--random-fully", "--sport", "--syn":
		return true, true
	case "--dport", "--destination-port":
		holds = inPorts(t.value, p.dst.Port())
	case "--dports", "--destination-ports":
		holds = slices.ContainsFunc(strings.Split(t.value, ","), func(s string) bool { return inPorts(s, p.dst.Port()) })
	case "-s", "--source":
		holds = inPrefix(t.value, p.src.Addr())
	case "-d", "--destination":
		holds = inPrefix(t.value, p.dst.Addr())
	case "-o", "--out-interface":
		holds = t.value == p.out
	case "-i", "--in-interface":
		holds = t.value == p.in
	case "--uid-owner":
		holds = inIDs(t.value, p.uid)
	case "--gid-owner":
		holds = inIDs(t.value, p.gid)
	case "--mark", "--ctstate", "--state":
		holds = strings.Contains(t.value, "NEW") && t.name != "--mark"
	default:
		return false, false
	}
	return holds != t.negate, known
}

func inPorts(text string, port uint16) bool {
	low, high, ranged := strings.Cut(text, ":")
	from, err := strconv.ParseUint(low, 10, 16)
	if err != nil {
		return false
	}
	to := from
	if ranged {
		if to, err = strconv.ParseUint(high, 10, 16); err != nil {
			return false
		}
	}
	return uint64(port) >= from && uint64(port) <= to
}

func inPrefix(text string, addr netip.Addr) bool {
	if p, err := netip.ParsePrefix(text); err == nil {
		return p.Contains(addr)
	}
	a, err := netip.ParseAddr(text)
	return err == nil && a == addr
}

func inIDs(text string, id int) bool {
	low, high, ranged := strings.Cut(text, "-")
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
	return id >= from && id <= to
}
