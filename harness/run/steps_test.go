package run_test

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/run/runtest"
	"github.com/flowproof/lab/harness/script"
)

// recorded is a lab that shows what a real one has shown of a request.
func recorded(t *testing.T, name string) *runtest.Lab {
	t.Helper()
	lab, err := runtest.Recorded(t.Context(), "../bundle/testdata/"+name)
	if err != nil {
		t.Fatal(err)
	}
	return lab
}

// TestScenariosTakeTheSteps runs whole scenarios in labs that show what real ones have shown: each
// step of a run is taken by a command of its own, and in the end every hop is confirmed.
func TestScenariosTakeTheSteps(t *testing.T) {
	for _, name := range []string{"inbound", "outbound"} {
		text, err := os.ReadFile("../../scenarios/" + name + ".txtar")
		if err != nil {
			t.Fatal(err)
		}
		result := script.Run(t.Context(), recorded(t, name).Run(), script.Parse(name, text), script.Options{})
		if result.Err != nil || result.Verdict == nil || result.Verdict.Result != flow.Verified {
			t.Errorf("%s: %v, %+v", name, result.Err, result.Verdict)
		}
		restored := 0
		for _, touch := range result.Touched {
			if touch.Restored {
				restored++
			}
		}
		if restored != len(result.Touched) || restored < 4 {
			t.Errorf("%s: %d of %d are restored: %+v", name, restored, len(result.Touched), result.Touched)
		}
	}
}

// TestStepsOutOfOrder is the table of steps that need another one first, or make no sense.
func TestStepsOutOfOrder(t *testing.T) {
	const (
		dumps = "dump netshoot\ndump fortio-server\n"
		infer = dumps + "infer netshoot -> http://fortio-server:8080/\n"
		send  = infer + "request netshoot -> http://fortio-server:8080/\n"
	)
	for _, c := range []struct {
		name, lines string
		want        string // in the error; "": it passes
	}{
		{"infer without dumps", "infer netshoot -> http://fortio-server:8080/\n", "there is no dump to infer from"},
		{"another request than the inferred", infer + "request netshoot -> http://fortio-server:8080/other\n",
			"what was inferred is"},
		{"two requests", send + "request netshoot -> http://fortio-server:8080/\n", "a run is about one"},
		{"a control before the request", infer + "control netshoot -> http://fortio-server:8080/\n",
			"it comes once, after request"},
		{"warm pools after the request", send + "pool-connections netshoot -> http://fortio-server:8080/ until warm\n",
			"has been sent already"},
		{"warm pools of another request",
			infer + "pool-connections netshoot -> http://fortio-server:8080/x until warm\n", "what was inferred is"},
		{"warm pools that nothing is known of", "pool-connections netshoot -> http://fortio-server:8080/ until warm\n",
			"infer has to say first"},
		{"a trace after the request", send + "trace netshoot -> fortio-server\n", "the request has been sent already"},
		{"a trace of pods elsewhere", infer + "trace netshoot -> fortio-server\n", ""},
		{"a port that the Service has not", dumps + "infer netshoot -> http://fortio-server:1/\n",
			"resolve fortio-server"},
		{"a verdict without a request", infer + "verify\n", "before"},
		{"observe before the request", infer + "observe\n", "before"},
		{"a control that is answered", send + "control netshoot -> http://fortio-server:8080/\n", ""},
		{"a name that no dump has", dumps + "infer netshoot -> http://nothing:8080/\n", "the dump does not say"},
		{"a caller that is not there", "request nothing -> http://fortio-server:8080/\n", mesh.ErrNoPod.Error()},
	} {
		result := script.Run(t.Context(), recorded(t, "inbound").Run(), script.Parse("t", []byte(c.lines)),
			script.Options{})
		got := fmt.Sprint(result.Err)
		if passes := c.want == ""; passes != (result.Err == nil) || !passes && !strings.Contains(got, c.want) {
			t.Errorf("%s: %s, want %q", c.name, got, c.want)
		}
	}
}

// A pool is a lab whose client's sidecar dials a connection with each request, until it has
// one for each worker.
type pool struct {
	*runtest.Lab
	server string   // ip:port
	live   []string // rows of ss
	refuse bool     // ss -K ends nothing
	most   int
}

