package run_test

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe/instrument"
	"github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/harness/run/runtest"
	"github.com/flowproof/lab/harness/verify"
)

// dump reads a recorded dump of a workshop's sidecar.
func dump(t *testing.T, pod string) []byte {
	t.Helper()
	packed, err := os.ReadFile("../../scenarios/dumps/" + pod + ".json.gz")
	if err != nil {
		t.Fatal(err)
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func addressOf(t *testing.T, text []byte) string {
	t.Helper()
	d, err := configdump.Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return d.Node().IPs[0]
}

// workshop is a lab of recorded dumps in which curl is answered and everything else that is asked
// of a pod is empty or not there. sent has what curl was given.
func workshop(t *testing.T) (lab *runtest.Lab, sent *[]string) {
	t.Helper()
	sent = &[]string{}
	client, server := dump(t, "netshoot"), dump(t, "fortio-server")
	answer := func(command []string, stdin []byte) *mesh.Output {
		switch command[0] {
		case "curl":
			*sent = append(*sent, string(stdin))
			return &mesh.Output{Stderr: []byte("* Connected to fortio-server (10.96.215.136) port 8080\n> GET / " +
				"HTTP/1.1\n> \n< HTTP/1.1 200 OK\n" +
				"flowproof-curl: status=200 version=1.1 local=10.0.0.1|40000 remote=10.96.215.136|8080 " +
				"namelookup=0.001 connect=0.002 starttransfer=0.003 total=0.004\n")}
		case "ss":
			return &mesh.Output{}
		}
		return nil
	}
	lab = runtest.New(
		&runtest.Pod{Ref_: "netshoot.mark", Address: addressOf(t, client), Dumps: [][]byte{client}, Answer: answer},
		&runtest.Pod{Ref_: "fortio-server.mark", Address: addressOf(t, server), Dumps: [][]byte{server},
			Answer: answer},
		&runtest.Pod{Ref_: "plain.mark", Address: "10.0.0.9", Answer: answer})
	lab.Behinds["fortio-server:8080"] = mesh.Behind{Pods: []string{"fortio-server.mark"}, Port: 8080}
	return lab, sent
}

func plan(t *testing.T, url string) run.Plan {
	t.Helper()
	call, err := run.NewCall("netshoot", url, "mark")
	if err != nil {
		t.Fatal(err)
	}
	return run.Plan{Call: call, Without: []flow.Instrument{flow.Trace}}
}

// TestTheRequestIsAValue has URLs with every character that a shell, a script or a reader of curl's
// configuration could take for its own.
func TestTheRequestIsAValue(t *testing.T) {
	for url, want := range map[string]struct{ sent, target string }{
		"http://fortio-server:8080/echo?q=$HOME2&x=1": {`http://fortio-server:8080/echo?q=$HOME2&x=1`,
			"/echo?q=$HOME2&x=1"},
		"http://fortio-server:8080/?q='a'":        {`http://fortio-server:8080/?q='a'`, "/?q='a'"},
		"http://fortio-server:8080/?name=o'brien": {`http://fortio-server:8080/?name=o'brien`, "/?name=o'brien"},
		`http://fortio-server:8080/a"b\c`:         {`http://fortio-server:8080/a\"b\\c`, `/a"b\c`},
		"http://fortio-server:8080/a b?c d":       {`http://fortio-server:8080/a%20b?c%20d`, "/a%20b?c%20d"},
		"http://fortio-server:8080/a#b":           {`http://fortio-server:8080/a#b`, "/a"},
		"http://fortio-server:8080/{a,b}[1-3]/%41/../x": {`http://fortio-server:8080/{a,b}[1-3]/%41/../x`,
			"/{a,b}[1-3]/%41/../x"},
	} {
		t.Run(url, func(t *testing.T) {
			lab, sent := workshop(t)
			result, err := run.Do(t.Context(), lab.Run(), plan(t, url), nil)
			if err != nil {
				t.Fatal(err)
			}
			if len(*sent) != 1 || !strings.Contains((*sent)[0], `url = "`+want.sent+`"`) {
				t.Errorf("curl was given %q, want %s once", *sent, want.sent)
			}
			url := strings.ReplaceAll(url, " ", "%20")
			if result.Run.Call.URL != url || result.Run.Path.Call.URL != url || result.Question.Call.URL != url {
				t.Errorf("asked %s, and inferred %s, noted %s", result.Question.Call.URL, result.Run.Path.Call.URL,
					result.Run.Call.URL)
			}
			if got := result.Run.Call.Target(); got != want.target {
				t.Errorf("target %s, want %s", got, want.target)
			}
			if len(result.Run.Path.Hops) != 26 {
				t.Errorf("%d hops", len(result.Run.Path.Hops))
			}
		})
	}
}

// TestHeadersAndBody sends a header twice, and data, once as the request's own and once as
// arguments of curl's that inference is told of.
func TestHeadersAndBody(t *testing.T) {
	lab, sent := workshop(t)
	p := plan(t, "http://fortio-server:8080/")
	p.Call.Method, p.Call.Body = "POST", []byte("a=$b\n'c'")
	p.Call.Headers.Add("Cookie", "a=1")
	p.Call.Headers.Add("cookie", "b=2")
	p.Curl, p.Told = []string{"-H", "x-more: yes"}, p.Call
	p.Told.Headers = p.Call.Headers.Clone()
	p.Told.Headers.Add("x-more", "yes")
	result, err := run.Do(t.Context(), lab.Run(), p, nil)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{`request = "POST"`, `header = "cookie: a=1"`, `header = "cookie: b=2"`,
		`data-binary = "a=$b\n'c'"`, "x-more: yes"} {
		if n := strings.Count((*sent)[0], line); n != 1 {
			t.Errorf("curl was given %s %d times:\n%s", line, n, (*sent)[0])
		}
	}
	if h := result.Question.Call.Headers; h.Get("cookie") != "a=1; b=2" || h.Get("x-more") != "yes" {
		t.Errorf("inference was told %v", h)
	}
	if text, _ := json.Marshal(result.Run); bytes.Contains(text, []byte("$b")) {
		t.Error("the body is in the run")
	}
}

// TestFourDumps counts what a run reads of configurations: each side once before the
// request and once after it.
func TestFourDumps(t *testing.T) {
	lab, _ := workshop(t)
	result, err := run.Do(t.Context(), lab.Run(), plan(t, "http://fortio-server:8080/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	asked := lab.Asked()
	sent := slices.Index(asked, "exec netshoot.mark curl")
	for _, pod := range []string{"netshoot.mark", "fortio-server.mark"} {
		what := "dump " + pod
		if lab.Count(what) != 2 || slices.Index(asked, what) > sent ||
			len(asked)-1-slices.Index(slices.Collect(backward(asked)), what) < sent {
			t.Errorf("%s: %d times, among\n%s", what, lab.Count(what), strings.Join(asked, "\n"))
		}
		if !bytes.Equal(result.Dumps[pod], result.DumpsAfter[pod]) {
			t.Errorf("%s: the dumps before and after are not kept", pod)
		}
	}
	if len(result.Run.Configuration) != 2 || result.Run.Configuration[0].Compared < 5 {
		t.Errorf("configuration %+v", result.Run.Configuration)
	}
}

// TestConfigurationBeside changes what stands in no dump: a runtime value while the request is on
// its way, or before it and for good, and a pod's netfilter rules.
func TestConfigurationBeside(t *testing.T) {
	const none = `{"layers":["global config","admin"],"entries":{}}`
	const set = `{"layers":["global config","admin"],"entries":{"a.b":{"final_value":"9","layer_values":["","9"]}}}`
	for _, c := range []struct {
		name     string
		runtimes []string
		rules    []string
		want     string
	}{
		{"nothing", []string{none, none}, []string{"*nat\nCOMMIT\n", "*nat\nCOMMIT\n"}, ""},
		{"a runtime value is set", []string{none, set}, nil,
			"configuration changed between dump and request: runtime of fortio-server.mark: a.b was added"},
		{"a runtime value was set before", []string{set, set}, nil,
			`configuration of fortio-server.mark at the request is not known: its runtime has values that no dump ` +
				`shows: a.b of the layer "admin"`},
		{"a rule of another table", nil,
			[]string{"*nat\nCOMMIT\n", "*nat\nCOMMIT\n*mangle\n[0:0] -A PREROUTING -j TPROXY\nCOMMIT\n"},
			"netfilter rules of fortio-server.mark: mangle -A PREROUTING -j TPROXY was added"},
	} {
		t.Run(c.name, func(t *testing.T) {
			lab, _ := workshop(t)
			server := lab.PodsByRef["fortio-server.mark"]
			for _, text := range c.runtimes {
				server.Runtimes = append(server.Runtimes, []byte(text))
			}
			answer := server.Answer
			server.Answer = func(command []string, stdin []byte) *mesh.Output {
				if command[0] == "iptables-save" && len(c.rules) > 0 {
					text := c.rules[0]
					c.rules = append(c.rules[1:], c.rules[0])
					return &mesh.Output{Stdout: []byte(text)}
				}
				return answer(command, stdin)
			}
			result, err := run.Do(t.Context(), lab.Run(), plan(t, "http://fortio-server:8080/"), nil)
			if err != nil {
				t.Fatal(err)
			}
			problems := fmt.Sprint(verify.Judge(result.Run).Problems)
			if c.want == "" && strings.Contains(problems, "onfiguration") || !strings.Contains(problems, c.want) {
				t.Errorf("%s\nwant %s", problems, c.want)
			}
		})
	}
}

func backward(list []string) func(func(string) bool) {
	return func(yield func(string) bool) {
		for _, v := range slices.Backward(list) {
			if !yield(v) {
				return
			}
		}
	}
}

// TestConfigurationChanges gives the server another filter while the request is on its way.
func TestConfigurationChanges(t *testing.T) {
	lab, _ := workshop(t)
	server := lab.PodsByRef["fortio-server.mark"]
	changed := bytes.Replace(server.Dumps[0], []byte(`"listener_filters_timeout"`),
		[]byte(`"listener_filters_timeout_x"`), -1)
	server.Dumps = append(server.Dumps, changed)
	result, err := run.Do(t.Context(), lab.Run(), plan(t, "http://fortio-server:8080/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	verdict := verify.Judge(result.Run)
	if verdict.Result != flow.Incomplete || !strings.Contains(fmt.Sprint(verdict.Problems),
		"configuration changed between dump and request: listener virtualInbound of fortio-server.mark") {
		t.Errorf("%s: %q", verdict.Result, verdict.Problems)
	}
}

// TestWhatIsWatched holds that every instrument looks at every pod that the request could
// reach, also where inference says that it ends in the client's sidecar, and that levels
// are as before in the end.
func TestWhatIsWatched(t *testing.T) {
	lab, _ := workshop(t)
	lab.Behinds["192.0.2.1:9"] = mesh.Behind{}
	result, err := run.Do(t.Context(), lab.Run(), plan(t, "http://192.0.2.1:9/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(result.Run.Path.Hops, func(h flow.Hop) bool { return h.Side == flow.Server }) {
		t.Fatal("the way was to end in the client's sidecar")
	}
	for _, pod := range []string{"netshoot.mark", "fortio-server.mark"} {
		for what, times := range map[string]int{"follow": 1, "stats": 2, "level": 1} {
			n := 0
			for _, asked := range lab.Asked() {
				if strings.HasPrefix(asked, what+" "+pod) {
					n++
				}
			}
			if n < times {
				t.Errorf("%s %s: %d times, want %d", what, pod, n, times)
			}
		}
	}
	if p := result.Recording.Server; p.Name != "fortio-server.mark" || p.Part(instrument.StatsBefore) == nil ||
		p.Part(instrument.StatsAfter) == nil || p.Part(instrument.LogText) == nil ||
		p.Part(instrument.SocketsAfter) == nil {
		t.Errorf("of the server was recorded: %q", p.Name)
	}
}

// TestInferenceDoesNotDecideWhatIsRead: the same request, with a dump by which it ends
// elsewhere, is watched alike.
func TestInferenceDoesNotDecideWhatIsRead(t *testing.T) {
	watched := func(damage func(*runtest.Lab)) []string {
		lab, _ := workshop(t)
		damage(lab)
		if _, err := run.Do(t.Context(), lab.Run(), plan(t, "http://fortio-server:8080/"), nil); err != nil {
			t.Fatal(err)
		}
		asked := slices.DeleteFunc(lab.Asked(), func(asked string) bool { return strings.HasPrefix(asked, "dump ") })
		slices.Sort(asked) // pods are looked at at once: which of two is asked first says nothing
		return asked
	}
	right := watched(func(*runtest.Lab) {})
	wrong := watched(func(lab *runtest.Lab) {
		p := lab.PodsByRef["netshoot.mark"]
		p.Dumps = [][]byte{bytes.ReplaceAll(p.Dumps[0], []byte(`"outbound|8080||fortio-server.mark.svc.cluster.local"`),
			[]byte(`"BlackHoleCluster"`))}
	})
	if !slices.Equal(right, wrong) {
		t.Errorf("watched\n%s\nand with another inference\n%s", strings.Join(right, "\n"), strings.Join(wrong, "\n"))
	}
}

func TestRefusals(t *testing.T) {
	for name, c := range map[string]struct {
		plan func(*run.Plan)
		want string
	}{
		"no URL":           {func(p *run.Plan) { p.Call.URL = "" }, "it has no sender or no URL"},
		"a port of no use": {func(p *run.Plan) { p.Call.URL = "http://fortio-server:99999/" }, "port"},
		"no such pod":      {func(p *run.Plan) { p.Call.From = "absent" }, "find pod absent.mark"},
		"an argument of curl's that sends another request": {func(p *run.Plan) {
			p.Curl = []string{"--next"}
		}, "second request"},
	} {
		t.Run(name, func(t *testing.T) {
			lab, sent := workshop(t)
			p := plan(t, "http://fortio-server:8080/")
			c.plan(&p)
			_, err := run.Do(t.Context(), lab.Run(), p, nil)
			if err == nil || !strings.Contains(err.Error(), c.want) || len(*sent) > 0 {
				t.Errorf("error %v, want %q; sent %d", err, c.want, len(*sent))
			}
		})
	}
}
