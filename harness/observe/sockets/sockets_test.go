package sockets

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/observetest"
)

func table(t testing.TB, name string) []Row { t.Helper(); return observetest.File(t, name, Parse) }

func rows(t testing.TB, text string) []Row { t.Helper(); return observetest.Text(t, text, Parse) }

var selection = Selection{Client: Pod{"netshoot.mark", netip.MustParseAddr("10.77.0.1")},
	Server: Pod{"fortio-server.mark", netip.MustParseAddr("10.77.0.2")}, Port: 8080}

func TestObserve(t *testing.T) {
	cold := []string{
		"client listener listening=0.0.0.0:15001 process=envoy",
		"client connect upstream.local=10.77.0.1:35312 upstream.remote=10.77.0.2:8080 upstream.reused=false " +
			"process=envoy",
		"client endpoint endpoint=10.77.0.2:8080",
		"server listener listening=0.0.0.0:15006 process=envoy",
		"server redirect redirect.port=15006 downstream.peer=10.77.0.1:35312 process=envoy",
		"server connect upstream.local=127.0.0.6:50694 upstream.remote=10.77.0.2:8080 process=envoy",
		"server endpoint endpoint=10.77.0.2:8080",
		"server app downstream.peer=127.0.0.6:50694 process=python3",
	}
	t.Run("cold", func(t *testing.T) {
		seen, watches := Observe(Tables{ClientBefore: table(t, "client-before.txt"),
			ClientAfter: table(t, "client-after.txt"), ServerAfter: table(t, "server-after.txt")}, selection)
		if got := observetest.Rows(seen); !slices.Equal(got, cold) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(cold, "\n"))
		}
		complete(t, watches)
	})
	t.Run("from /proc/net/tcp", func(t *testing.T) {
		seen, watches := Observe(Tables{ClientBefore: table(t, "client-before.txt"),
			ClientAfter: table(t, "client-after.txt"),
			ServerAfter: table(t, "server-after-proc-net-tcp.txt")}, selection)
		want := slices.Clone(cold)
		want[len(want)-1] = "server app downstream.peer=127.0.0.6:50694"
		if got := observetest.Rows(seen); !slices.Equal(got, want) {
			t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
		}
		complete(t, watches)
	})
	t.Run("past the sidecar", func(t *testing.T) {
		past := selection
		past.Cold = true // and yet the sidecar has a connection: it is not of this request's way
		seen, watches := Observe(Tables{ClientBefore: table(t, "client-after.txt"),
			ClientAfter:  table(t, "client-after.txt"),
			ServerBefore: table(t, "server-after.txt"), ServerAfter: table(t, "server-after.txt")}, past)
		for _, row := range observetest.Rows(seen) {
			if strings.Contains(row, "35312") {
				t.Errorf("a connection that was there before is taken for the request's: %s", row)
			}
		}
		complete(t, watches)
	})
	t.Run("warm", func(t *testing.T) {
		seen, _ := Observe(Tables{ClientBefore: table(t, "client-after.txt"), ClientAfter: table(t, "client-after.txt"),
			ServerAfter: table(t, "server-after.txt")}, selection)
		if !strings.Contains(observetest.Rows(seen)[1], "upstream.reused=true") {
			t.Errorf("the only connection was there before: %s", observetest.Rows(seen)[1])
		}
	})
}

func complete(t *testing.T, watches []flow.Watch) {
	t.Helper()
	for _, w := range watches {
		if !w.Complete {
			t.Errorf("watch of %s: %s", w.Pod, w.Problem)
		}
	}
}

