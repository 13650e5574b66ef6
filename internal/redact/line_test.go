package redact

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// logHead is how Envoy begins a line of its log under Istio, and logStamp the time before it.
const (
	logStamp = "2026-11-30T09:58:25.106738Z\t"
	logHead  = logStamp + "debug\tenvoy http source/common/http/conn_manager_impl.cc:2194\t" +
		`[Tags: "ConnectionId":"17","StreamId":"1656050088309006776"] `
)

// TestLinesOfALongText holds a text whose lines are remembered against the same lines one by one:
// every spelling, as it is, behind the head of a line of Envoy's log, and again with other numbers.
func TestLinesOfALongText(t *testing.T) {
	var all []string
	for _, name := range []string{"secret-texts.txt", "secret-documents.txt", "harmless.txt",
		"harmless-documents.txt"} {
		for _, text := range corpus(t, name) {
			line := secrets.Replace(strings.ReplaceAll(text, "\n", " "))
			all = append(all, line, logHead+line)
		}
	}
	recorded, err := os.ReadFile("../../harness/observe/envoylog/testdata/server-1.40.log")
	if err != nil {
		t.Fatal(err)
	}
	all = append(all, strings.Split(string(recorded), "\n")...)
	all = append(all, logStamp+"> x-card: 4111-1111-1111-1111", "> x-card: 5500-0000-0000-0004",
		logStamp+"'x-pin', '12345678'", "'x-pin', '87654321'")
	known := rememberLines(strings.Repeat(" ", longText))
	for range 2 {
		for _, line := range all {
			for _, line := range alike(line) {
				if got, want := known.line(line), ofLine(line); got != want {
					t.Errorf("%q is shown as %q, and by itself as %q", line, got, want)
				}
			}
		}
	}
	if len(known.shownAs) == 0 {
		t.Error("no line is remembered")
	}
}

// FuzzFormOfLine holds that lines of one form are all shown as they are, or none is.
func FuzzFormOfLine(f *testing.F) {
	for _, name := range []string{"secret-texts.txt", "harmless.txt"} {
		for _, line := range corpus(f, name) {
			f.Add(secrets.Replace(line))
			f.Add(logHead + secrets.Replace(line))
			f.Add("> x-a: " + secrets.Replace(line))
		}
	}
	f.Add(logHead + "router decoding headers: ':path', '/?n=12'")
	f.Add(`password [Tags: "ConnectionId":"12345678:AAaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"] x`)
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\r\n") {
			return
		}
		form, ok := formOfLine(nil, line)
		shown := ofLine(line) == line
		for _, other := range alike(line)[1:] {
			same, alsoOK := formOfLine(nil, other)
			if !ok || !alsoOK || string(form) != string(same) {
				continue
			}
			if also := ofLine(other) == other; shown != also {
				t.Errorf("%q is shown: %v, and %q of the same form: %v", line, shown, other, also)
			}
		}
	})
}

// alike are a line and others that may have its form: with other numbers, with a time or a blank
// before it and without, and without a stream.
func alike(line string) []string {
	bare := line[stamped(line):]
	return []string{line, otherNumbers(line), logStamp + bare, bare, "\t" + bare, stream.ReplaceAllString(line, "")}
}

var (
	stream      = regexp.MustCompile(`,"StreamId":"[0-9]*"`)
	shortNumber = regexp.MustCompile(`\b[0-9]{1,8}\b`)
	tag         = regexp.MustCompile(`("(?:ConnectionId|StreamId)":")[0-9]+`)
)

// otherNumbers is a line with other numbers where the form of a line has none.
func otherNumbers(line string) string {
	head := line[:stamped(line)]
	line = shortNumber.ReplaceAllStringFunc(line[len(head):], func(number string) string {
		return strings.Map(func(c rune) rune { return '0' + (c-'0'+7)%10 }, number)
	})
	line = tag.ReplaceAllString(line, "${1}98765432109")
	return strings.Replace(head, ".1", ".9", 1) + line
}
