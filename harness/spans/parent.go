package spans

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/trace"
)

// traceparent is the header that names the trace of a request: W3C Trace Context, 3.2.
const traceparent = "traceparent"

// parentOf is the trace that a request belongs to, and the span that it was sent in: those of its
// own traceparent, so that our spans stand among those of Envoy and of the application, or else of
// the traceparent that a sidecar gave it. A request without any has a trace of its own, by its id.
func parentOf(call flow.Call, events *trace.Recording) (traceID, spanID string) {
	for name, values := range call.Headers {
		if strings.EqualFold(name, traceparent) && len(values) > 0 {
			if traceID, spanID, ok := ParseTraceparent(values[0]); ok {
				return traceID, spanID
			}
		}
	}
	if events != nil {
		for _, e := range events.Events {
			if e.HTTP == nil || call.RequestID == "" || e.HTTP.RequestID != call.RequestID {
				continue
			}
			for _, header := range e.HTTP.Headers {
				name, value, _ := strings.Cut(header, ":")
				if !strings.EqualFold(strings.TrimSpace(name), traceparent) {
					continue
				}
				if traceID, spanID, ok := ParseTraceparent(strings.TrimSpace(value)); ok {
					return traceID, spanID
				}
			}
		}
	}
	sum := sha256.Sum256([]byte("flowproof " + call.RequestID + " " + call.From + " " + call.URL))
	return hex.EncodeToString(sum[:16]), ""
}

// ParseTraceparent reads the value of a traceparent: its trace and its span. ok is false where the
// value is none by the rules of version 00 (W3C Trace Context, 3.2.2), or of a later version whose
// first parts are not of that form.
func ParseTraceparent(value string) (traceID, spanID string, ok bool) {
	parts := strings.Split(value, "-")
	if len(parts) < 4 || parts[0] == "ff" || parts[0] == "00" && len(parts) != 4 {
		return "", "", false
	}
	for i, digits := range []int{2, 32, 16, 2} {
		if len(parts[i]) != digits || strings.Trim(parts[i], "0123456789abcdef") != "" {
			return "", "", false
		}
	}
	if strings.Trim(parts[1], "0") == "" || strings.Trim(parts[2], "0") == "" {
		return "", "", false
	}
	return parts[1], parts[2], true
}