func TestAmbiguity(t *testing.T) {
	const pooled = "ESTAB 0 0 10.77.0.1:35312 10.77.0.2:8080 users:((\"envoy\",pid=9,fd=35)) uid:1337 ino:48373\n"
	const second = "ESTAB 0 0 10.77.0.1:35314 10.77.0.2:8080 users:((\"envoy\",pid=9,fd=36)) uid:1337 ino:48374\n"
	const others = "ESTAB 0 0 10.77.0.1:40000 10.77.0.9:8080 users:((\"envoy\",pid=9,fd=37)) uid:1337 ino:48375\n" +
		"ESTAB 0 0 10.77.0.1:40001 10.77.0.2:8080 users:((\"curl\",pid=10,fd=5)) uid:1001 ino:48376\n"
	server := table(t, "server-after.txt")
	for _, c := range []struct {
		name, before, after string
		client, server      string // part of the watch's problem
	}{
		{"one row", "", pooled + others, "", ""},
		{"two rows", "", pooled + second, "2 connections of the client's sidecar", "connections from the client's pod"},
		{"one old, one new", pooled, pooled + second, "2 connections of the client's sidecar",
			"connections from the client's pod"},
		{"both old", pooled + second, pooled + second, "",
			"of 2 pooled connections of the client's sidecar, 1 have their other end"},
		{"no other end", "", second, "", "10.77.0.1:35314 has no other end"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, watches := Observe(Tables{ClientBefore: rows(t, c.before), ClientAfter: rows(t, c.after),
				ServerAfter: server}, selection)
			for i, want := range []string{c.client, c.server} {
				if got := watches[i].Problem + watches[i].Abstains; (want == "") != (got == "") ||
					!strings.Contains(got, want) {
					t.Errorf("%s: problem %q, want %q", watches[i].Side, got, want)
				}
			}
		})
	}
}

// TestOneOfAPool has two connections at each sidecar, all of them there before the request: which
// was used cannot be said, but that it is none that was dialled, where it leads, and whose it is.
func TestOneOfAPool(t *testing.T) {
	client := rows(t, `ESTAB 0 0 10.77.0.1:35312 10.77.0.2:8080 users:(("envoy",pid=9,fd=35)) uid:1337 ino:1
ESTAB 0 0 10.77.0.1:35314 10.77.0.2:8080 users:(("envoy",pid=9,fd=36)) uid:1337 ino:2
`)
	server := rows(t, `ESTAB 0 0 127.0.0.6:1 10.77.0.2:8080 users:(("envoy",pid=9,fd=35)) uid:1337 ino:3
ESTAB 0 0 127.0.0.6:2 10.77.0.2:8080 users:(("envoy",pid=9,fd=36)) uid:1337 ino:4
ESTAB 0 0 10.77.0.2:8080 127.0.0.6:1 users:(("fortio",pid=8,fd=5)) uid:0 ino:5
ESTAB 0 0 10.77.0.2:8080 127.0.0.6:2 users:(("fortio",pid=8,fd=6)) uid:0 ino:6
ESTAB 0 0 10.77.0.2:15006 10.77.0.1:35312 users:(("envoy",pid=9,fd=37)) uid:1337 ino:7
ESTAB 0 0 10.77.0.2:15006 10.77.0.1:35314 users:(("envoy",pid=9,fd=38)) uid:1337 ino:8
`)
	seen, watches := Observe(Tables{ClientBefore: client, ClientAfter: client, ServerBefore: server,
		ServerAfter: server}, selection)
	complete(t, watches)
	want := []string{
		"client connect upstream.remote=10.77.0.2:8080 upstream.reused=true process=envoy",
		"client endpoint endpoint=10.77.0.2:8080", "server redirect redirect.port=15006 process=envoy",
		"server connect upstream.remote=10.77.0.2:8080 upstream.reused=true process=envoy",
		"server endpoint endpoint=10.77.0.2:8080", "server app process=fortio",
	}
	if got := observetest.Rows(seen); !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	for _, w := range watches {
		if slices.ContainsFunc(w.Sees, func(c flow.Capability) bool {
			return c.Fact == flow.FactUpstreamLocal || c.Fact == flow.FactPeer
		}) {
			t.Errorf("the watch of %s claims to know which connection it was", w.Pod)
		}
	}
	_, watches = Observe(Tables{ClientBefore: client, ClientAfter: client, ServerBefore: server,
		ServerAfter: server[:len(server)-1]}, selection)
	if want := "of 2 pooled connections of the client's sidecar, 1 have their other end"; !strings.Contains(
		watches[1].Problem, want) {
		t.Errorf("one end is missing: %q", watches[1].Problem)
	}
	missing := Tables{ClientBefore: client, ClientAfter: client, ServerBefore: server,
		ServerAfter: server[:len(server)-1]}
	for name, c := range map[string]struct {
		again             []Row
		problem, abstains string
	}{
		"still there":   {client, "1 have their other end", ""},
		"ended since":   {client[:1], "", "some ended while the tables were read"},
		"another ended": {client[1:], "1 have their other end", ""},
	} {
		missing.ClientAgain = c.again
		_, watches := Observe(missing, selection)
		w := watches[1]
		if !strings.Contains(w.Problem, c.problem) || !strings.Contains(w.Abstains, c.abstains) ||
			w.Complete != (c.problem == "") {
			t.Errorf("%s: complete %t, problem %q, abstains %q", name, w.Complete, w.Problem, w.Abstains)
		}
	}
}

