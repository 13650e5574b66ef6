package script

import (
	"context"
	"errors"
	"time"

	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/accesslog"
	"github.com/flowproof/lab/internal/exit"
)

// accessLogTimeout bounds how long an access log's line may be on its way: Envoy flushes files each second under Istio
// (--file-flush-interval-msec), and the line goes through the runtime and the apiserver.
const accessLogTimeout = 10 * time.Second

// awaitAccessLog returns when the request's line is in the window, or that of the control that was sent after it, and says why
// it is not, in words for the recording.
func (s *session) awaitAccessLog(w *window, form string) (problem string) {
	if form != observe.JSONAccessLog {
		return ""
	}
	ctx, cancel := context.WithTimeoutCause(s.ctx, accessLogTimeout,
		exit.Incompletef("Envoy's line about the request has not come within %s", accessLogTimeout))
	defer cancel()
	id := s.run.Call.RequestID
	if s.control.URL != "" {
		id = s.control.RequestID
	}
	err := w.WaitFor(ctx, accesslog.Mark(id))
	switch {
	case err == nil:
		return ""
	case ctx.Err() != nil && !errors.Is(err, context.Cause(ctx)):
		return errors.Join(err, context.Cause(ctx)).Error()
	}
	return err.Error()
}
