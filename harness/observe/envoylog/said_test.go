package envoylog

import (
	"os"
	"strings"
	"testing"
)

// TestAbout finds the request's own lines among all others, and says which part of Envoy said each.
func TestAbout(t *testing.T) {
	for _, tc := range []struct {
		name, text string
		sel        Selection
		lines      int
		first      string
		last       string
	}{
		{"workshop", workshopLog(), Selection{RequestID: workshopRequestID}, 40,
			"original_dst: new connection accepted", "destroying stream: 0 remaining"},
		{"another request", workshopLog(), Selection{RequestID: "x"}, 0, "", ""},
	} {
		lines, err := ReadAll(strings.NewReader(tc.text))
		if err != nil {
			t.Fatal(err)
		}
		all := About(lines, tc.sel)
		if len(all) != tc.lines || tc.lines > 0 && (all[0].Message != tc.first || all[len(all)-1].Message != tc.last) {
			t.Errorf("%s: %d lines, not %d: %v", tc.name, len(all), tc.lines, all)
		}
	}
	lines, err := ReadAll(strings.NewReader(workshopLog()))
	if err != nil {
		t.Fatal(err)
	}
	counts := map[Component]int{}
	for _, s := range About(lines, Selection{RequestID: workshopRequestID}) {
		counts[s.Component]++
	}
	for component, want := range map[Component]int{OriginalDst: 1, Inspector: 2, ListenerPart: 1, Manager: 4, Router: 4,
		LoadBalancing: 9, Pool: 7, Codec: 3, ConnectionOf: 5, Extension: 4} {
		if counts[component] != want {
			t.Errorf("%s said %d lines, not %d", component, counts[component], want)
		}
	}
}

// TestAboutACurrentLog finds every line of the stream and of both connections in the
// log of a current sidecar.
func TestAboutACurrentLog(t *testing.T) {
	file, err := os.Open("testdata/server-1.40.log")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	lines, err := ReadAll(file)
	if err != nil {
		t.Fatal(err)
	}
	var id string
	for _, l := range lines {
		if found, ok := l.Header("x-request-id"); ok && id == "" {
			id = found
		}
	}
	all := About(lines, Selection{RequestID: id, Side: "server"})
	said := map[Component]bool{}
	for _, s := range all {
		said[s.Component] = true
		if s.Source == "" {
			t.Errorf("line %d names no source: %s", s.Number, s.Text)
		}
	}
	for _, component := range []Component{Manager, Router, LoadBalancing, Pool, ConnectionOf} {
		if !said[component] {
			t.Errorf("the %s says nothing in %d lines", component, len(all))
		}
	}
}
