package bundle

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/harness/verify"
	"github.com/flowproof/lab/internal/exit"
)

func fixture(t *testing.T, name string) []byte {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "observe", name))
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// events are a recorded request of another run, as eBPF would have seen the one of the other fixtures, and a head with secrets.
func events(t *testing.T) *trace.Recording {
	t.Helper()
	text := strings.NewReplacer("11111111-2222-4333-8444-555555555555", requestID, "172.21.206.197:58524", "10.77.0.1:35312",
		"172.21.206.197", "10.77.0.1", "172.21.206.198", "10.77.0.2", `"process":"fortio"`, `"process":"python3"`).
		Replace(string(fixture(t, "trace/testdata/cold.jsonl")))
	r, err := trace.ReadRecording(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	head, ok := trace.ParseHTTP([]byte("GET /?access_token=hunter2hunter2 HTTP/1.1\r\nauthorization: Bearer hunter2hunter2\r\ncookie: hunter2hunter2\r\n\r\n"))
	if !ok {
		t.Fatal("it is no head")
	}
	r.Events = append(r.Events, trace.Event{Kind: trace.Read, Pod: "netshoot.mark", HTTP: &head})
	r.Counts.Emitted++
	return r
}

const requestID = "7d3a1b52-9c1e-4f0a-8d6b-0a1b2c3d4e5f"

// contents are a run between two real sidecars, with a secret in each place that could hold one.
func contents(t *testing.T) Contents {
	t.Helper()
	const client, server = "netshoot.mark", "fortio-server.mark"
	log := append(fixture(t, "envoylog/testdata/server-1.40.log"), []byte("'authorization', 'Bearer hunter2hunter2'\n")...)
	recording := &observe.Recording{RequestID: requestID, Port: 8080, Trace: events(t),
		Curl: []byte("* Connected to fortio-server (10.77.1.1) port 8080 (#0)\n> Authorization: Bearer hunter2hunter2\n< HTTP/1.1 200 OK\n"),
		Client: observe.Pod{Name: client, IP: "10.77.0.1", Workers: 2, Log: fixture(t, "envoylog/testdata/client-1.40.log"),
			Before: fixture(t, "sockets/testdata/client-before.txt"), After: fixture(t, "sockets/testdata/client-after.txt"),
			StatsBefore: fixture(t, "stats/testdata/client-cold-before.txt"), StatsAfter: fixture(t, "stats/testdata/client-cold-after.txt")},
		Server: observe.Pod{Name: server, IP: "10.77.0.2", Workers: 2, Log: log, After: fixture(t, "sockets/testdata/server-after.txt")}}
	hop := func(side flow.Side, kind flow.HopKind, expect ...flow.Fact) flow.Hop {
		return flow.Hop{Kind: kind, Side: side, Proxy: map[flow.Side]string{flow.Client: client, flow.Server: server}[side], Decision: string(kind), Expect: expect}
	}
	run := flow.Run{Schema: flow.RunSchema, Call: flow.Call{From: "netshoot", Namespace: "mark", URL: "http://fortio-server:8080/",
		Headers: map[string]string{"authorization": "Bearer hunter2hunter2"}}}
	// eBPF's events are of another run than the other evidence, so that the way leaves open in what they differ.
	open := func(name string) flow.Fact { return flow.Fact{Name: name, May: true} }
	run.Path = flow.Path{Schema: flow.PathSchema, Hops: []flow.Hop{
		hop(flow.Client, flow.Cluster, flow.Fact{Name: flow.FactCluster, Value: "outbound|8080||fortio-server.mark.svc.cluster.local"}),
		hop(flow.Client, flow.Endpoint, flow.Fact{Name: flow.FactEndpoint, Value: "10.77.0.2:8080"}),
		hop(flow.Client, flow.Connect, flow.Fact{Name: flow.FactUpstreamLocal, Value: "10.77.0.1:*", Join: "mesh"}, flow.Fact{Name: flow.FactUpstreamRemote, Value: "10.77.0.2:8080"}),
		hop(flow.Server, flow.Redirect, flow.Fact{Name: flow.FactRedirectPort, Value: "15006"}, flow.Fact{Name: flow.FactPeer, Value: "10.77.0.1:*", Join: "mesh"}),
		hop(flow.Server, flow.ListenerFilters, flow.Fact{Name: flow.FactSNI, Value: "outbound_.8080_._.fortio-server.mark.svc.cluster.local"},
			flow.Fact{Name: flow.FactFilter, Value: "envoy.filters.listener.original_dst"},
			flow.Fact{Name: flow.FactFilter, Value: "envoy.filters.listener.tls_inspector"}),
		hop(flow.Server, flow.NetworkFilters, open(flow.FactConnection), open(flow.FactXFCC),
			flow.Fact{Name: flow.FactNetworkFilter, Value: "envoy.filters.network.http_connection_manager"}),
		hop(flow.Server, flow.HTTPFilters, flow.Fact{Name: flow.FactHTTPFilter, Value: "envoy.filters.http.router"}),
		hop(flow.Server, flow.Cluster, flow.Fact{Name: flow.FactCluster, Value: "inbound|8080||"}),
		hop(flow.Server, flow.Endpoint, flow.Fact{Name: flow.FactEndpoint, Value: "10.77.0.2:8080"}),
		hop(flow.Server, flow.Connect, open(flow.FactUpstreamLocal), flow.Fact{Name: flow.FactUpstreamRemote, Value: "10.77.0.2:8080"}),
		hop(flow.Server, flow.App, open(flow.FactPeer), flow.Fact{Name: flow.FactStatus, Value: "200"}, flow.Fact{Name: flow.FactProcess, Value: "python3"}),
		hop(flow.Server, flow.FilterChain, flow.Fact{Name: flow.FactFilterChain, Value: "0.0.0.0_8080"}),
	}}
	var err error
	if run.Observations, run.Watches, err = recording.Observe(); err != nil {
		t.Fatal(err)
	}
	return Contents{Run: run, Verdict: verify.Judge(run), Recording: recording,
		Dumps: map[string][]byte{client: []byte(`{"private_key":{"inline_string":"hunter2"}}`), server: []byte(`{"configs":[]}`)}}
}

func written(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bundle")
	if err := Write(dir, contents(t)); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestRoundTrip(t *testing.T) {
	want := contents(t).Verdict
	if want.Result != flow.Verified {
		t.Fatalf("the run itself is %s: %q %+v", want.Result, want.Problems, want.Hops)
	}
	c, err := Read(written(t))
	if err != nil {
		t.Fatal(err)
	}
	run, got := Judge(c)
	if !reflect.DeepEqual(got, want) {
		t.Errorf("judged again: %s %q\n%+v\nwant\n%+v", got.Result, got.Problems, got, want)
	}
	if !reflect.DeepEqual(c.Verdict, want) {
		t.Error("the verdict that was kept is another one")
	}
	if len(run.Observations) != len(c.Run.Observations) || len(c.Dumps) != 2 {
		t.Errorf("%d observations, kept %d; %d dumps", len(run.Observations), len(c.Run.Observations), len(c.Dumps))
	}
}

func TestSecretsAndModes(t *testing.T) {
	dir := written(t)
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		if want := map[bool]fs.FileMode{true: 0o700, false: 0o600}[entry.IsDir()]; info.Mode().Perm() != want {
			t.Errorf("%s has mode %o", path, info.Mode().Perm())
		}
		if !entry.IsDir() {
			text, err := os.ReadFile(path)
			if err != nil || bytes.Contains(text, []byte("hunter2")) {
				t.Errorf("%s holds a secret (%v)", path, err)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(dir), ".*")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestWriteRefuses(t *testing.T) {
	other := t.TempDir()
	if err := os.WriteFile(filepath.Join(other, "thesis.txt"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(other, contents(t)); exit.Code(err) != exit.Usage || !strings.Contains(err.Error(), "something else than a bundle") {
		t.Errorf("error %v", err)
	}
	if _, err := os.Stat(filepath.Join(other, "thesis.txt")); err != nil {
		t.Error("somebody else's file is gone")
	}
	dir := written(t)
	if err := Write(dir, contents(t)); err != nil {
		t.Errorf("a bundle must be replaced: %v", err)
	}
	if err := Write(t.TempDir(), contents(t)); err != nil {
		t.Errorf("an empty directory must be taken: %v", err)
	}
	c := contents(t)
	c.Dumps["../../etc/passwd"] = []byte("{}")
	if err := Write(filepath.Join(t.TempDir(), "b"), c); err == nil || !strings.Contains(err.Error(), "it is no name of a pod") {
		t.Errorf("error %v", err)
	}
	if err := Write(filepath.Join(t.TempDir(), "no", "parent"), contents(t)); exit.Code(err) != exit.Environment {
		t.Errorf("error %v", err)
	}
}

// edit replaces text in one of a bundle's files.
func edit(file, old, new string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		name := filepath.Join(dir, file)
		text, err := os.ReadFile(name)
		if err != nil || !bytes.Contains(text, []byte(old)) {
			t.Fatalf("%s does not hold %q (%v)", file, old, err)
		}
		if err := os.WriteFile(name, bytes.ReplaceAll(text, []byte(old), []byte(new)), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

// remove takes one of a bundle's files away.
func remove(file string) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		if err := os.Remove(filepath.Join(dir, file)); err != nil {
			t.Fatal(err)
		}
	}
}

// forge makes the manifest fit what was changed, as somebody would who knows the format.
func forge(change func(*testing.T, string)) func(*testing.T, string) {
	return func(t *testing.T, dir string) {
		change(t, dir)
		edit(manifestFile, `"files"`, `"forgotten"`)(t, dir)
	}
}

// TestTamper changes one thing in a bundle: it must never be verified any more, and the verdict must say why.
func TestTamper(t *testing.T) {
	for _, c := range []struct {
		name    string
		change  func(*testing.T, string)
		result  flow.Result
		problem string
	}{
		{"path altered", edit("run.json", `"value": "15006"`, `"value": "15001"`), flow.Mismatch, "run.json was changed"},
		{"observation altered", edit("run.json", "10.77.0.1:35312", "10.77.0.1:1"), flow.Incomplete, "log's raw evidence is not what"},
		{"verdict altered", edit("verdict.json", "confirmed", "refuted"), flow.Incomplete, "verdict.json was changed"},
		{"log altered", edit("logs/fortio-server.mark.log", "':status', '200'", "':status', '500'"), flow.Mismatch, "logs/fortio-server.mark.log was changed"},
		{"log altered, manifest forged", forge(edit("logs/fortio-server.mark.log", "':status', '200'", "':status', '500'")), flow.Mismatch, "log's raw evidence is not what"},
		{"log cut, manifest forged", forge(edit("logs/fortio-server.mark.log", "destroying stream", "")), flow.Incomplete, "the stream's last line is missing"},
		{"log removed", remove("logs/fortio-server.mark.log"), flow.Incomplete, "logs/fortio-server.mark.log is missing"},
		{"log removed, manifest forged", forge(remove("logs/fortio-server.mark.log")), flow.Incomplete, "log's raw evidence is not what"},
		{"sockets altered, manifest forged", forge(edit("sockets/fortio-server.mark.after.txt", "10.77.0.1:35312", "10.77.0.1:35313")), flow.Incomplete, "has no other end"},
		{"sockets removed", remove("sockets/fortio-server.mark.after.txt"), flow.Incomplete, "is missing"},
		{"sockets no table", edit("sockets/fortio-server.mark.after.txt", "LISTEN", "HELLO"), flow.Incomplete, "line 1: state \"HELLO\""},
		{"raw evidence removed, manifest forged", forge(remove("recording.json")), flow.Incomplete, "no raw evidence is kept"},
		{"dump altered", edit("dumps/fortio-server.mark.json", "configs", "config"), flow.Incomplete, "dumps/fortio-server.mark.json was changed"},
		{"dump removed", remove("dumps/fortio-server.mark.json"), flow.Incomplete, "dumps/fortio-server.mark.json is missing"},
		{"counters altered, manifest forged", forge(edit("stats/netshoot.mark.before.txt", "svc.cluster.local;.upstream_cx_total: ", "svc.cluster.local;.upstream_cx_total: 9")), flow.Mismatch, "stats's raw evidence is not what"},
		{"events altered, manifest forged", forge(edit(traceFile, `"text":"0.0.0.0_8080"`, `"text":"0.0.0.0_8079"`)), flow.Mismatch, "ebpf's raw evidence is not what"},
		{"events lost, manifest forged", forge(edit(traceFile, `"lost":0`, `"lost":1`)), flow.Incomplete, "1 events did not fit into the ring buffer"},
		{"events removed", remove(traceFile), flow.Incomplete, "trace.jsonl is missing"},
		{"events removed, manifest forged", forge(remove(traceFile)), flow.Incomplete, "ebpf's raw evidence is not what"},
		{"curl's output removed", remove("curl.txt"), flow.Incomplete, "curl.txt is missing"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := written(t)
			c.change(t, dir)
			read, err := Read(dir)
			if err != nil {
				t.Fatal(err)
			}
			_, v := Judge(read)
			if v.Result != c.result || !strings.Contains(strings.Join(v.Problems, "\n"), c.problem) {
				t.Errorf("%s, want %s; problems %q, want %q", v.Result, c.result, v.Problems, c.problem)
			}
		})
	}
}

func TestReadMalformed(t *testing.T) {
	write := func(file, text string) func(string) error {
		return func(dir string) error { return os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600) }
	}
	for _, c := range []struct {
		name   string
		damage func(string) error
		want   string
	}{
		{"no manifest", func(dir string) error { return os.Remove(filepath.Join(dir, manifestFile)) }, "there is no bundle.json in it, so it is not a bundle"},
		{"manifest of another layout", write(manifestFile, `{"schema":"x/v9"}`), `bundle.json: schema "x/v9" is not flowproof.dev/bundle/v1`},
		{"run cut off", write(runFile, "{\n \"schema\": "), "run.json: line 2: "},
		{"run of another type", write(runFile, "{\n\"observations\": 7}"), "run.json: line 2: observations is a number where a"},
		{"run of another release", write(runFile, `{"schema":"flowproof.dev/run/v9"}`), `run.json: schema "flowproof.dev/run/v9" is not`},
		{"run missing", func(dir string) error { return os.Remove(filepath.Join(dir, runFile)) }, "run.json: "},
		{"events cut off", write(traceFile, `{"schema":"flowproof.dev/trace/v2"}`+"\n{"), "trace.jsonl: read trace: line 2: "},
		{"binary", write(runFile, "\x00\x01\xff"), "run.json: line 1: "},
		{"recording names a file outside", write(recordingFile, `{"client":{"name":"../../../etc/passwd"}}`), "recording.json: name a file after pod \"../../../etc/passwd\""},
		{"a link out of the bundle", func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, curlFile)), os.Symlink("/etc/passwd", filepath.Join(dir, curlFile)))
		}, "curl.txt: "},
		{"a directory for a file", func(dir string) error {
			return errors.Join(os.Remove(filepath.Join(dir, curlFile)), os.Mkdir(filepath.Join(dir, curlFile), 0o700))
		}, "curl.txt: it is not a regular file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := written(t)
			if err := c.damage(dir); err != nil {
				t.Fatal(err)
			}
			_, err := Read(dir)
			if exit.Code(err) != exit.Usage || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	if _, err := Read(filepath.Join(t.TempDir(), "nowhere")); exit.Code(err) != exit.Usage {
		t.Errorf("error %v", err)
	}
}

func FuzzRead(f *testing.F) {
	f.Add([]byte(`{"schema":"flowproof.dev/run/v1","path":{"hops":[{"kind":"app","expect":[{"name":"status","join":"x"}]}]},"observations":[{}],"watches":[{}]}`),
		[]byte(`{"client":{"name":"a.b","ip":"1.2.3.4"},"server":{"name":"c.d"}}`))
	f.Fuzz(func(t *testing.T, run, recording []byte) {
		dir := t.TempDir()
		for name, text := range map[string][]byte{manifestFile: []byte(`{"schema":"` + Schema + `"}`), runFile: run, recordingFile: recording} {
			if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		c, err := Read(dir)
		if err == nil {
			if _, v := Judge(c); v.Result == "" {
				t.Error("a run without a result")
			}
		}
	})
}