func newPool(t *testing.T, most int) *pool {
	lab, _ := workshop(t)
	client, server := lab.PodsByRef["netshoot.mark"], lab.PodsByRef["fortio-server.mark"]
	p := &pool{Lab: lab, server: server.Address + ":8080", most: most}
	before := client.Answer
	client.Answer = func(command []string, stdin []byte) *mesh.Output {
		switch {
		case command[0] == "curl":
			p.dial(client.Address)
		case command[0] == "ss" && slices.Contains(command, "-K"):
			if p.refuse {
				return &mesh.Output{Stderr: []byte("RTNETLINK answers: Operation not permitted")}
			}
			p.live = p.live[:0]
			return &mesh.Output{Stdout: []byte("tcp ESTAB 0 0 " + client.Address + " " + p.server + "\n")}
		case command[0] == "ss":
			return &mesh.Output{Stdout: []byte(strings.Join(p.live, ""))}
		}
		return before(command, stdin)
	}
	return p
}

func (p *pool) dial(from string) {
	if n := len(p.live); n < p.most {
		p.live = append(p.live,
			fmt.Sprintf("ESTAB 0 0 %s:%d %s users:((\"envoy\",pid=20,fd=%d)) uid:1337 ino:%d sk:%d\n", from, 40000+n,
				p.server, 30+n, 500+n, 1+n))
	}
}

// TestPools empties and fills the connections between two sidecars.
func TestPools(t *testing.T) {
	const infer = "dump netshoot\ndump fortio-server\ninfer netshoot -> http://fortio-server:8080/\n"
	for _, c := range []struct {
		name  string
		lab   func(*pool)
		lines string
		want  string // in what is printed
	}{
		{"one for each worker", nil, infer + "pool-connections netshoot -> http://fortio-server:8080/ until warm\n",
			"2 connections, one for each worker of netshoot"},
		{"one is ended", func(p *pool) {
			p.dial("10.0.0.8")
		}, infer + "kill-connections netshoot -> fortio-server:8080 until cold\n",
			"the client sidecar's pool: 1 connection ended, none left"},
		{"one may not be ended", func(p *pool) {
			p.dial("10.0.0.8")
			p.refuse = true
		}, infer + "kill-connections netshoot -> fortio-server:8080 until cold\n",
			"inferred again for pools that may have a connection: forwarded"},
		{"one is in use", func(p *pool) { p.dial("10.0.0.8"); p.PodsByRef["netshoot.mark"].Active = 1 },
			infer + "kill-connections netshoot -> fortio-server:8080 until cold\n", "not available"},
		{"one that is in use is ended by force", func(p *pool) {
			p.dial("10.0.0.8")
			p.PodsByRef["netshoot.mark"].Active = 1
		},
			infer + "kill-connections -force netshoot -> fortio-server:8080 until cold\n",
			"1 connection ended, none left"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newPool(t, 2)
			if c.lab != nil {
				c.lab(p)
			}
			result := script.Run(t.Context(), p.Run(), script.Parse("t", []byte(c.lines)), script.Options{})
			var out strings.Builder
			for _, phase := range result.Phases {
				for _, step := range phase.Steps {
					out.WriteString(step.Output)
				}
			}
			if result.Err != nil || !strings.Contains(out.String(), c.want) {
				t.Errorf("%v\n%swithout %q", result.Err, out.String(), c.want)
			}
		})
	}
}

// TestNodePort infers a call from outside the mesh's names: to a port that a Service
// opens on every node.
func TestNodePort(t *testing.T) {
	lab := recorded(t, "inbound")
	server := lab.PodsByRef["fortio-server.mark"]
	port := mesh.NodePort{Name: "http", Port: 32463, Endpoints: []string{server.Address + ":8080"}}
	lab.Services["fortio-server.mark"].NodePorts = []mesh.NodePort{port}
	lab.Behinds["192.0.2.7:32463"] = mesh.Behind{Pods: []string{server.Ref_}, Port: 8080}
	const lines = "dump netshoot\ndump fortio-server\nshow service fortio-server\ninfer netshoot -> " +
		"http://192.0.2.7:32463/\nexpect node-port *\n"
	result := script.Run(t.Context(), lab.Run(), script.Parse("t", []byte(lines)), script.Options{})
	if result.Err != nil {
		t.Errorf("%v", result.Err)
	}
	port.Endpoints = []string{"nothing"}
	lab.Services["fortio-server.mark"].NodePorts = []mesh.NodePort{port}
	result = script.Run(t.Context(), lab.Run(), script.Parse("t", []byte(lines)), script.Options{})
	if result.Err == nil || !strings.Contains(result.Reason, "read endpoints of fortio-server.mark") {
		t.Errorf("%v", result.Err)
	}
}
