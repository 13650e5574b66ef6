package envoylog

import (
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/flowproof/lab/harness/flow"
)

// TestClosedAtOnce reads the log of a real sidecar whose black hole closed a connection
// before it was announced.
func TestClosedAtOnce(t *testing.T) {
	raw, err := os.ReadFile("testdata/server-blackhole-1.40.log")
	if err != nil {
		t.Fatal(err)
	}
	text := string(raw)
	session := text[strings.Index(text, "new tcp proxy session")-220:]
	session = session[strings.Index(session, "\n")+1:]
	session = session[:strings.Index(session, "\n")+1]
	at := func(clock string) time.Time {
		when, err := time.Parse(time.RFC3339Nano, session[:11]+clock+"Z")
		if err != nil {
			t.Fatal(err)
		}
		return when
	}
	day := Selection{Peer: "172.21.206.198:1", Since: at("00:00:00"), Until: at("23:59:59")}
	for _, c := range []struct {
		name    string
		text    string
		sel     Selection
		cluster string
		problem string
	}{
		{"one", text, day, "BlackHoleCluster", ""},
		{"another time", text, Selection{Peer: day.Peer, Since: day.Until, Until: day.Until}, "",
			"the log ends before the answer was there"},
		{"no client is known", text, Selection{Since: day.Since, Until: day.Until}, "", "after the request was sent"},
		{"two", text + strings.ReplaceAll(session, `"ConnectionId":"`, `"ConnectionId":"9`), day, "BlackHoleCluster",
			"2 connections may be the client's"},
	} {
		t.Run(c.name, func(t *testing.T) {
			lines, err := ReadAll(strings.NewReader(c.text))
			if err != nil {
				t.Fatal(err)
			}
			seen, w := Observe(lines, c.sel)
			cluster := ""
			for _, o := range seen {
				for _, f := range o.Facts {
					switch f.Name {
					case flow.FactCluster:
						cluster = f.Value
					case flow.FactPeer:
						t.Errorf("the log does not say whose the connection is, and %s is said to be", f.Value)
					}
				}
			}
			if cluster != c.cluster || w.Complete != (c.problem == "") || !strings.Contains(w.Problem, c.problem) {
				t.Errorf("cluster %q, problem %q", cluster, w.Problem)
			}
			if c.problem == "" && !slices.ContainsFunc(seen, func(o flow.Observation) bool {
				return o.Kind == flow.Redirect && strings.HasSuffix(o.Facts[0].Value, ":15006")
			}) {
				t.Error("where it was going was not seen")
			}
		})
	}
}
