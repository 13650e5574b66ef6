package bundle

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
)

const (
	server    = "fortio-server-l2.mark"
	serverLog = "logs/" + server + ".log"
)

// add puts a file into a bundle.
func add(file, text string) func(testing.TB, string) {
	return func(t testing.TB, dir string) {
		t.Helper()
		if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTamper changes one thing in a bundle: it must never be verified any more, and the
// verdict must say why.
func TestTamper(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(testing.TB, string)
		result  flow.Result
		problem string
	}{
		{"path altered", edit(runFile, `"value": "15006"`, `"value": "15001"`), flow.Incomplete,
			"run.json was changed"},
		{"path altered, forged", forge(edit(runFile, `"value": "15006"`, `"value": "15001"`)), flow.Incomplete,
			`/value is "15001", and inferred again from the dumps it is "15006"`},
		{"decision altered, forged", forge(edit(runFile, `clear text`, `mutual TLS`)), flow.Incomplete,
			"/decision is \"mutual TLS"},
		{"URL altered, forged", forge(edit(runFile, `http://fortio-server-l2:8080/`, `http://payments:8080/`)),
			flow.Incomplete, `run.json says /call/url is "http://payments:8080/"`},
		{"question altered too, forged", forge(func(t testing.TB, dir string) {
			edit(runFile, `http://fortio-server-l2:8080/`, `http://fortio-server-l2:8080/pay`)(t, dir)
			edit(questionFile, `http://fortio-server-l2:8080/`, `http://fortio-server-l2:8080/pay`)(t, dir)
		}), flow.Mismatch, `has the path "/pay", and curl.txt shows "/"`},
		{"observation altered, forged", forge(edit(runFile, `"raw": "* Connected to`, `"raw": "* Connected with`)),
			flow.Incomplete, "raw evidence is not what"},
		{"verdict altered", edit(verdictFile, `"confirmed": 26`, `"confirmed": 27`), flow.Incomplete,
			"verdict.json was changed"},
		{"verdict altered, forged", forge(edit(verdictFile, `"verified"`, `"mismatch"`)), flow.Incomplete,
			`verdict.json says /result is "mismatch"`},
		{"log altered", edit(serverLog, "':status', '200'", "':status', '500'"), flow.Mismatch,
			serverLog + " was changed"},
		{"log altered, forged", forge(edit(serverLog, "':status', '200'", "':status', '500'")), flow.Mismatch,
			"log's raw evidence is not what"},
		{"log cut, forged", forge(edit(serverLog, "destroying stream", "")), flow.Incomplete,
			"the stream's last line is missing"},
		{"log with a statement of another day in front, forged", forge(func(t testing.TB, dir string) {
			log, err := os.ReadFile(filepath.Join(dir, serverLog))
			if err != nil {
				t.Fatal(err)
			}
			replaced := append([]byte("2099-01-01T00:00:00.000000Z\tdebug\tenvoy http conn.cc:1\thello\n"), log...)
			if err := os.WriteFile(filepath.Join(dir, serverLog), replaced, 0o600); err != nil {
				t.Fatal(err)
			}
		}), flow.Incomplete, "it is written in the order of time"},
		{"log removed, forged", forge(remove(serverLog)), flow.Incomplete, "log's raw evidence is not what"},
		{"raw evidence removed", forge(removeRecording), flow.Incomplete, "no raw evidence is kept"},
		{"question removed", forge(remove(questionFile)), flow.Incomplete, "what inference was asked is not kept"},
		{"dump altered, not on the way", edit("dumps/"+server+".json", "15021", "15022"), flow.Incomplete,
			"dumps/" + server + ".json was changed"},
		{"dump altered on the way, forged", forge(edit("dumps/"+server+".json", "envoy.filters.http.grpc_stats",
			"envoy.filters.http.cors")), flow.Incomplete, "inferred again"},
		{"dump removed, forged", forge(remove("dumps/" + server + ".json")), flow.Incomplete,
			"there is no dump of " + server},
		{"events altered, forged", forge(edit(traceFile, `"text":"0.0.0.0_8080"`, `"text":"0.0.0.0_8079"`)),
			flow.Mismatch, "ebpf's raw evidence is not what"},
		{"events lost, forged", forge(edit(traceFile, `"lost":0`, `"lost":1`)), flow.Incomplete,
			"1 events did not fit into the ring buffer"},
		{"no changes outside, alike, forged", forge(touchedAlike(func([]any) []any { return []any{} })),
			flow.Incomplete, "eBPF watched fortio-server-l2.mark, and touched does not say so"},
		{"changes outside left out, alike, forged", forge(touchedAlike(nil)), flow.Incomplete,
			"it does not say what the run changed outside itself"},
		{"no lease, alike, forged", forge(touchedAlike(func(all []any) []any { return all[1:] })),
			flow.Incomplete, "and not that it was held for that"},
		{"a change twice, alike, forged", forge(touchedAlike(func(all []any) []any { return append(all, all[0]) })),
			flow.Incomplete, "touched says lease of"},
		{"probes on another, alike, forged", forge(touchedAlike(func(all []any) []any {
			all[len(all)-1].(map[string]any)["pod"] = "another.mark"
			return all
		})), flow.Incomplete, "its recording is not of it"},
		{"dump of another pod, forged", forge(func(t testing.TB, dir string) {
			edit(questionFile, `"dumps/`+server, `"dumps/ghost.mark.json": "", "dumps/`+server)(t, dir)
			text, err := os.ReadFile(filepath.Join(dir, "dumps", server+".json"))
			if err != nil {
				t.Fatal(err)
			}
			add("dumps/ghost.mark.json", string(text))(t, dir)
		}), flow.Incomplete, "the dump of ghost.mark of before the request is that of " + server},
		{"another pod, forged", forge(withOther("ghost.mark")), flow.Incomplete,
			`others[0] is "ghost.mark", and nothing was recorded of it`},
		{"another pod, which is the server, forged", forge(withOther(server)), flow.Incomplete,
			"others[0] is " + server + ", which is there already"},
		{"written before the request", forge(rewritten("2020-01-01T00:00:00Z")), flow.Incomplete,
			"and the bundle was written at 2020-01-01"},
		{"backend altered, forged", forge(edit(runFile, `"backend": "node"`, `"backend": "kind"`)), flow.Incomplete,
			"recording.json says /run/backend"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := written(t)
			c.change(t, dir)
			read, err := Read(t.Context(), dir)
			if err != nil {
				t.Fatal(err)
			}
			_, v := judged(t, read)
			if v.Result != c.result || !strings.Contains(strings.Join(v.Problems, "\n"), c.problem) {
				t.Errorf("%s, want %s; problems %q, want %q", v.Result, c.result, v.Problems, c.problem)
			}
		})
	}
}

