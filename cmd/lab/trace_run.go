package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/cluster/process"
	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/configdump/changes"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/internal/doctor"
	"github.com/flowproof/lab/internal/exit"
	"github.com/flowproof/lab/internal/symbols"
)

// A tracer takes one request from inference to observations.
type tracer struct {
	app            *app
	flags          traceFlags
	lab            script.Lab
	client, server *mesh.Pod
	container      string              // of the client's pod, that sends
	dumps          [2]*configdump.Dump // the client's and the server's
	texts          map[string][]byte   // and as they were given, by pod
	after          map[string][]byte   // as they are after the request
	port           uint16
}

// newTracer finds the two pods: the server is where the client's sidecar would send the request now.
func newTracer(ctx context.Context, a *app, flags traceFlags) (*tracer, error) {
	backend, lab, err := a.lab(ctx)
	if err != nil {
		return nil, err
	}
	t := &tracer{app: a, flags: flags, texts: map[string][]byte{}}
	if t.lab, err = forScripts(backend, lab); err != nil {
		return nil, err
	}
	return t, t.findPods(ctx)
}

func (t *tracer) findPods(ctx context.Context) (err error) {
	m := t.lab.Mesh
	from, container, _ := strings.Cut(t.flags.from, "/")
	if t.client, err = m.Pod(ctx, from); err != nil {
		return err
	}
	if t.container = container; container == "" {
		t.container = t.client.App()
	}
	if container == mesh.SidecarContainer {
		return notCaptured("trace", t.flags.from)
	}
	if t.dumps[0], err = t.dump(ctx, t.client); err != nil {
		return err
	}
	hosts, err := infer.Destination(t.dumps[0], t.call(""), infer.WayOptions{})
	if err != nil {
		return exit.Usagef("%w", err)
	}
	if t.server, err = serverPod(ctx, m, hosts); err != nil {
		return err
	}
	if t.server == nil {
		return exit.Usagef("trace %s: the client's sidecar sends it to no pod of the mesh (see `lab infer --from %s --to %s`)", t.flags.to, t.flags.from, t.flags.to)
	}
	if t.dumps[1], err = t.dump(ctx, t.server); err != nil {
		return err
	}
	for _, h := range hosts {
		if end, err := netip.ParseAddrPort(h.Address); err == nil && end.Addr().String() == t.server.IP() {
			t.port = end.Port()
		}
	}
	return nil
}

// dump takes the dump of a pod.
func (t *tracer) dump(ctx context.Context, pod *mesh.Pod) (*configdump.Dump, error) {
	text, err := dumpText(ctx, pod)
	if err != nil {
		return nil, err
	}
	t.texts[pod.Ref()] = text
	return configdump.Parse(text)
}

// call is the request with an id.
func (t *tracer) call(id string) flow.Call {
	from, container, _ := strings.Cut(t.flags.from, "/")
	name, namespace := mesh.SplitRef(from)
	call := flow.Call{From: name, Namespace: namespace, Container: container, URL: t.flags.to, Method: "GET", RequestID: id}
	readCurl(t.flags.curl, &call)
	return call
}

// run watches the request with every instrument, and returns all of it but the verdict. There is no trace where eBPF is not
// available; the run says why.
func (t *tracer) run(ctx context.Context) (bundle.Contents, error) {
	session, absence, err := t.watch(ctx)
	if err != nil {
		return bundle.Contents{}, err
	}
	task := t.app.reporter().Start("Sending one request")
	kept, err := t.send(ctx)
	task.Done(err)
	run := &kept.Run
	if absence != nil {
		run.Absences = append(run.Absences, *absence)
		return kept, err
	}
	recording, stopErr := session.Stop()
	switch {
	case err != nil:
		return kept, err
	case stopErr != nil:
		run.Absences = append(run.Absences, flow.Absence{Instrument: flow.Trace, Reason: stopErr.Error()})
		return kept, exit.Environmentf("%w", stopErr)
	}
	kept.Recording.Trace = recording
	seen, watches := recording.Observe(trace.Selection{RequestID: run.Call.RequestID})
	run.Observations, run.Watches = append(run.Observations, seen...), append(run.Watches, watches...)
	return kept, nil
}

