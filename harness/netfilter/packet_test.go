package netfilter

import (
	"net/netip"
	"strings"
	"testing"
)

// nftMatches are matches in nft's words, one for each rule of
// testdata/matches.json, which nft printed.
func nftMatches(t testing.TB) map[string]rule {
	t.Helper()
	var texts, lines []string
	for _, c := range firstPackets {
		if c.text == "nft" {
			texts, lines = append(texts, c.match),
				append(lines, "\t\tmeta l4proto tcp "+c.match+" redirect to :15001 comment \"m\"\n")
		}
	}
	ruleset := "table inet x {\n\tmap ports {\n\t\ttype inet_service : verdict\n\t}\n\tset wide {\n\t\ttype " +
		"inet_service; flags interval;" +
		" elements = { 79-81, 6000 }\n\t}\n\tchain output {\n\t\ttype nat hook output priority -100; policy accept;\n" +
		strings.Join(lines, "") + "\t}\n}\n"
	rules, err := Parse(listingOf(t, "matches", ruleset))
	must(t, err)
	read := rules.tables[0].chains["output"].rules
	if len(read) != len(texts) {
		t.Fatalf("%d rules, and %d matches (write them with -update)", len(read), len(texts))
	}
	of := map[string]rule{}
	for i, text := range texts {
		of[text] = read[i]
	}
	return of
}

// natChain is the same of iptables-save.
func natChain(rules string) string { return "*nat\n-A OUTPUT " + rules + "\nCOMMIT\n" }

const holds, fails, unknown = "", "the connection has", "is not known"

// firstPackets is the table of what a match says of the first packet of a connection to port 80
// from 10.1.1.1:40000. What more than the packet decides is not followed.
var firstPackets = []struct{ text, match, want string }{
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
	{"nft", "ip daddr . tcp dport { 10.96.0.1 . 80 }", holds},
	{"nft", "ip daddr . tcp dport { 10.96.0.1 . 81, 10.96.0.0/24 . 70-90 }", holds},
	{"nft", "ip daddr . tcp dport != { 10.96.0.1 . 80 }", "needs not concatenation"},
	{"nft", "ip daddr . tcp dport { 10.96.0.2 . 80 }", "needs concatenation"},
	{"nft", "tcp dport < 81", holds},
	{"nft", "tcp dport > 80", fails},
	{"nft", "meta mark & 0xff == 0x1", fails},
	{"nft", "meta mark and 0xff != 0x1", holds},
	{"nft", "limit rate 10/second tcp dport { 80, 443 }", unknown},
	{"nft", "limit rate 10/second tcp dport { 81, 443 }", fails},
	{"nft", "limit rate over 10 mbytes/second burst 5 kbytes", unknown},
	{"nft", "quota over 5 mbytes", unknown},
	{"nft", "numgen random mod 10 < 5", unknown},
	{"nft", "meta cgroup 3", unknown},

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
}

func TestFirstPacket(t *testing.T) {
	listed := nftMatches(t)
	p := packet{src: netip.MustParseAddrPort("10.1.1.1:40000"), dst: netip.MustParseAddrPort("10.96.0.1:80"),
		out: "eth0", proto: "tcp"}
	for _, c := range firstPackets {
		t.Run(c.text+" "+c.match, func(t *testing.T) {
			r, ok := listed[c.match]
			if c.text == "iptables" {
				rules, err := Parse(natChain(c.match + " -j REDIRECT --to-ports 15001"))
				must(t, err)
				r, ok = rules.tables[0].chains["OUTPUT"].rules[0], true
			}
			if got, _ := r.lacks(p); !ok || got != c.want && (c.want == "" || !strings.Contains(got, c.want)) {
				t.Errorf("%q, expected %q", got, c.want)
			}
		})
	}
}

// TestSourcePort follows rules on the port that a connection comes from, which often is not said.
func TestSourcePort(t *testing.T) {
	for _, text := range []string{jsonChain(`{"match": {"op": "!=", "left": {"payload": {"protocol": "tcp", "field": ` +
		`"sport"}}, "right": 53}}, {"redirect": {"port": 15001}}`),
		natChain("-p tcp ! --sport 53 -j REDIRECT --to-ports 15001")} {
		rules, err := Parse(text)
		must(t, err)
		for source, to := range map[string]uint16{"": 0, "10.1.1.1:0": 0, "10.1.1.1:53": 0, "10.1.1.1:54": 15001} {
			p := packetTo(out, "10.96.0.1", 80, Sender{})
			if source != "" {
				p.Source = netip.MustParseAddrPort(source)
			}
			v := rules.Judge(p)
			if v.Port != to || (len(v.Open) == 1) != (p.Source.Port() == 0) {
				t.Errorf("%q from %q: to %d, expected %d (open %v)", text, source, v.Port, to, v.Open)
			}
		}
	}
}

