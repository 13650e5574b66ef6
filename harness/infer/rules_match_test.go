package infer

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// outputChain is a table of nft whose one chain sees a pod's connections go out.
func outputChain(rules string) string {
	return "table ip x {\n\tmap ports {\n\t\ttype inet_service : verdict\n\t}\n\tset wide {\n\t\telements = { 79-81, 6000 }\n\t}\n\tchain output {\n" +
		"\t\ttype nat hook output priority -100; policy accept;\n\t\t" + rules + "\n\t}\n}\n"
}

// natChain is the same of iptables-save.
func natChain(rules string) string { return "*nat\n-A OUTPUT " + rules + "\nCOMMIT\n" }

// TestFirstPacket is the table of what a match says of the first packet of a connection to port 80 from 10.1.1.1:40000. What
// more than the packet decides is not followed.
func TestFirstPacket(t *testing.T) {
	const holds, fails, unknown = "", "the connection has", "is not known"
	for _, c := range []struct{ text, match, want string }{
		{"nft", "ct direction original", holds},
		{"nft", "ct direction reply", fails},
		{"nft", "ct direction != reply", holds},
		{"nft", "ct direction { original, reply }", holds},
		{"nft", "tcp sport 40000", holds},
		{"nft", "tcp sport { 80, 39000-41000 }", holds},
		{"nft", "tcp sport 53", fails},
		{"nft", "tcp sport != 53", holds},
		{"nft", "tcp dport @wide", holds},
		{"nft", "tcp dport != @wide", fails},
		{"nft", "tcp dport { 443, 70-90, 75-76 }", holds},
		{"nft", "tcp dport { 80-79 }", fails},
		{"nft", "tcp flags syn", holds},
		{"nft", "tcp flags syn,ack", holds},
		{"nft", "tcp flags fin,ack", "needs TCP flags not fin,ack NONE"},
		{"nft", "tcp flags ! syn", fails},
		{"nft", "tcp flags ! rst", holds},
		{"nft", "tcp flags == syn", holds},
		{"nft", "tcp flags != syn", fails},
		{"nft", "tcp flags syn / fin,syn,rst,ack", holds},
		{"nft", "tcp flags != syn / fin,syn,rst,ack", fails},
		{"nft", "tcp flags syn,ack / syn,ack", fails},
		{"nft", "tcp flags & (fin | syn | rst | ack) == syn", holds},
		{"nft", "tcp flags & (syn | ack) == 0x0", fails},
		{"nft", "tcp flags { fin | ack, syn }", unknown},
		{"nft", "tcp flags vmap { syn : accept }", unknown},
		{"nft", "tcp dport vmap @ports", unknown},
		{"nft", "ip daddr . tcp dport { 10.96.0.1 . 80 }", unknown},
		{"nft", "limit rate 10/second tcp dport { 80, 443 }", unknown},
		{"nft", "limit rate over 10 mbytes/second burst 5 kbytes", unknown},
		{"nft", `limit name "few"`, unknown},
		{"nft", "quota over 5 mbytes used 3 bytes", unknown},
		{"nft", `"}"`, unknown},
		{"nft", `foo "}"`, unknown},
		{"nft", `foo "{"`, unknown},

		{"iptables", "-m conntrack --ctdir ORIGINAL", holds},
		{"iptables", "-m conntrack --ctdir REPLY", fails},
		{"iptables", "-p tcp -m tcp --sport 40000", holds},
		{"iptables", "-p tcp -m multiport --sports 80,39000:41000", holds},
		{"iptables", "-p tcp -m tcp --sport 53", fails},
		{"iptables", "-p tcp -m tcp ! --sport 53", holds},
		{"iptables", "-p tcp -m tcp --tcp-flags FIN,SYN,RST,ACK SYN", holds},
		{"iptables", "-p tcp -m tcp ! --tcp-flags FIN,SYN,RST,ACK SYN", fails},
		{"iptables", "-p tcp -m tcp --tcp-flags SYN NONE", fails},
		{"iptables", "-p tcp -m tcp --tcp-flags FIN,ACK NONE", holds},
		{"iptables", "-p tcp -m tcp --tcp-flags ACK ACK", fails},
		{"iptables", "-p tcp -m tcp --tcp-flags SYN,XYZ SYN", unknown},
		{"iptables", "-p tcp ! --syn", "needs not --syn"},
	} {
		t.Run(c.text+" "+c.match, func(t *testing.T) {
			text := outputChain(c.match + " redirect to :15001")
			if c.text == "iptables" {
				text = natChain(c.match + " -j REDIRECT --to-ports 15001")
			}
			rules, err := ParseRules(text)
			must(t, err)
			chain := rules.tables[0].chains["output"]
			if c.text == "iptables" {
				chain = rules.tables[0].chains["OUTPUT"]
			}
			p := packet{src: netip.MustParseAddrPort("10.1.1.1:40000"), dst: netip.MustParseAddrPort("10.96.0.1:80"), out: "eth0"}
			if len(chain.rules) != 1 {
				t.Fatalf("%d rules", len(chain.rules))
			}
			if got := chain.rules[0].lacks(p); got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
				t.Errorf("%q, expected %q", got, c.want)
			}
		})
	}
}