// watch puts the probes on, or says why eBPF cannot take part here.
func (t *tracer) watch(ctx context.Context) (*trace.Session, *flow.Absence, error) {
	absent := func(reason error) (*trace.Session, *flow.Absence, error) {
		return nil, &flow.Absence{Instrument: flow.Trace, Reason: reason.Error()}, nil
	}
	if !doctor.BPFWorks(ctx) {
		return absent(errors.New("this process may not load BPF programs (run as root; `lab doctor` says more)"))
	}
	pods, err := t.pods(ctx)
	if errors.Is(err, process.ErrElsewhere) {
		return absent(err)
	}
	if err != nil {
		return nil, nil, err
	}
	cache, err := symbols.DefaultCache()
	if err != nil {
		return nil, nil, exit.Environmentf("%w", err)
	}
	task := t.app.reporter().Start("Attaching probes to both pods (a build of Envoy that is new is understood first)")
	session, err := trace.Start(ctx, trace.Options{Pods: pods, Data: t.flags.data, Envoy: !t.flags.noEnvoy, Cache: cache, Without: t.flags.without,
		Statements: trace.Level(t.flags.level)})
	task.Done(err)
	return session, nil, err
}

// pods are the two ends with their processes.
func (t *tracer) pods(ctx context.Context) ([]trace.Pod, error) {
	var pods []trace.Pod
	for _, end := range []struct {
		side flow.Side
		pod  *mesh.Pod
	}{{flow.Client, t.client}, {flow.Server, t.server}} {
		pids, err := t.lab.Backend.Processes(ctx, t.lab.Cluster, end.pod.Namespace(), end.pod.Name(), mesh.SidecarContainer)
		if err != nil {
			return nil, exit.Environmentf("%w", err)
		}
		ip, err := netip.ParseAddr(end.pod.IP())
		if err != nil {
			return nil, exit.Environmentf("read address of %s: %w", end.pod.Ref(), err)
		}
		pods = append(pods, trace.Pod{Name: end.pod.Ref(), Side: end.side, IP: ip, PIDs: pids})
	}
	return pods, nil
}

// send sends the request and reads the other instruments.
func (t *tracer) send(ctx context.Context) (bundle.Contents, error) {
	if len(t.flags.curl) == 0 {
		return t.scenario(ctx, "trace", t.lines())
	}
	if !t.flags.warm {
		if _, err := t.scenario(ctx, "cold", []string{t.killLine()}); err != nil {
			return bundle.Contents{}, fmt.Errorf("%w (or leave the connections: --warm)", err)
		}
	}
	question := t.question()
	run, recording, err := t.direct(ctx, question)
	return bundle.Contents{Run: run, Question: question, Recording: &recording, Dumps: t.texts, After: t.after}, err
}

// lines are the request as a scenario: what `lab run` would do, without its prose.
func (t *tracer) lines() []string {
	client, server := t.client.Ref(), t.server.Ref()
	lines := []string{"dump " + client, "dump " + server}
	arrow := client + "/" + t.container + " -> " + t.flags.to
	if t.flags.warm {
		lines = append(lines, "infer "+arrow)
	} else {
		lines = append(lines, "infer -cold "+arrow)
	}
	lines = append(lines, "logs follow "+client, "logs follow "+server, "sockets "+client, "sockets "+server)
	if !t.flags.warm {
		lines = append(lines, t.killLine())
	}
	both := client + " " + server
	return append(lines, "loglevel "+client+" debug", "loglevel "+server+" debug", "stats "+both, "netfilter "+both, "request "+arrow,
		"sockets "+client, "sockets "+server, "stats "+both, "netfilter "+both, "observe")
}

