package envoylog

import (
	"strings"
	"testing"
)

func TestParseLine(t *testing.T) {
	for _, c := range []struct {
		name, text                                            string
		kind                                                  Kind
		logger, source, connection, stream, message, threadID string
	}{
		{"pilot-agent, with tags", "2026-11-23T05:40:08.423703Z\tdebug\tenvoy router " +
			"source/common/router/router.cc:600\t[Tags: \"ConnectionId\":\"1\",\"StreamId\":\"78\"] cluster " +
			"'inbound|8080||' match for URL '/'\tthread=24212",
			Statement, "router", "source/common/router/router.cc:600", "1", "78",
			"cluster 'inbound|8080||' match for URL '/'", "24212"},
		{"pilot-agent, one tag", "2026-11-23T05:40:08.423Z\tdebug\tenvoy http a.cc:1\t[Tags: \"ConnectionId\":\"1\"] " +
			"new stream\tthread=2", Statement, "http", "a.cc:1", "1", "", "new stream", "2"},
		{"pilot-agent, no ids", "2026-11-23T05:40:08Z\tdebug\tenvoy filter a.cc:67\toriginal_dst: set destination to " +
			"10.77.0.2:8080\tthread=2", Statement, "filter", "a.cc:67", "", "",
			"original_dst: set destination to 10.77.0.2:8080", "2"},
		{"older Istio", "2022-08-28T13:46:17.390713Z\tdebug\tenvoy http\t[C12990][S11192] request end stream",
			Statement, "http", "", "12990", "11192", "request end stream", ""},
		{"older Istio with thread", "2022-12-01T13:46:17.390713Z\tdebug\tenvoy http\t[C12990] new stream\tthread=15",
			Statement, "http", "", "12990", "", "new stream", "15"},
		{"plain Envoy", "[2022-08-28 13:46:17.390][12][debug][http] [source/common/http/conn_manager_impl.cc:299] " +
			"[C0][S1] request end stream", Statement, "http", "source/common/http/conn_manager_impl.cc:299", "0", "1",
			"request end stream", "12"},
		{"plain Envoy without a source", "[2022-08-28 13:46:17.390][12][debug][http] [C0] new stream", Statement,
			"http", "", "0", "", "new stream", "12"},
		{"plain Envoy, message in brackets", "[2022-08-28 13:46:17.390][12][info][main] [a] b", Statement, "main",
			"", "", "", "[a] b", "12"},
		{"Istio in JSON", `{"level":"debug","time":"2026-11-23T05:40:08.42Z","scope":"envoy http","msg":"[Tags: ` +
			`\"ConnectionId\":\"1\"] new stream","caller":"a.cc:5","thread":"7"}`, Statement, "http", "a.cc:5", "1", "",
			"new stream", "7"},
		{"pilot-agent itself", "2026-11-23T05:40:08.42Z\tinfo\tEnvoy proxy is ready", Agent, "", "", "", "",
			"Envoy proxy is ready", ""},
		{"pilot-agent itself, with a scope", "2026-11-23T05:40:08.42Z\tinfo\tads\tXDS: Incremental Pushing", Agent,
			"", "", "", "", "ads\tXDS: Incremental Pushing", ""},
		{"access log", `[2026-11-23T05:40:08.421Z] "GET / HTTP/1.1" 200 - via_upstream`, AccessLog, "", "", "", "",
			`"GET / HTTP/1.1" 200 - via_upstream`, ""},
		{"access log in JSON", `{"response_code":200,"path":"/"}`, AccessLog, "", "", "", "",
			`{"response_code":200,"path":"/"}`, ""},
		{"a header", "':path', '/'", Unknown, "", "", "", "", "", ""},
		{"a stack trace", "goroutine 1 [running]:", Unknown, "", "", "", "", "", ""},
		{"a time that is none", "2026-99-23T05:40:08Z\tdebug\tenvoy http\tx", Unknown, "", "", "", "", "", ""},
		{"a level that is none", "2026-11-23T05:40:08Z\tchatty\tenvoy http\tx", Unknown, "", "", "", "", "", ""},
	} {
		l, _ := parseLine(c.text)
		if l.Kind != c.kind || l.Logger != c.logger || l.Source != c.source || l.Connection != c.connection ||
			l.Stream != c.stream ||
			(c.kind != Unknown && l.Message != c.message) || l.Thread != c.threadID {
			t.Errorf("%s: %+v", c.name, l)
		}
	}
}

