package report

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/flowproof/lab/harness/flow"
)

// attempts writes the attempts of each proxy that made several, or whose only one failed, as a
// table, and the requests that the application made on its own.
func (t *text) attempts(answer flow.Answer) {
	for rest := answer.Tried; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].Proxy == rest[0].Proxy {
			n++
		}
		t.tried(rest[:n])
		rest = rest[n:]
	}
	for _, call := range answer.Next {
		t.paragraph("", "the application calls on: "+nextText(call))
	}
}

// tried writes the attempts of one proxy: where each went, what it was answered with, after how
// long, over which connection, and why it failed.
func (t *text) tried(all []flow.Attempt) {
	t.line("    attempts of %s", clean(all[0].Proxy))
	endpoint, after, connection := 1, 0, 0
	for _, a := range all {
		endpoint = max(endpoint, utf8.RuneCountInString(a.Endpoint))
		after = max(after, utf8.RuneCountInString(a.After))
		connection = max(connection, len(connectionText(a)))
	}
	for _, a := range all {
		row := fmt.Sprintf("%4d  %s  %s  %s  %s", a.Number, pad(cmp.Or(clean(a.Endpoint), "?"), endpoint),
			pad(statusText(a), len("failed")), pad(clean(a.After), after), pad(connectionText(a), connection))
		if a.Failure == "" {
			t.line("    %s", row)
			continue
		}
		t.paragraph(row+"  ", a.Failure)
	}
}

// statusText is the status that an attempt was answered with, where it was seen.
func statusText(a flow.Attempt) string {
	switch {
	case a.Failure != "":
		return "failed"
	case a.Status > 0:
		return strconv.Itoa(a.Status)
	}
	return "·"
}

func connectionText(a flow.Attempt) string {
	switch a.Connection {
	case flow.NewConnection:
		return "new connection"
	case flow.ReusedConnection:
		return "same connection"
	}
	return "no connection"
}

// nextText says in a line which request an application made on its own, and what came of it.
func nextText(call flow.NextCall) string {
	text := call.From + " ➔ " + call.Method + " " + call.URL
	if call.Status > 0 {
		text += ", " + strconv.Itoa(call.Status)
	}
	if call.Endpoint != "" {
		text += " by " + call.Endpoint
	}
	names := make([]string, 0, len(call.SeenBy))
	for _, i := range call.SeenBy {
		names = append(names, string(i))
	}
	return text + " (" + strings.Join(names, ", ") + ")"
}