func TestListening(t *testing.T) {
	// The book's sidecar: one socket per port, duplicated for each worker (Envoy
	// without reuse_port).
	book := rows(t, `
LISTEN 0 4096 0.0.0.0:15006 0.0.0.0:* users:(("envoy",pid=9,fd=32),("envoy",pid=9,fd=39),("envoy",pid=9,fd=40))
LISTEN 0 4096 127.0.0.1:15000 0.0.0.0:* users:(("envoy",pid=9,fd=18))
LISTEN 0 4096 *:15020 *:* users:(("pilot-agent",pid=1,fd=12))
`)
	for _, c := range []struct {
		name string
		rows []Row
		want []Listen
	}{
		{"one row, three descriptors", book, []Listen{{netip.MustParseAddrPort("127.0.0.1:15000"), "envoy", 1, 1},
			{netip.MustParseAddrPort("0.0.0.0:15006"), "envoy", 1, 3},
			{netip.MustParseAddrPort("[::]:15020"), "pilot-agent", 1, 1}}},
		{"reuse_port", table(t, "server-after.txt"),
			[]Listen{{netip.MustParseAddrPort("0.0.0.0:8080"), "python3", 1, 1},
				{netip.MustParseAddrPort("127.0.0.1:15000"), "envoy", 1, 1},
				{netip.MustParseAddrPort("0.0.0.0:15006"), "envoy", 2, 2}}},
	} {
		if got := Listening(c.rows); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
}

func TestParse(t *testing.T) {
	for _, c := range []struct{ name, text, local, peer, state, process, err string }{
		{"IPv4 in IPv6", `ESTAB 0 0 [::ffff:10.77.0.2]:8080 [::ffff:127.0.0.6]:5 users:(("fortio",pid=3,fd=7))`,
			"10.77.0.2:8080", "127.0.0.6:5", "ESTAB", "fortio", ""},
		{"IPv6", `ESTAB 0 0 [fd00::2]:15006 [fd00::1]:5`, "[fd00::2]:15006", "[fd00::1]:5", "ESTAB", "", ""},
		{"bound to a device", `LISTEN 0 4096 127.0.0.53%lo:53 0.0.0.0:*`, "127.0.0.53:53",
			"0.0.0.0:0", "LISTEN", "", ""},
		{"process name with a blank", `ESTAB 0 0 1.1.1.1:1 2.2.2.2:2 users:(("my app",pid=3,fd=7)) uid:5`, "1.1.1.1:1",
			"2.2.2.2:2", "ESTAB", "my app", ""},
		{"proc IPv6", ` 0: 0000000000000000FFFF000002004D0A:1F90 0000000000000000FFFF00000600007F:C606 01 0:0 00:0 0 ` +
			`1001 0 49291 2`, "10.77.0.2:8080", "127.0.0.6:50694", "ESTAB", "", ""},
		{"names instead of numbers", `ESTAB 0 0 netshoot:52352 fortio:http`, "", "", "", "",
			"line 1: address \"netshoot:52352\" is not an IP address (call ss with -n)"},
		{"not a table", `command not found: ss`, "", "", "", "", "line 1: 4 columns"},
		{"no state", `HELLO 0 0 1.1.1.1:1 2.2.2.2:2`, "", "", "", "", `state "HELLO" is none of TCP's`},
	} {
		got, err := Parse(strings.NewReader(c.text))
		if c.err != "" {
			if err == nil || !strings.Contains(err.Error(), c.err) {
				t.Errorf("%s: error %v, want %q", c.name, err, c.err)
			}
			continue
		}
		if err != nil || len(got) != 1 {
			t.Errorf("%s: %d rows, error %v", c.name, len(got), err)
			continue
		}
		if r := got[0]; r.Local.String() != c.local || r.Peer.String() != c.peer || r.State != c.state ||
			r.Process() != c.process {
			t.Errorf("%s: got %s %s %s %q", c.name, r.State, r.Local, r.Peer, r.Process())
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(`ESTAB 0 0 [::ffff:10.77.0.2]:8080 [::ffff:127.0.0.6]:5 users:(("fortio",pid=3,fd=7)) uid:1 ino:2`)
	f.Add(" 0: 0100007F:1F90 00000000:0000 0A 0:0 00:0 0 1001 0 49291 2")
	f.Fuzz(func(t *testing.T, text string) {
		all, err := Parse(strings.NewReader(text))
		if err != nil && !strings.HasPrefix(err.Error(), "read socket table: ") {
			t.Errorf("error without a place: %v", err)
		}
		Observe(Tables{ClientBefore: all, ClientAfter: all, ServerAfter: all}, selection)
		Listening(all)
	})
}

// TestOneNewBesideAPool has an old and a new connection of the server's sidecar to the application:
// either may be the request's, and the same process holds the other end of both.
func TestOneNewBesideAPool(t *testing.T) {
	const old = `ESTAB 0 0 127.0.0.6:1 10.77.0.2:8080 users:(("envoy",pid=9,fd=35)) uid:1337 ino:3
ESTAB 0 0 10.77.0.2:8080 127.0.0.6:1 users:(("fortio",pid=8,fd=5)) uid:0 ino:5
`
	const fresh = `ESTAB 0 0 127.0.0.6:2 10.77.0.2:8080 users:(("envoy",pid=9,fd=36)) uid:1337 ino:4
ESTAB 0 0 10.77.0.2:8080 127.0.0.6:2 users:(("fortio",pid=8,fd=6)) uid:0 ino:6
`
	for _, c := range []struct{ name, fresh, app string }{
		{"one process", fresh, "server app process=fortio"},
		{"two processes", strings.ReplaceAll(fresh, "fortio", "other"), "server app"},
	} {
		t.Run(c.name, func(t *testing.T) {
			seen, watches := Observe(Tables{ServerBefore: rows(t, old), ServerAfter: rows(t, old+c.fresh)}, selection)
			want := []string{"server connect upstream.remote=10.77.0.2:8080 process=envoy",
				"server endpoint endpoint=10.77.0.2:8080", c.app}
			if got := observetest.Rows(seen); !slices.Equal(got, want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			for _, sees := range watches[1].Sees {
				known := sees.Kind != flow.App || sees.Fact == flow.FactProcess && strings.Contains(c.app, "process")
				if !known || sees.Fact == flow.FactUpstreamReused || sees.Fact == flow.FactUpstreamLocal {
					t.Errorf("it would see which connection was used: %v", sees)
				}
			}
		})
	}
}
