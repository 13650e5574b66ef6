package run_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/harness/run/runtest"
)

// TestNothingUnasked sends a request in a cluster that is not the lab's own, asked for in every
// way: nothing is changed but what was asked for.
func TestNothingUnasked(t *testing.T) {
	for _, tt := range []struct {
		name        string
		asked       []flow.TouchKind
		keep, quiet bool   // what the plan leaves alone: the pools, the levels
		changes     bool   // the levels are changed
		refused     string // in the error
	}{
		{"nothing asked for, nothing planned", nil, true, true, false, ""},
		{"levels unasked", nil, true, false, false, "raise log levels"},
		{"pools unasked", nil, false, true, false, "end the connections on the way"},
		{"pools unasked, levels asked for", []flow.TouchKind{flow.TouchLogLevel}, false, false, false,
			"end the connections on the way"},
		{"levels asked for", []flow.TouchKind{flow.TouchLogLevel}, true, false, true, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fake, sent := workshop(t)
			lab := fake.Run()
			lab.Bounds = &run.Bounds{Asked: tt.asked}
			p := plan(t, "http://fortio-server:8080/")
			p.Keep = tt.keep
			if tt.quiet {
				p.Without = append(p.Without, flow.EnvoyLog)
			}
			result, err := run.Do(t.Context(), lab, p, nil)
			if tt.refused != "" {
				if !errors.Is(err, run.ErrNotAsked) || fault.Of(err) != fault.Usage ||
					!strings.Contains(err.Error(), tt.refused) || len(*sent) > 0 {
					t.Errorf("%v, sent %d", err, len(*sent))
				}
			} else if err != nil {
				t.Fatal(err)
			}
			changed := slices.ContainsFunc(fake.Asked(), func(asked string) bool {
				return strings.HasPrefix(asked, "level ") || strings.HasPrefix(asked, "hold ")
			})
			if changed != tt.changes {
				t.Errorf("the lab was asked %q", fake.Asked())
			}
			if tt.refused == "" && (len(result.Touched) > 0) != tt.changes {
				t.Errorf("touched %+v", result.Touched)
			}
			for _, touch := range result.Touched {
				if !touch.Restored {
					t.Errorf("not restored: %+v", touch)
				}
			}
		})
	}
}

// TestConnectionsInUse ends connections only where the sidecar's counters say that nothing is on
// them, or where it is forced.
func TestConnectionsInUse(t *testing.T) {
	const pooled = "ESTAB 0 0 10.0.0.1:40000 10.0.0.2:8080 users:((\"envoy\",pid=1,fd=40))\n"
	for _, tt := range []struct {
		name          string
		active, began uint64
		cannot        error
		asked, force  bool
		ended         bool
	}{
		{"idle", 0, 0, nil, false, false, true},
		{"one under way", 1, 0, nil, false, false, false},
		{"one under way, asked for", 1, 0, nil, true, false, false},
		{"short ones between two looks", 0, 1, nil, true, false, false},
		{"it cannot be told", 0, 0, errors.New("no answer"), true, false, false},
		{"one under way, forced", 1, 0, nil, true, true, true},
		{"it cannot be told, forced", 0, 0, errors.New("no answer"), true, true, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			fake, sent := workshop(t)
			client, server := fake.PodsByRef["netshoot.mark"], fake.PodsByRef["fortio-server.mark"]
			client.Address, server.Address = "10.0.0.1", "10.0.0.2"
			client.Active, client.Began, client.UseErr = tt.active, tt.began, tt.cannot
			there, answer := true, client.Answer
			client.Answer = func(command []string, stdin []byte) *mesh.Output {
				switch {
				case command[0] == "ss" && slices.Contains(command, "-K"):
					there = false
					return &mesh.Output{Stdout: []byte(pooled)}
				case command[0] == "ss" && there:
					return &mesh.Output{
						Stdout: []byte("State Recv-Q Send-Q Local Address:Port Peer Address:Port Process\n" + pooled),
					}
				}
				return answer(command, stdin)
			}
			p := plan(t, "http://fortio-server:8080/")
			p.Force, p.Cold = tt.force, tt.asked
			result, err := run.Do(t.Context(), fake.Run(), p, nil)
			if there == tt.ended {
				t.Errorf("ended %t, want %t: %v", !there, tt.ended, err)
			}
			refused := tt.asked && !tt.ended && tt.cannot == nil
			if errors.Is(err, run.ErrNotCold) != refused || refused && !errors.Is(err, run.ErrInUse) ||
				(len(*sent) == 0) != refused {
				t.Errorf("%v, sent %d", err, len(*sent))
			}
			if !tt.ended && !refused && result.Run.Pools != "" {
				t.Errorf("the pools are said to be %s", result.Run.Pools)
			}
			told := slices.ContainsFunc(result.Touched, func(t flow.Touch) bool {
				return t.Kind == flow.TouchConnections && !t.Restored
			})
			if told != tt.ended {
				t.Errorf("touched %+v", result.Touched)
			}
		})
	}
}