// withOther lets the recording say that one more pod was watched.
func withOther(pod string) func(testing.TB, string) {
	return edit(recordingFile, `"path": "/"`, `"others": [{"name": "`+pod+`", "ip": "10.0.0.1"}], "path": "/"`)
}

// rewritten gives a bundle another time of writing.
func rewritten(at string) func(testing.TB, string) {
	return func(t testing.TB, dir string) {
		t.Helper()
		m, _, err := readManifest(dir)
		if err != nil {
			t.Fatal(err)
		}
		edit(manifestFile, m.Written.Format(time.RFC3339), at)(t, dir)
	}
}

// touchedAlike changes what the run and its recording say that was changed outside the run, alike;
// nil takes it out of both.
func touchedAlike(change func(all []any) []any) func(testing.TB, string) {
	return func(t testing.TB, dir string) {
		t.Helper()
		for _, name := range []string{runFile, recordingFile} {
			path := filepath.Join(dir, name)
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var document map[string]any
			if err := json.Unmarshal(text, &document); err != nil {
				t.Fatal(err)
			}
			holder := document
			if name == recordingFile {
				holder = document["run"].(map[string]any)
			}
			if all := holder["touched"].([]any); change == nil {
				delete(holder, "touched")
			} else {
				holder["touched"] = change(all)
			}
			if text, err = json.Marshal(document); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// removeRecording takes the raw evidence away, with the file about it.
func removeRecording(t testing.TB, dir string) {
	t.Helper()
	for _, name := range []string{recordingFile, curlFile, traceFile, logDir, "sockets", "stats", "runtime",
		"netfilter", "conntrack"} {
		if err := os.RemoveAll(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
}

// TestNotWhole reads bundles that do not say of each of their parts what it is: they are refused,
// with the part's name.
func TestNotWhole(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(testing.TB, string)
		want   string
	}{
		{"no checksums", edit(manifestFile, `"files"`, `"forgotten"`), `bundle.json: json: unknown field "forgotten"`},
		{
			"checksums of nothing",
			add(manifestFile, `{"schema":"`+Schema+`","written":"2026-11-30T02:00:00Z","files":{}}`),
			"bundle.json: it names no files",
		},
		{"no member for checksums", add(manifestFile, `{"schema":"`+Schema+`","written":"2026-11-30T02:00:00Z"}`),
			"bundle.json: it names no files"},
		{"a file too many", add("notes.txt", "hello"), "notes.txt: bundle.json does not name it"},
		{"a file too many, named", forge(add("dumps/notes.txt", "hello")), "dumps/notes.txt: "},
		{"a log of a third pod, named", forge(add("logs/ghost.mark.log", "hello")), "logs/ghost.mark.log"},
		{"log missing", remove(serverLog), serverLog + ": bundle.json names it, and it is not there"},
		{"curl's output missing", remove(curlFile), "curl.txt: bundle.json names it"},
		{"events missing", remove(traceFile), "trace.jsonl: bundle.json names it"},
		{"dump missing", remove("dumps/" + server + ".json"), "names it, and it is not there"},
		{"verdict missing", forge(remove(verdictFile)), "verdict.json: "},
		{"run twice in one", edit(runFile, `"call": {`, `"schema": "x", "call": {`), `stands twice in one object`},
		{"run twice in one, by another case", edit(runFile, `"call": {`, `"Schema": "x", "call": {`),
			`stands twice in one object`},
		{"run twice in one, by a letter that is an s in lower case", forge(edit(runFile, `"call": {`,
			`"ſchema": "x", "call": {`)), `stands twice in one object`},
		{"a dump with a field twice", forge(edit("dumps/"+server+".json", `"configs": [`,
			`"configs": [], "configs": [`)), `"configs" stands twice in one object`},
		{"a dump with a field in both of its forms", forge(edit("dumps-after/"+server+".json",
			`"port_value": 15021`, `"portValue": 1, "port_value": 15021`)), `stands twice in one object`},
		{"events with a member twice", forge(edit(traceFile, `"lost":0`, `"lost":7,"lost":0`)),
			`trace.jsonl: read trace: line 1: "lost" stands twice in one object`},
		{"events with more", forge(edit(traceFile, `{"schema"`, `{"note":"all is well","schema"`)),
			`unknown field "note"`},
		{"a runtime with a member twice", forge(edit("runtime/"+server+".after.txt", `"layers"`,
			`"layers": ["lie"], "layers"`)), `"layers" stands twice in one object`},
		{"a line of the log with a member twice", forge(edit(serverLog, `"path":"/"`, `"path":"/lie","path":"/"`)),
			`"path" stands twice in one object`},
		{"checksum twice", edit(manifestFile, `"curl.txt": `, `"curl.txt": "0", "curl.txt": `),
			`"curl.txt" stands twice`},
		{"sockets no table", edit("sockets/"+server+".after.txt", "LISTEN", "HELLO"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := written(t)
			c.change(t, dir)
			read, err := Read(t.Context(), dir)
			if c.want == "" {
				if err != nil {
					t.Fatal(err)
				}
				if _, v := judged(t, read); v.Result == flow.Verified {
					t.Error("it is verified")
				}
				return
			}
			if fault.Of(err) != fault.Usage || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestOldLayout judges a bundle of the layout before this one, without dumps: it says what
// cannot be done again.
func TestOldLayout(t *testing.T) {
	_, v := judged(t, recordedBy(t, "v1"))
	problems := strings.Join(v.Problems, "\n")
	if v.Result == flow.Verified || v.Confirmed < 20 || !strings.Contains(problems, "it is of the layout") ||
		!strings.Contains(problems, "cannot be inferred again") {
		t.Errorf("%s, %d confirmed: %q", v.Result, v.Confirmed, v.Problems)
	}
}
