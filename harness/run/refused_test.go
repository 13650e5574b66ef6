package run_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/harness/script"
)

// refused does something on labs of which each refuses another of the answers that it asks for, and
// gives the error that came of each.
func refused(t *testing.T, lab func() *pool, do func(*pool) error) map[string]error {
	t.Helper()
	asked := map[string]bool{}
	p := lab()
	p.Fails = func(what string) error { asked[what] = true; return nil }
	if err := do(p); err != nil {
		t.Fatalf("without a refusal: %v", err)
	}
	if len(asked) < 4 {
		t.Fatalf("it asks for %v alone", asked)
	}
	came := map[string]error{}
	for what := range asked {
		p := lab()
		p.Fails = func(is string) error {
			if is == what {
				return errRefused
			}
			return nil
		}
		came[what] = do(p)
	}
	return came
}

// TestLookSaysWhyNot previews a run on labs that do not tell what it asks: the preview says that
// the run would be refused, or ends with the cause.
func TestLookSaysWhyNot(t *testing.T) {
	var preview run.Preview
	for what, err := range refused(t, func() *pool {
		p := newPool(t, 2)
		p.dial("10.0.0.8")
		return p
	}, func(p *pool) (err error) {
		preview, err = run.Look(t.Context(), p.Run(), plan(t, "http://fortio-server:8080/"))
		if err == nil && len(preview.Refused) > 0 {
			err = fmt.Errorf("it would not begin: %s", strings.Join(preview.Refused, "; "))
		}
		return err
	}) {
		if err == nil || !strings.Contains(err.Error(), errRefused.Error()) {
			t.Errorf("%s: %v, without its cause", what, err)
		}
	}
	bounded := newPool(t, 2).Run()
	bounded.Bounds = &run.Bounds{}
	p := plan(t, "http://fortio-server:8080/")
	if preview, err := run.Look(t.Context(), bounded, p); err != nil || len(preview.Refused) != 1 {
		t.Errorf("a run that may change nothing: %v %v", preview.Refused, err)
	}
}

// TestWarmSaysWhyNot fills a pool on labs that do not tell what it asks, or on which the way is
// another.
func TestWarmSaysWhyNot(t *testing.T) {
	const lines = "dump netshoot\ndump fortio-server\ninfer netshoot -> http://fortio-server:8080/\n" +
		"pool-connections netshoot -> http://fortio-server:8080/ until warm\n"
	warm := func(p *pool) error {
		return script.Run(t.Context(), p.Run(), script.Parse("t", []byte(lines)), script.Options{}).Err
	}
	for what, err := range refused(t, func() *pool { return newPool(t, 2) }, warm) {
		if err == nil || !strings.Contains(err.Error(), errRefused.Error()) {
			t.Errorf("%s: %v, without its cause", what, err)
		}
	}
	for _, c := range []struct {
		name   string
		behind mesh.Behind
		change func(*pool)
		want   string
	}{
		{"several applications", mesh.Behind{Pods: []string{"fortio-server.mark", "plain.mark"}, Port: 8080}, nil,
			"2 pods behind it, and one is needed"},
		{"an application without an address", mesh.Behind{Pods: []string{"plain.mark"}, Port: 8080},
			func(p *pool) { p.PodsByRef["plain.mark"].Address = "pending" }, "read address of plain.mark"},
		{"a client without a sidecar", mesh.Behind{Pods: []string{"fortio-server.mark"}, Port: 8080},
			func(p *pool) { p.PodsByRef["netshoot.mark"].Dumps = nil }, mesh.ErrNoSidecar.Error()},
		{"a request that fails", mesh.Behind{Pods: []string{"fortio-server.mark"}, Port: 8080}, func(p *pool) {
			client := p.PodsByRef["netshoot.mark"]
			answer := client.Answer
			client.Answer = func(command []string, stdin []byte) *mesh.Output {
				if command[0] == "curl" {
					return &mesh.Output{Code: 7, Stderr: []byte("curl: (7) refused\n")}
				}
				return answer(command, stdin)
			}
		}, "curl ended with 7: curl: (7) refused"},
	} {
		p := newPool(t, 2)
		p.Behinds["fortio-server:8080"] = c.behind
		if c.change != nil {
			c.change(p)
		}
		if err := warm(p); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}

// TestRequestsOnANodePort sends to a port of a node, of which the Service is known or refused.
func TestRequestsOnANodePort(t *testing.T) {
	lab := recorded(t, "inbound")
	server := lab.PodsByRef["fortio-server.mark"]
	lab.Services["fortio-server.mark"].NodePorts = []mesh.NodePort{
		{Name: "http", Port: 32463, Endpoints: []string{server.Address + ":8080"}}}
	lab.Behinds["192.0.2.7:32463"] = mesh.Behind{Pods: []string{server.Ref_}, Port: 8080, NodePort: true,
		Service: "fortio-server.mark"}
	result, err := run.Do(t.Context(), lab.Run(), plan(t, "http://192.0.2.7:32463/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if result.Run.Path.Hops[0].Kind != flow.NodePort && result.Question.Options.NodePort == nil {
		t.Errorf("inferred without the node's port: %+v", result.Run.Path.Hops[0])
	}
	lab.Fails = func(what string) error {
		if strings.HasPrefix(what, "service ") {
			return errRefused
		}
		return nil
	}
	if _, err := run.Do(t.Context(), lab.Run(), plan(t, "http://192.0.2.7:32463/"), nil); !errors.Is(err, errRefused) {
		t.Errorf("%v, without its cause", err)
	}
}