// jsonChain is a table of nft whose one chain sees a pod's connections go out; rules are
// lists of expressions.
func jsonChain(rules ...string) string {
	var b strings.Builder
	b.WriteString(`{"nftables": [{"chain": {"family": "ip", "table": "x", "name": "output", "type": "nat", "hook": ` +
		`"output", "prio": -100, "policy": "accept"}}`)
	for _, r := range rules {
		b.WriteString(`, {"rule": {"family": "ip", "table": "x", "chain": "output", "expr": [` + r + `]}}`)
	}
	return b.String() + "]}"
}

// TestLongRules reads texts that are long in one place, and judges by them: none may cost the
// square of its length.
func TestLongRules(t *testing.T) {
	const redirect = `{"redirect": {"port": 15001}}`
	elements := `"10.0.0.0"` + strings.Repeat(`, {"range": ["10.200.0.1", "10.200.0.9"]}`, 100_000)
	set := `{"set": {"family": "ip", "table": "x", "name": "nets", "elem": [` + elements + `]}}`
	inSet := `{"match": {"op": "==", "left": {"payload": {"protocol": "ip", "field": "daddr"}}, "right": "@nets"}}, ` +
		`{"return": null}`
	many := make([]string, 9_000)
	for i := range many {
		many[i] = inSet
	}
	for name, text := range map[string]string{
		"one set, many rules": strings.Replace(jsonChain(append(many, redirect)...), `[{`, `[`+set+`, {`, 1),
		"a list of words": jsonChain(`{"match": {"op": "in", "left": {"ct": {"key": "state"}}, "right": ` +
			`["new"` + strings.Repeat(`, "a"`, 1<<20) + `]}}, ` + redirect),
		"a question of many": jsonChain(`{"match": {"op": "==", "left": {"fib": {"result": "type", "flags": `+
			`["a"`+strings.Repeat(`, "a"`, 1<<20)+`]}}, "right": "local"}}, {"accept": null}`, redirect),
		"a map of many": jsonChain(`{"vmap": {"key": {"meta": {"key": "skuid"}}, "data": {"set": [[1, `+
			`{"drop": null}]`+strings.Repeat(`, [1, {"drop": null}]`, 9_000)+`]}}}`, redirect),
		"a list in one chain": natChain(strings.Repeat("-j A\n-A OUTPUT ", 9_000/2) + "-j REDIRECT --to-ports " +
			"15001\n-A A -d 10.0.0.1" + strings.Repeat(",10.0.0.1", 300_000) + " -j RETURN"),
		"one table again and again": "*nat\n" + strings.Repeat("*nat\n:A - [0:0]\n",
			1<<18) + "-A OUTPUT -j REDIRECT --to-ports 15001",
	} {
		rules, err := Parse(text)
		must(t, err)
		v := rules.Judge(packetTo(out, "172.16.0.1", 80, Sender{}))
		if v.Port != 15001 {
			t.Errorf("%s: to %d (%.200s)", name, v.Port, v.Why)
		}
		for _, r := range v.Passed {
			if len(r.Why) > 500 {
				t.Errorf("%s: %d bytes say why a rule does not hold", name, len(r.Why))
			}
		}
	}
}

// TestTooLong refuses texts that no pod has, and tables that iptables does not have.
func TestTooLong(t *testing.T) {
	for text, want := range map[string]string{
		jsonChain() + strings.Repeat(" \n", maxRules/2):           "longer than 8 MiB",
		natChain("-j ACCEPT") + strings.Repeat("#\n", maxRules/2): "longer than 8 MiB",
		"*nat\nCOMMIT\n*other\nCOMMIT\n":                          `line 3: iptables has no table "other"`,
		natChain("--tcp-flags SYN"):                               "--tcp-flags has two lists",
	} {
		if _, err := Parse(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q…: error %v, expected %q", text, err, want)
		}
	}
}