func (t *tracer) killLine() string {
	return fmt.Sprintf("kill-connections %s -> %s:%d until cold", t.client.Ref(), t.server.Ref(), t.port)
}

// scenario runs lines of the scenario language and returns what the run found.
func (t *tracer) scenario(ctx context.Context, name string, lines []string) (bundle.Contents, error) {
	result := script.Run(ctx, t.lab, script.Parse(name, []byte(strings.Join(lines, "\n")+"\n")), script.Options{})
	kept := bundle.Contents{Question: result.Question, Recording: &result.Recording, Dumps: result.Dumps, After: result.DumpsAfter}
	if result.Run != nil {
		kept.Run = *result.Run
	}
	return kept, result.Err
}

// question is what inference is asked of a request that has the user's own arguments of curl.
func (t *tracer) question() infer.Question {
	return infer.Question{Schema: infer.QuestionSchema, Call: t.call(rand.Text()), Client: t.client.Ref(), Server: t.server.Ref(),
		Options: infer.WayOptions{Cold: !t.flags.warm}}
}

// direct sends the request with the user's own arguments of curl, between two looks at the socket tables.
func (t *tracer) direct(ctx context.Context, question infer.Question) (run flow.Run, r observe.Recording, err error) {
	run = flow.Run{Schema: flow.RunSchema, Backend: t.lab.Cluster.Backend, Call: question.Call}
	if run.Path, err = question.Path(t.texts); err != nil {
		return run, r, exit.Usagef("%w", err)
	}
	target, err := url.Parse(t.flags.to)
	if err != nil {
		return run, r, exit.Usagef("read URL: %w", err)
	}
	r = observe.Recording{RequestID: run.Call.RequestID, Authority: target.Host, Path: target.EscapedPath(), Port: t.port,
		Client: observe.Pod{Name: t.client.Ref(), IP: t.client.IP()}, Server: observe.Pod{Name: t.server.Ref(), IP: t.server.IP()}}
	if r.Client.Before, r.Server.Before, err = t.tables(ctx); err != nil {
		return run, r, err
	}
	// Method and headers that inference was told are among the arguments, and are given to curl once.
	command, err := curl.Send(flow.Call{URL: t.flags.to, RequestID: r.RequestID}, 1, t.flags.curl...)
	if err != nil {
		return run, r, exit.Usagef("%w", err)
	}
	r.Sent = time.Now()
	out, err := t.client.Exec(ctx, t.container, command.Line, bytes.NewReader(command.Input))
	if err != nil {
		return run, r, err
	}
	r.Answered, r.Curl = time.Now(), out.Stderr
	if r.Client.After, r.Server.After, err = t.tables(ctx); err != nil {
		return run, r, err
	}
	run.Configuration = t.holdConfiguration(ctx, run.Path)
	if run.Observations, run.Watches, err = r.Observe(); err != nil {
		return run, r, exit.Incompletef("observe: %w", err)
	}
	return run, r, nil
}

// holdConfiguration dumps both sidecars once more and says whether anything on the way has changed.
func (t *tracer) holdConfiguration(ctx context.Context, path flow.Path) []flow.Configuration {
	var all []flow.Configuration
	t.after = map[string][]byte{}
	for _, pod := range []*mesh.Pod{t.client, t.server} {
		held := flow.Configuration{Proxy: pod.Ref()}
		if after, err := dumpText(ctx, pod); err != nil {
			held.Problem = err.Error()
		} else {
			t.after[pod.Ref()] = after
			held = changes.Texts(pod.Ref(), t.texts[pod.Ref()], after, path)
		}
		all = append(all, held)
	}
	return all
}

// tables reads the socket tables of both pods.
func (t *tracer) tables(ctx context.Context) (client, server []byte, err error) {
	if client, err = t.lab.SocketTable(ctx, t.client); err == nil {
		server, err = t.lab.SocketTable(ctx, t.server)
	}
	if err != nil {
		return nil, nil, exit.Environmentf("read sockets: %w", err)
	}
	return client, server, nil
}
