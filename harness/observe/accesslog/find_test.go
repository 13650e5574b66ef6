package accesslog

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// row is a line of a server's access log: of a request with the id "a" that came from a peer.
func row(second int, peer, direct string, status int, more string) string {
	return fmt.Sprintf(`{"start_time":"2026-11-23T06:34:%02d.000Z","request_id":"a","response_code":%d,`+
		`"downstream_remote_address":"%s","downstream_direct_local_address":"10.0.0.2:%s","method":"GET",`+
		`"authority":"b:80","path":"/x?y=z","upstream_host":"10.0.0.3:80"%s}`+"\n", second, status, peer, direct, more)
}

// TestArrivals takes of the attempts that came to a server the first over the connection of the
// last: of the client's last, or, where that one did not come here, of the last that did. The debug
// log takes the same.
func TestArrivals(t *testing.T) {
	const first, second = "10.0.0.1:1001", "10.0.0.1:1002"
	rows := row(1, first, "15006", 503, "") + row(2, second, "15006", 503, "") + row(3, second, "15006", 200, "")
	lines, _ := Parse([]byte(rows))
	for _, c := range []struct {
		name  string
		sent  Sent
		own   int // number of the line; 0: it cannot be told
		count int
	}{
		{"the last attempt came", Sent{Local: second, Attempts: 3}, 2, 3},
		{"the last attempt's connection was the first's", Sent{Local: first, Attempts: 3}, 1, 3},
		{"the last attempt went elsewhere", Sent{Local: "10.0.0.1:1003", Attempts: 4}, 2, 3},
		{"the last attempt was refused", Sent{Attempts: 4}, 2, 3},
		{"more lines than attempts", Sent{Local: second, Attempts: 2}, 0, 0},
	} {
		f := find(lines, Selection{RequestID: "a", Side: flow.Server, From: "10.0.0.1", Client: c.sent})
		own := 0
		if len(f.own) == 1 {
			own = f.own[0].Number
		}
		if own != c.own || len(f.arrivals) != c.count {
			t.Errorf("%s: line %d of %d arrivals, want line %d of %d", c.name, own, len(f.arrivals), c.own, c.count)
		}
	}
}

// TestFromAnother waits on where the client's log has of its own connection's address only a line
// with another id: an earlier connection may have had that port.
func TestFromAnother(t *testing.T) {
	const peer = "10.0.0.1:1001"
	other := strings.ReplaceAll(row(1, peer, "15001", 200, ""), `"request_id":"a"`, `"request_id":"b"`)
	own := row(2, peer, "15001", 200, "")
	bytes := strings.ReplaceAll(own, `"request_id":"a"`, `"request_id":null`)
	for name, c := range map[string]struct {
		log  string
		want bool
	}{
		"no line":                        {"", false},
		"its own":                        {own, false},
		"another's":                      {other, true},
		"another's, then its own":        {other + own, false},
		"a connection that is no HTTP":   {bytes, false},
		"another's, and one that is not": {other + bytes, false},
		"of another address":             {strings.ReplaceAll(other, peer, "10.0.0.1:1002"), false},
	} {
		if got := fromAnother([]byte(c.log), "a", peer); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestNextAttempts tells how often the sidecar tried a call of the application's own, where it did
// more than once.
func TestNextAttempts(t *testing.T) {
	const peer = "10.0.0.2:2001"
	attempts := func(n string) string { return `,"upstream_request_attempt_count":"` + n + `"` }
	rows := row(1, "10.0.0.1:1001", "15006", 200, attempts("1")) + row(2, peer, "15001", 200, attempts("1")) +
		row(3, peer, "15001", 503, attempts("3"))
	lines, damaged := Parse([]byte(rows))
	seen, watch := Observe(lines, damaged, Selection{RequestID: "a", Side: flow.Server, From: "10.0.0.1"})
	if !watch.Complete {
		t.Errorf("watch: %s", watch.Problem)
	}
	var got []string
	for _, o := range seen {
		var facts []string
		for _, f := range o.Facts {
			facts = append(facts, f.Name+"="+f.Value)
		}
		if o.Facts[0].Name == flow.FactNextCall {
			got = append(got, strings.Join(facts, " "))
		}
	}
	const call = "next.call=GET b:80/x next.endpoint=10.0.0.3:80 next.status="
	if want := []string{call + "200", call + "503 next.attempts=3"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
