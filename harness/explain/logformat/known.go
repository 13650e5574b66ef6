package logformat

import (
	"encoding/json"
	"strings"
	"sync"

	"github.com/flowproof/lab/internal/lazyregexp"
)

// What the formats share: how they begin, and how they tell of the request.
const (
	begins = `[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" ` +
		`%RESPONSE_CODE% %RESPONSE_FLAGS% `
	sizes = `%BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% `
	asked = `"%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"`
	ends  = ` %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% ` +
		`%REQUESTED_SERVER_NAME% %ROUTE_NAME%`
)

// IstioText is Istio's default format (pilot/pkg/model, EnvoyTextLogFormat).
const IstioText = begins + `%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% ` +
	`"%UPSTREAM_TRANSPORT_FAILURE_REASON%" ` + sizes + asked + ` %UPSTREAM_CLUSTER_RAW%` + ends

// istioTextOld is the same until Istio 1.8.
const istioTextOld = begins + `"%DYNAMIC_METADATA(istio.mixer:status)%" ` +
	`"%UPSTREAM_TRANSPORT_FAILURE_REASON%" ` + sizes + asked + ` %UPSTREAM_CLUSTER%` + ends

// envoyText is Envoy's own default format.
const envoyText = begins + sizes + asked

// known are the formats that are tried without a dump that has one.
var known = sync.OnceValue(func() []*Format {
	return []*Format{{Name: "JSON", members: map[string]*Format{}}, must("Istio's text format", IstioText),
		must("Istio's text format until 1.8", istioTextOld), must("Envoy's text format", envoyText)}
})

// Known returns the names of the formats that are tried on a line without a dump that has one, in
// the order in which they are.
func Known() []string {
	var names []string
	for _, f := range known() {
		names = append(names, f.Name)
	}
	return names
}

// before is what kubectl logs --prefix and --timestamps, docker compose, stern and the container
// runtime put before a line.
var before = lazyregexp.New(`^(?:\[pod/[^\]\s]+\] |\S+ istio-proxy |istio-proxy(?:-\d+)? +\| |` +
	`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d) (?:std(?:out|err) [FP] )?)+`)

// wrappers are the members in which collectors of logs keep a line: docker's json-file, Fluent Bit,
// Loki, Google Cloud Logging.
var wrappers = []string{"log", "message", "msg", "line", "textPayload"}

// within returns the lines that may stand in a row: in quotes, as a line is pasted with those of a
// shell, or in an object of a collector of logs.
func within(row string) []string {
	row = strings.TrimSpace(row)
	for _, quote := range []string{"'", "`", `"`} {
		if inner, ok := strings.CutPrefix(row, quote); ok {
			if inner, ok = strings.CutSuffix(inner, quote); ok {
				return []string{inner}
			}
		}
	}
	if len(row) > maxLine || !strings.HasPrefix(row, "{") {
		return nil
	}
	var object map[string]any
	if json.Unmarshal([]byte(row), &object) != nil {
		return nil
	}
	var lines []string
	for _, member := range wrappers {
		switch line := object[member].(type) {
		case string:
			lines = append(lines, strings.TrimRight(line, "\r\n"))
		case map[string]any: // a line of JSON that the collector has read
			if text, err := json.Marshal(line); err == nil {
				lines = append(lines, string(text))
			}
		}
	}
	return lines
}

// cutPrefix takes off a row what was put before it.
func cutPrefix(row string) (prefix, rest string) {
	prefix = before.FindString(row)
	return prefix, row[len(prefix):]
}
