package spans

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"strconv"
	"time"
)

// The OTLP/JSON form of a trace: ExportTraceServiceRequest of
// opentelemetry/proto/collector/trace/v1, with ids in hexadecimal and 64-bit numbers as strings
// (https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding).
type (
	otlpRequest struct {
		ResourceSpans []otlpResource `json:"resourceSpans"`
	}
	otlpResource struct {
		Resource struct {
			Attributes []otlpAttribute `json:"attributes"`
		} `json:"resource"`
		ScopeSpans []otlpScope `json:"scopeSpans"`
	}
	otlpScope struct {
		Scope struct {
			Name string `json:"name"`
		} `json:"scope"`
		Spans []otlpSpan `json:"spans"`
	}
	otlpSpan struct {
		TraceID    string          `json:"traceId"`
		SpanID     string          `json:"spanId"`
		Parent     string          `json:"parentSpanId,omitempty"`
		Name       string          `json:"name"`
		Kind       int             `json:"kind"`
		Begin      string          `json:"startTimeUnixNano"`
		End        string          `json:"endTimeUnixNano"`
		Attributes []otlpAttribute `json:"attributes,omitempty"`
		Status     *otlpStatus     `json:"status,omitempty"`
	}
	otlpStatus struct {
		Code    int    `json:"code"` // 2: STATUS_CODE_ERROR
		Message string `json:"message,omitempty"`
	}
	otlpAttribute struct {
		Key   string `json:"key"`
		Value struct {
			Text string `json:"stringValue"`
		} `json:"value"`
	}
)

func attribute(key, value string) otlpAttribute {
	a := otlpAttribute{Key: key}
	a.Value.Text = value
	return a
}

// OTLP writes the trace as one request of OTLP/JSON, as a collector takes it at /v1/traces and a
// viewer as a file. The spans of each service stand together.
func (t Trace) OTLP(w io.Writer) error {
	var request otlpRequest
	at := map[string]int{}
	for _, s := range t.Spans {
		if _, known := at[s.Service]; !known {
			at[s.Service] = len(request.ResourceSpans)
			resource := otlpResource{ScopeSpans: make([]otlpScope, 1)}
			resource.Resource.Attributes = []otlpAttribute{attribute("service.name", s.Service)}
			resource.ScopeSpans[0].Scope.Name = "github.com/flowproof/lab"
			request.ResourceSpans = append(request.ResourceSpans, resource)
		}
		scope := &request.ResourceSpans[at[s.Service]].ScopeSpans[0]
		scope.Spans = append(scope.Spans, t.otlp(s))
	}
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(request); err != nil {
		return fmt.Errorf("write OTLP: %w", err)
	}
	return nil
}

func (t Trace) otlp(s Span) otlpSpan {
	out := otlpSpan{
		TraceID: t.ID,
		SpanID:  s.ID,
		Parent:  cmp.Or(s.Parent, t.Parent),
		Name:    s.Name,
		Kind:    int(s.Kind),
		Begin:   nanos(s.Begin),
		End:     nanos(s.End),
	}
	for _, a := range s.Attributes {
		out.Attributes = append(out.Attributes, attribute(a.Key, a.Value))
	}
	if s.Untimed {
		out.Attributes = append(
			out.Attributes,
			attribute("flowproof.time", "of the spans beside it: no instrument gave it one"),
		)
	}
	if s.Failed != "" {
		out.Status = &otlpStatus{Code: 2, Message: s.Failed}
	}
	return out
}

func nanos(t time.Time) string { return strconv.FormatInt(t.UnixNano(), 10) }
