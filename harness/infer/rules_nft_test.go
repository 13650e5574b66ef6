package infer

import (
	"os"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

func rulesOf(t testing.TB, file string) *Ruleset {
	t.Helper()
	text, err := os.ReadFile("testdata/" + file)
	must(t, err)
	rules, err := ParseRules(string(text))
	must(t, err)
	return rules
}

// senders are who may open a connection in a pod.
var senders = map[string]Sender{
	"application": {}, "root": {0, 0, true}, "proxy": {1337, 1337, true}, "proxy's group": {0, 1337, true}, "excluded user": {2005, 2005, true}, "another": {2011, 2011, true},
}

// TestNFTOfIPTables compares two prints of the same rules in the kernel: what iptables-save and what nft say must come to
// the same for every connection.
func TestNFTOfIPTables(t *testing.T) {
	save, nft := rulesOf(t, "iptables.save"), rulesOf(t, "iptables.nft")
	node := recorded(t, "fortio-server").Node()
	for _, direction := range []flow.Direction{flow.Inbound, flow.Outbound} {
		for _, address := range []string{"10.96.0.1", "10.96.0.10", "127.0.0.1", "127.0.0.6", node.IPs[0], "172.30.4.5", "::1", "2001:db8::1"} {
			for _, port := range []uint32{22, 53, 80, 3306, 8080, 9000, 9005, 9010, 9011, 15008, 15020} {
				for _, source := range []string{"", "127.0.0.6"} {
					for who, sender := range senders {
						req, err := normalise(flow.Request{Direction: direction, Address: address, Port: port, Source: source})
						must(t, err)
						want, got := save.judge(req, node, sender, 15006), nft.judge(req, node, sender, 15006)
						if want.port != got.port || want.target != got.target {
							t.Errorf("%s %s:%d from %q by %s: iptables-save says %d %s (%s), nft %d %s (%s)", direction, address, port, source, who,
								want.port, want.target, want.why, got.port, got.target, got.why)
						}
					}
				}
			}
		}
	}
	if !save.capturesDNS() || !nft.capturesDNS() {
		t.Error("DNS is captured, and not both say so")
	}
}

// TestNativeNFT is the table of rules that are nft's own, as Istio writes them with nativeNftables, and a few that it does not.
func TestNativeNFT(t *testing.T) {
	rules := rulesOf(t, "native.nft")
	node := recorded(t, "fortio-server").Node()
	own := node.IPs[0]
	if !rules.capturesDNS() {
		t.Error("DNS is captured")
	}
	for _, c := range []struct {
		name      string
		direction flow.Direction
		address   string
		port      uint32
		who       string
		to        uint16
		target    string // "" with to 0: past the proxy
	}{
		{"application to a Service", flow.Outbound, "10.96.0.1", 80, "application", 15001, "REDIRECT"},
		{"application to an IPv6 address", flow.Outbound, "2001:db8::1", 80, "application", 15001, "REDIRECT"},
		{"proxy to outside", flow.Outbound, "10.96.0.1", 80, "proxy", 0, ""},
		{"group of the proxy, with a comment", flow.Outbound, "10.96.0.1", 80, "proxy's group", 0, ""},
		{"a user in a set", flow.Outbound, "10.96.0.1", 80, "excluded user", 0, ""},
		{"a user beside the set", flow.Outbound, "10.96.0.1", 80, "another", 15001, "REDIRECT"},
		{"root", flow.Outbound, "10.96.0.1", 80, "root", 15001, "REDIRECT"},
		{"root to its own excluded port", flow.Outbound, "10.96.0.1", 4444, "root", 0, ""},
		{"application to its own pod's address", flow.Outbound, own, 80, "application", 0, ""},
		{"proxy to its own pod's address", flow.Outbound, own, 80, "proxy", 15006, "REDIRECT"},
		{"proxy to its own pod's address at 15008", flow.Outbound, own, 15008, "proxy", 0, ""},
		{"application to loopback", flow.Outbound, "127.0.0.1", 80, "application", 0, ""},
		{"a port in a named set", flow.Outbound, "10.96.0.1", 5432, "application", 0, ""},
		{"a port in a range of a named set", flow.Outbound, "10.96.0.1", 6005, "application", 0, ""},
		{"an address in a prefix of a named set", flow.Outbound, "172.30.1.1", 80, "application", 0, ""},
		{"an address of a named set", flow.Outbound, "192.168.5.1", 80, "application", 0, ""},
		{"an address in a long set, with a log", flow.Outbound, "10.96.1.9", 80, "application", 0, ""},
		{"DNS over TCP", flow.Outbound, "10.96.0.11", 53, "application", 15053, "REDIRECT"},
		{"DNS to another server", flow.Outbound, "10.96.0.12", 53, "application", 15001, "REDIRECT"},
		{"no address translation without tracking", flow.Outbound, "10.96.0.1", 9999, "application", 0, ""},
		{"from outside", flow.Inbound, own, 8080, "application", 15006, "REDIRECT"},
		{"excluded port", flow.Inbound, own, 15090, "application", 0, ""},
		{"excluded range that nft joined", flow.Inbound, own, 15021, "application", 0, ""},
		{"excluded range", flow.Inbound, own, 9010, "application", 0, ""},
		{"TPROXY", flow.Inbound, own, 7777, "application", 15006, "TPROXY"},
	} {
		t.Run(c.name, func(t *testing.T) {
			req, err := normalise(flow.Request{Direction: c.direction, Address: c.address, Port: c.port})
			must(t, err)
			if v := rules.judge(req, node, senders[c.who], 15006); v.port != c.to || v.target != c.target || v.dropped {
				t.Errorf("%s to %d (%s), expected %s to %d", v.target, v.port, v.why, c.target, c.to)
			}
		})
	}
}

// TestNFTDrops follows connections that a filter ends, which have to come to the end as such.
func TestNFTDrops(t *testing.T) {
	rules := rulesOf(t, "native.nft")
	e := New(recorded(t, "fortio-server"))
	for _, port := range []uint32{25, 26} {
		d, err := e.DecideWith(flow.Request{Address: "10.96.0.1", Port: port, Protocol: "tcp"}, Options{Rules: rules, Sender: senders["proxy"]})
		must(t, err)
		if d.Outcome != flow.Failed || d.Failure != flow.BlackHole || !strings.Contains(d.Hops[0].Why, "drops it") {
			t.Errorf("port %d: %s %s (%s)", port, d.Outcome, d.Failure, d.Hops[0].Why)
		}
	}
}

// TestNFTErrors is the table of texts that are none of nft's.
func TestNFTErrors(t *testing.T) {
	for text, want := range map[string]string{
		"table ip x {\n\tchain y {\n":                       "looks truncated",
		"table ip x {\n\tchain y {\n\t\ttcp dport { 1, 2\n": "looks truncated",
		"table":                          "not one of iptables-save",
		"table x":                        "opening brace",
		"table ip x {\n}\nnonsense {\n}": "line 3: a table is expected",
		"table ip x {\n\tchain y {\n\t\tredirect to :http\n\t}\n}":                                  `line 3: port "http" is no number`,
		"table ip x {\n\tchain y {\n\t\ttype nat hook output priority huge; policy accept;\n\t}\n}": `priority "huge" is not known`,
		`{"nftables": []}`: "without -j",
	} {
		if _, err := ParseRules(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: error %v, and %q is expected in it", text, err, want)
		}
	}
}

// FuzzParseNFT feeds the reader of nft's text, and asks what comes out for connections.
func FuzzParseNFT(f *testing.F) {
	for _, file := range []string{"native.nft", "iptables.nft"} {
		text, err := os.ReadFile("testdata/" + file)
		must(f, err)
		f.Add(string(text))
	}
	for _, r := range oddRules {
		f.Add(outputChain(r))
	}
	f.Add("table ip x {\nchain c { limit rate 1/second drop }\n}")
	f.Add("table ip x {\nchain c {\n\"}\"\n}\n}")
	f.Add("table ip x {\n\tset s {\n\t\telements = { 1-2,\n\t\t\t3 }\n\t}\n\tchain o {\n\t\ttype nat hook output priority dstnat + 5; policy drop;\n\t\ttcp dport != @s redirect\n\t}\n}")
	fuzzRules(f)
}