// TestSourcePort follows rules on the port that a connection comes from, which often nobody has said.
func TestSourcePort(t *testing.T) {
	node := recorded(t, "fortio-server").Node()
	for _, text := range []string{outputChain("tcp sport != 53 redirect to :15001"), natChain("-p tcp ! --sport 53 -j REDIRECT --to-ports 15001")} {
		rules, err := ParseRules(text)
		must(t, err)
		for source, to := range map[string]uint16{"": 0, "10.1.1.1": 0, "10.1.1.1:53": 0, "10.1.1.1:54": 15001} {
			req, err := normalise(flow.Request{Direction: flow.Outbound, Address: "10.96.0.1", Port: 80, Source: source})
			must(t, err)
			if v := rules.judge(req, node, Sender{}, 15006); v.port != to {
				t.Errorf("%q from %q: to %d, expected %d", text, source, v.port, to)
			}
		}
	}
}

// oddRules are lines that end, and do not keep the reader from ending.
var oddRules = []string{
	"limit rate 10/second tcp dport { 80, 443 } accept", "limit {", "limit ,", "quota , 5", `"}"`, `foo "}"`, `foo "{" { "}" }`, `limit "}"`,
	`tcp dport "{"`, "tcp flags syn,", "tcp flags & (", "tcp flags | | ,", "ct state a,", "ct state , a", "tcp dport vmap }", `ip daddr . "}"`, "fib . . .", "tcp sport @wide drop",
}

// TestOddRules reads each of them before a rule that must not be lost, or says where one is wrong.
func TestOddRules(t *testing.T) {
	for _, odd := range oddRules {
		rules, err := ParseRules(outputChain(odd + "\n\t\tredirect to :15001"))
		switch {
		case err != nil && !strings.Contains(err.Error(), "netfilter rules: line "):
			t.Errorf("%s: %v", odd, err)
		case err == nil && len(rules.tables[0].chains["output"].rules) > 2:
			t.Errorf("%s: %d rules", odd, len(rules.tables[0].chains["output"].rules))
		}
	}
}

// TestNoProgress gives a block members that take nothing of the text.
func TestNoProgress(t *testing.T) {
	r := &nftReader{tokens: nftTokens("{ a }")}
	if err := r.block(func() error { return nil }); err == nil || !strings.Contains(err.Error(), `"a" is not expected here`) {
		t.Errorf("error %v", err)
	}
}

// TestLongRules reads texts that are long in one place, and judges by them: none may cost the square of its length.
func TestLongRules(t *testing.T) {
	set := "10.0.0.0/9" + strings.Repeat(",\n10.200.0.1-10.200.0.9", 200_000)
	for name, text := range map[string]string{
		"one set, many rules": strings.Replace(outputChain(strings.Repeat("ip daddr @nets return\n", 9_000)+"redirect to :15001"),
			"set wide", "set nets {\nelements = { "+set+" }\n}\nset wide", 1),
		"a list of words":           outputChain("ct state new" + strings.Repeat(",a", 1<<20) + " redirect to :15001"),
		"a line of commas":          outputChain("foo" + strings.Repeat(",", 1<<20) + "\nredirect to :15001"),
		"a question of many":        outputChain("fib a" + strings.Repeat(" . a", 1<<20) + " type local\nredirect to :15001"),
		"a list in one chain":       natChain(strings.Repeat("-j A\n-A OUTPUT ", 9_000/2) + "-j REDIRECT --to-ports 15001\n-A A -d 10.0.0.1" + strings.Repeat(",10.0.0.1", 300_000) + " -j RETURN"),
		"flags":                     outputChain("tcp flags syn" + strings.Repeat(",ack", 1<<20) + " redirect to :15001"),
		"one table again and again": "*nat\n" + strings.Repeat("*nat\n:A - [0:0]\n", 1<<18) + "-A OUTPUT -j REDIRECT --to-ports 15001",
	} {
		rules, err := ParseRules(text)
		must(t, err)
		req, err := normalise(flow.Request{Direction: flow.Outbound, Address: "172.16.0.1", Port: 80})
		must(t, err)
		v := rules.judge(req, recorded(t, "fortio-server").Node(), Sender{}, 15006)
		if v.port != 15001 {
			t.Errorf("%s: to %d (%.200s)", name, v.port, v.why)
		}
		for _, r := range v.rejected {
			if len(r.Why) > 500 {
				t.Errorf("%s: %d bytes say why a rule does not hold", name, len(r.Why))
			}
		}
	}
}

// TestTooLong refuses texts of both kinds that no pod has, and tables that iptables does not have.
func TestTooLong(t *testing.T) {
	more := strings.Repeat("#\n", maxRules/2)
	for text, want := range map[string]string{
		outputChain("accept") + more:     "longer than 8 MiB",
		natChain("-j ACCEPT") + more:     "longer than 8 MiB",
		"*nat\nCOMMIT\n*other\nCOMMIT\n": `line 3: iptables has no table "other"`,
		natChain("--tcp-flags SYN"):      "--tcp-flags has two lists",
	} {
		if _, err := ParseRules(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q…: error %v, expected %q", text, err, want)
		}
	}
}
