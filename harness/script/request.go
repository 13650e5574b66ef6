package script

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/internal/exit"
)

// sent is a request that was sent and what came back.
type sent struct {
	since, until time.Time
	out          *mesh.Output
}

// newCall makes the Call of "FROM -> URL", which drives inference and curl alike.
func newCall(from, to string) (flow.Call, error) {
	target, err := url.Parse(to)
	if err != nil || target.Host == "" || (target.Scheme != "http" && target.Scheme != "https") {
		return flow.Call{}, exit.Usagef("read URL %q: it is not an http or https URL", to)
	}
	pod, container, _ := strings.Cut(from, "/")
	name, namespace := mesh.SplitRef(pod)
	return flow.Call{From: name, Namespace: namespace, Container: container, URL: to, Method: "GET", RequestID: newRequestID()}, nil
}

// newRequestID is a UUID of version 4 (RFC 9562), as Envoy makes them.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// sameCall says whether a request is the one that was inferred before.
func sameCall(a, b flow.Call) bool {
	return a.From == b.From && a.Namespace == b.Namespace && a.Outside == b.Outside && a.URL == b.URL && a.Method == b.Method
}

// requestTimeout bounds one request; curl itself gives up before.
const requestTimeout = 20 * time.Second

var requestCommand = Command{
	Name:    "request",
	Usage:   "request FROM -> URL",
	Summary: "Send one request with curl from a pod's application container",
	Detail: "It is the call that infer was asked about, with an x-request-id of its own by which it is found in the logs.\n" +
		"An answer of any status is an answer; stdout has its status for the script to check.",
	run: func(s *session, args []string) error {
		from, to, err := fromTo(args)
		if err != nil || len(args) != 3 {
			return badUsage("write FROM -> URL")
		}
		call, err := s.newCall(from, to)
		if err != nil {
			return err
		}
		switch {
		case s.sent != nil:
			return badUsage("one request has been sent already, and a run is about one")
		case s.run.Call.URL == "":
			s.run.Call = call
		case !sameCall(s.run.Call, call):
			return badUsage(fmt.Sprintf("what was inferred is %s -> %s", s.run.Call.From, s.run.Call.URL))
		}
		return s.send()
	},
}

// send runs curl in the client's container. Its -v output is what the client itself was told.
func (s *session) send() error {
	call := s.run.Call
	ctx, cancel := context.WithTimeoutCause(s.ctx, requestTimeout, exit.Environmentf("no answer within %s", requestTimeout))
	defer cancel()
	var err error
	request := &sent{since: time.Now()}
	request.out, err = s.curl(ctx, call, 1)
	request.until = time.Now()
	if err != nil {
		return err
	}
	s.sent = request
	told, err := curl.Parse(request.out.Stderr)
	switch {
	case err != nil:
		return exit.Environmentf("send %s: curl ended with %d: %s", call.URL, request.out.Code, firstLine(request.out.Stderr))
	case told.Status == 0:
		s.print("no answer: %s", told.Failure)
	default:
		s.print("status %d after %s, from %s to %s", told.Status, told.Timing.Total.Round(100*time.Microsecond), told.Local, told.Remote)
	}
	return nil
}
