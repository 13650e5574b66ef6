// Command otlp reads traces in OTLP/JSON from standard input by the OpenTelemetry protobuf types,
// in which no field may be unknown, and writes each span on a line: service, trace, span, parent,
// name. Ids are hexadecimal there and not base64 as in other protobuf JSON:
// https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding.
package main

import (
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"regexp"

	trace "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	"google.golang.org/protobuf/encoding/protojson"
)

// id is an id of a trace or a span.
var id = regexp.MustCompile(`("(?:traceId|spanId|parentSpanId)":\s*")([0-9a-fA-F]*)"`)

func main() {
	if err := run(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "read OTLP:", err)
		os.Exit(1)
	}
}

func run(in io.Reader, out io.Writer) error {
	text, err := io.ReadAll(in)
	if err != nil {
		return err
	}
	var failed error
	text = id.ReplaceAllFunc(text, func(match []byte) []byte {
		parts := id.FindSubmatch(match)
		raw, err := hex.DecodeString(string(parts[2]))
		if err != nil {
			failed = err
		}
		return []byte(string(parts[1]) + base64.StdEncoding.EncodeToString(raw) + `"`)
	})
	var request trace.ExportTraceServiceRequest
	if err := protojson.Unmarshal(text, &request); err != nil || failed != nil {
		return fmt.Errorf("%v %v", err, failed)
	}
	for _, r := range request.ResourceSpans {
		service := ""
		for _, a := range r.Resource.Attributes {
			if a.Key == "service.name" {
				service = a.Value.GetStringValue()
			}
		}
		for _, s := range r.ScopeSpans {
			for _, span := range s.Spans {
				if len(span.TraceId) != 16 || len(span.SpanId) != 8 ||
					len(span.ParentSpanId) != 0 && len(span.ParentSpanId) != 8 {
					return fmt.Errorf("span %s: an id has the wrong length", span.Name)
				}
				if span.StartTimeUnixNano == 0 || span.EndTimeUnixNano < span.StartTimeUnixNano {
					return fmt.Errorf("span %s: it ends before it begins", span.Name)
				}
				fmt.Fprintf(
					out,
					"%s\t%x\t%x\t%x\t%s\n",
					service,
					span.TraceId,
					span.SpanId,
					span.ParentSpanId,
					span.Name,
				)
			}
		}
	}
	return nil
}
