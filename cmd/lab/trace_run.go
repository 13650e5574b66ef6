package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/harness/observe/trace/capture"
	runs "github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/internal/envoybinary"
	"github.com/flowproof/lab/internal/input"
)

// plan makes the request of the flags, and how it is watched. The request is a value from here to
// curl: nothing reads it again as text.
func (f traceFlags) plan(ctx context.Context, m *mesh.Mesh) (runs.Plan, error) {
	from, err := m.Sender(ctx, f.from)
	if err != nil {
		return runs.Plan{}, err
	}
	call, err := runs.NewCall(from, f.to, m.Namespace())
	if err != nil {
		return runs.Plan{}, err
	}
	var own []curl.Option
	headers, err := headerLines(ctx, f.headers)
	if err != nil {
		return runs.Plan{}, err
	}
	for _, h := range headers {
		own = append(own, curl.Option{Name: "header", Value: h, Valued: true})
	}
	for _, d := range f.data {
		own = append(own, curl.Option{Name: "data", Value: d, Valued: true})
	}
	if f.method != "" {
		own = append(own, curl.Option{Name: "request", Value: f.method, Valued: true})
	}
	if err := curl.Apply(own, &call, func(name string) ([]byte, error) {
		return input.ReadFile(ctx, name, maxData)
	}); err != nil {
		return runs.Plan{}, fault.Usagef("%w", err)
	}
	more, err := curl.Options(f.curl)
	if err != nil {
		return runs.Plan{}, fault.Usagef("%w", err)
	}
	told := call
	told.Headers = told.Headers.Clone()
	if err := curl.Apply(more, &told, nil); err != nil {
		return runs.Plan{}, fault.Usagef("%w", err)
	}
	cache, err := envoybinary.DefaultCache()
	if err != nil {
		return runs.Plan{}, fault.Environmentf("%w", err)
	}
	return runs.Plan{Call: call, Curl: f.curl, Told: told, Keep: f.warm, Body: f.body, Watched: f.watched,
		Trace: capture.Options{Data: f.peek, Envoy: !f.noEnvoy, Cache: cache,
			Without: f.without, Statements: trace.Level(f.level)}}, nil
}

// traced takes one request from plan to evidence, and restores what was changed for it. body is the
// beginning of the answer's, where it is wanted.
func (a *app) traced(ctx context.Context, flags traceFlags) (kept bundle.Contents, body string,
	err error) {
	backend, lab, err := a.lab(ctx)
	if err != nil {
		return kept, "", err
	}
	m, err := a.connect(lab)
	if err != nil {
		return kept, "", err
	}
	plan, err := flags.plan(ctx, m)
	if err != nil {
		return kept, "", err
	}
	flags.apply(&plan, lab)
	forRun := forScripts(backend, lab, m, flags.bounds(lab))
	if flags.dryRun {
		return kept, "", a.dryTrace(ctx, forRun, plan)
	}
	task := a.reporter().Start("Sending one request, and watching it (a build of Envoy that is new is understood " +
		"first)")
	result, err := runs.Do(ctx, forRun, plan, a.reporter().Say)
	task.Done(err)
	if errors.Is(err, runs.ErrNotCold) {
		err = fmt.Errorf("%w (or leave the connections: --warm)", err)
	}
	return bundle.Contents{Run: result.Run, Question: result.Question, Recording: &result.Recording,
		Dumps: result.Dumps, After: result.DumpsAfter}, result.Body, err
}