func TestReaderBounds(t *testing.T) {
	const statement = "2026-11-23T05:40:08Z\tdebug\tenvoy http a.cc:1\t"
	for _, c := range []struct {
		name, text string
		lines      int
		truncated  bool
	}{
		{"a line longer than is kept", statement + strings.Repeat("x", 2*maxText) + "\tthread=1\n" + statement +
			"y\tthread=1\n", 2, true},
		{"a block longer than is kept", statement + "h:\n" + strings.Repeat("'a', 'b'\n",
			2*maxBlockLines) + "\tthread=1\n", 1, true},
		{"a block of long lines", statement + "h:\n" + strings.Repeat(strings.Repeat("x", maxText/2)+"\n", 20) +
			"\tthread=1\n", 1, true},
		{"a block that the next statement cuts", statement + "h:\n'a', 'b'\n" + statement + "y\tthread=1\n", 2, true},
		{"a block that the end cuts", statement + "h:\n'a', 'b'\n", 1, true},
		{"half a line at the end", statement + "y\tthread=1\n" + statement + "z", 2, false},
		{"Windows line ends", statement + "y\tthread=1\r\n", 1, false},
		{"binary", "\x00\xff\x1b[31m\n" + statement + "y\tthread=1\n", 2, false},
		{"empty lines", "\n\n" + statement + "y\tthread=1\n\n", 1, false},
	} {
		lines := parse(t, c.text)
		if len(lines) != c.lines || len(lines) > 0 && lines[0].Truncated != c.truncated {
			t.Errorf("%s: %d lines, first %v", c.name, len(lines), len(lines) > 0 && lines[0].Truncated)
		}
		for _, l := range lines {
			if size := len(l.Text) + len(strings.Join(l.Block, "")); size > maxText+maxBlockBytes {
				t.Errorf("%s: %d bytes are kept", c.name, size)
			}
		}
	}
}

// TestMixedStreams puts lines of other writers between the lines of a block.
func TestMixedStreams(t *testing.T) {
	for _, other := range []string{`{"start_time":"2022-08-28T13:46:17.5Z","response_code":200}`,
		"2022-08-28T13:46:17.5Z\tinfo\tEnvoy proxy is ready",
		`[2022-08-28T13:46:17.000Z] "GET / HTTP/1.1" 200 - via_upstream`} {
		text := insert(workshopLog(), "':authority', 'fortio-server:8080'", other)
		lines := parse(t, text)
		seen, watch := Observe(lines, Selection{RequestID: workshopRequestID})
		if len(lines) != 41 || !watch.Complete || len(seen) == 0 {
			t.Errorf("%s: %d lines, %d observations, %q", other, len(lines), len(seen), watch.Problem)
		}
	}
}

func TestUnknownLines(t *testing.T) {
	text := insert(workshopLog(), "pool ready", "E1123 05:40:08.421 something of gRPC's\nand more")
	_, watch := Observe(parse(t, text), Selection{RequestID: workshopRequestID})
	if watch.Complete || !strings.Contains(watch.Problem, "2 lines of unknown format, the first is line") {
		t.Errorf("problem %q", watch.Problem)
	}
	text = "panic: somewhere before\n" + workshopLog() + "and after\n"
	if _, watch = Observe(parse(t, text), Selection{RequestID: workshopRequestID}); !watch.Complete {
		t.Errorf("lines outside the request's must not matter: %q", watch.Problem)
	}
}

func TestLevel(t *testing.T) {
	text := strings.ReplaceAll(workshopLog(), "\tdebug\t", "\twarning\t")
	if _, watch := Observe(parse(t, text), Selection{RequestID: "none"}); watch.Complete ||
		!strings.Contains(watch.Problem, "no statement at debug level") {
		t.Errorf("problem %q", watch.Problem)
	}
	if _, watch := Observe(nil, Selection{RequestID: "none"}); watch.Complete || watch.Problem == "" {
		t.Error("an empty log is complete")
	}
}

func TestSecretsDoNotStay(t *testing.T) {
	text := strings.Replace(workshopLog(), "'accept', '*/*'",
		"'accept', '*/*'\n'authorization', 'Bearer hunter2hunter2'\n'cookie', 'sid=hunter2'", 1)
	lines := parse(t, text)
	seen, watch := Observe(lines, Selection{RequestID: workshopRequestID})
	for _, o := range seen {
		if strings.Contains(o.Raw, "hunter2") {
			t.Errorf("raw line of %s holds a secret", o.Kind)
		}
	}
	if strings.Contains(watch.Problem, "hunter2") {
		t.Error("the reason holds a secret")
	}
}

func FuzzObserve(f *testing.F) {
	f.Add(workshopLog())
	f.Add("[2022-08-28 13:46:17.390][12][debug][http] [a.cc:299] [C0][S1] request headers complete " +
		"(end_stream=true):\n'x-request-id', '" + workshopRequestID + "'\n\n")
	f.Add("2026-11-23T05:40:08Z\tdebug\tenvoy http a.cc:1\t[Tags: \"ConnectionId\":\"1\",\"StreamId\":\"2\"] request " +
		"headers complete (end_stream=true):\n'x-request-id', '" + workshopRequestID + "'\n\tthread=1\n")
	f.Add(`{"level":"debug","time":"2026-11-23T05:40:08.42Z","scope":"envoy http","msg":"[C1][S2] request headers ` +
		`complete (end_stream=true):\n'x-request-id', '` + workshopRequestID + `'\n"}` + "\n")
	f.Fuzz(func(t *testing.T, text string) {
		lines, err := ReadAll(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		seen, watch := Observe(lines, Selection{RequestID: workshopRequestID, Workers: 2})
		if watch.Complete && len(seen) == 0 && watch.Sees == nil {
			t.Error("complete without anything seen")
		}
		for _, o := range seen {
			if strings.Contains(o.Raw, "\x1b") {
				t.Errorf("raw line commands the terminal: %q", o.Raw)
			}
		}
		CheckOrder(lines, Selection{RequestID: workshopRequestID}, Variant{Cold: true, Warm: true, Workers: 2})
	})
}