// TestLooksAgain looks at the server's pool once more where others filled the client's again as it
// was emptied: a request that began meanwhile is not ended.
func TestLooksAgain(t *testing.T) {
	for _, refilled := range []bool{false, true} {
		fake, _ := workshop(t)
		client, server := fake.PodsByRef["netshoot.mark"], fake.PodsByRef["fortio-server.mark"]
		client.Address, server.Address = "10.0.0.1", "10.0.0.2"
		ended := map[*runtest.Pod]int{}
		pool := func(pod *runtest.Pod, row string, fillings int) {
			answer := pod.Answer
			pod.Answer = func(command []string, stdin []byte) *mesh.Output {
				switch {
				case command[0] == "ss" && slices.Contains(command, "-K"):
					ended[pod]++
					server.Active = 1
					return &mesh.Output{Stdout: []byte(row)}
				case command[0] == "ss" && ended[pod] < fillings:
					return &mesh.Output{Stdout: []byte(row)}
				case command[0] == "ss":
					return &mesh.Output{}
				}
				return answer(command, stdin)
			}
		}
		times := map[bool]int{false: 1, true: 2}[refilled]
		pool(client, "ESTAB 0 0 10.0.0.1:40000 10.0.0.2:8080 users:((\"envoy\",pid=1,fd=40))\n", times)
		pool(server, "ESTAB 0 0 127.0.0.6:41000 10.0.0.2:8080 users:((\"envoy\",pid=1,fd=41))\n", 1)
		_, err := run.Do(t.Context(), fake.Run(), plan(t, "http://fortio-server:8080/"), nil)
		if ended[client] != times || (ended[server] == 0) != refilled {
			t.Errorf("filled again %t: ended %d and %d times: %v", refilled, ended[client], ended[server], err)
		}
	}
}

// TestLookChangesNothing says what a run would touch, and asks the lab for nothing that changes it.
func TestLookChangesNothing(t *testing.T) {
	fake, sent := workshop(t)
	probes := 0
	if run.MayTrace(t.Context()) == nil {
		probes = 2
	}
	for _, c := range []struct {
		without []flow.Instrument
		touched int // leases, levels, probes
	}{
		{[]flow.Instrument{flow.Trace}, 4},
		{nil, 4 + probes},
		{[]flow.Instrument{flow.Trace, flow.EnvoyLog}, 2},
	} {
		p := plan(t, "http://fortio-server:8080/")
		p.Without = c.without
		preview, err := run.Look(t.Context(), fake.Run(), p)
		if err != nil || len(*sent) > 0 || len(preview.Watched) != 2 || len(preview.Touched) != c.touched {
			t.Errorf("without %v: %+v, %v", c.without, preview, err)
		}
	}
	for _, asked := range fake.Asked() {
		if strings.HasPrefix(asked, "level ") || strings.HasPrefix(asked, "hold ") {
			t.Errorf("it asked %s", asked)
		}
	}
}
