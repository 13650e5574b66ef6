package run

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/internal/redact"
)

// requestTimeout bounds one request; curl itself gives up before.
const requestTimeout = 20 * time.Second

// Same says whether a request is the one that was inferred before, but for its id.
func Same(a, b flow.Call) bool {
	if len(a.Headers) != len(b.Headers) {
		return false
	}
	for name := range a.Headers {
		if a.Headers.Get(name) != b.Headers.Get(name) {
			return false
		}
	}
	return Caller(a) == Caller(b) && a.Outside == b.Outside && a.URL == b.URL && a.Method == b.Method &&
		bytes.Equal(a.Body, b.Body)
}

// Send sends the request that was inferred, once. An answer of any status is an
// answer, and so is none.
func (s *Session) Send(ctx context.Context) (curl.Result, error) {
	if err := s.holdPools(ctx); err != nil {
		return curl.Result{}, err
	}
	return s.send(ctx, s.Flow.Call)
}

// send sends a call as it is; args are more arguments of curl's.
func (s *Session) send(ctx context.Context, call flow.Call, args ...string) (curl.Result, error) {
	sending, cancel := context.WithTimeoutCause(ctx, requestTimeout,
		fault.Environmentf("no answer within %s", requestTimeout))
	defer cancel()
	request := &sent{since: time.Now()}
	out, err := s.curl(sending, call, 1, args...)
	request.until = time.Now()
	if err != nil {
		return curl.Result{}, err
	}
	request.curl, request.code, request.body = out.Stderr, out.Code, out.Stdout
	s.sent = request
	told, err := curl.Parse(out.Stderr)
	if err != nil {
		return told, fault.Environmentf("send %s: curl ended with %d: %s", call.URL, out.Code, firstLine(out.Stderr))
	}
	s.Flow.Untold = curl.Untold(s.Flow.Path.Call, told.Request)
	if told.Local.IsValid() {
		request.local = told.Local.String()
	}
	return told, nil
}

// Control sends another call after the request, which must be answered: that nothing was seen of
// the request then counts.
func (s *Session) Control(ctx context.Context, call flow.Call) (curl.Result, error) {
	sending, cancel := context.WithTimeoutCause(ctx, requestTimeout,
		fault.Environmentf("no answer within %s", requestTimeout))
	defer cancel()
	out, err := s.curl(sending, call, 1)
	if err != nil {
		return curl.Result{}, fmt.Errorf("control %s: %w", call.URL, err)
	}
	told, err := curl.Parse(out.Stderr)
	if err != nil || told.Status == 0 {
		return told, fault.Incompletef("control %s: it must be answered, and was not: %s", call.URL,
			firstLine([]byte(told.Failure)))
	}
	s.control = call
	return told, nil
}

// Controlled says whether a control was sent.
func (s *Session) Controlled() bool { return s.control.URL != "" }

// curl sends a call from where it is sent from, some times one after the other.
func (s *Session) curl(ctx context.Context, call flow.Call, times int, args ...string) (*mesh.Output, error) {
	command, err := curl.Send(call, times, args...)
	if s.body > 0 && times == 1 {
		command, err = curl.Show(call, args...)
	}
	if err != nil {
		return nil, fault.Usagef("%w", err)
	}
	body := 0
	if times == 1 {
		body = s.body
	}
	return s.execAt(ctx, call, command, body)
}

// execAt runs a curl where a call is sent from. Of what it writes to its standard output no more is
// kept than the bytes of a body that are wanted, where that is said.
func (s *Session) execAt(ctx context.Context, call flow.Call, command curl.Command, body int) (*mesh.Output, error) {
	if call.Outside {
		return s.outsiders[call.From].Exec(ctx, command.Line, command.Input)
	}
	pod, err := s.Lab.Mesh.Pod(ctx, Caller(call))
	if err != nil {
		return nil, err
	}
	container := call.Container
	if container == "" {
		container = pod.App()
	}
	if pod, bounded := pod.(headed); bounded && body > 0 {
		return pod.ExecHead(ctx, container, command.Line, bytes.NewReader(command.Input), body+bodyMargin)
	}
	return pod.Exec(ctx, container, command.Line, bytes.NewReader(command.Input))
}

// headed is a pod that keeps no more of what a command writes than is wanted.
type headed interface {
	ExecHead(ctx context.Context, container string, command []string, stdin io.Reader, most int) (*mesh.Output, error)
}

// bodyMargin is how many bytes of a body are read beside those that are shown: a secret that begins
// among these is known for one by what follows.
const bodyMargin = 4 << 10

// Body is the beginning of the body that the request was answered with, as it may be shown: without
// secrets, and without anything that could command a terminal. It is kept nowhere. "" where it was
// not asked for.
func (s *Session) Body() string {
	if s.sent == nil || s.body == 0 {
		return ""
	}
	text := s.sent.body[:min(len(s.sent.body), s.body+bodyMargin)]
	shown := redact.Printable(redact.Text(string(text)))
	if cut := []rune(shown); len(cut) > s.body {
		shown = string(cut[:s.body])
	}
	return shown
}
