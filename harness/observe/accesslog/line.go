// Package accesslog reads the access log that a mesh's sidecars write, in each of the forms of
// form.go, and tells what Envoy itself says about one request when it is over: which listener,
// filter chain, virtual host, route, cluster and host it took, and how both of its connections were
// secured. It reads no configuration, and knows the log's format by the names of its members alone.
package accesslog

import (
	"encoding/json"
	"strconv"
	"strings"
	"time"
)

// maxLine bounds what is read of one line, so that a hostile log cannot fill the memory.
const maxLine = 64 << 10

// The members of a line that are read here, by the names that Istio gives to those that its own
// format has, and in its manner to the others. Each is the command operator of the same meaning in
// Envoy's documentation on access logging.
const (
	startTime       = "start_time"                          // %START_TIME%
	requestID       = "request_id"                          // %REQ(X-REQUEST-ID)%
	protocol        = "protocol"                            // %PROTOCOL%
	responseCode    = "response_code"                       // %RESPONSE_CODE%
	responseDetails = "response_code_details"               // %RESPONSE_CODE_DETAILS%
	responseFlags   = "response_flags"                      // %RESPONSE_FLAGS%
	connectionID    = "connection_id"                       // %CONNECTION_ID%
	downRemote      = "downstream_remote_address"           // %DOWNSTREAM_DIRECT_REMOTE_ADDRESS%
	downLocal       = "downstream_local_address"            // %DOWNSTREAM_LOCAL_ADDRESS%: as restored by original_dst
	downDirectLocal = "downstream_direct_local_address"     // %DOWNSTREAM_DIRECT_LOCAL_ADDRESS%: the socket's own
	downServerName  = "requested_server_name"               // %REQUESTED_SERVER_NAME%
	downTLSVersion  = "downstream_tls_version"              // %DOWNSTREAM_TLS_VERSION%
	downPeerURI     = "downstream_peer_uri_san"             // %DOWNSTREAM_PEER_URI_SAN%
	downTLSFailure  = "downstream_transport_failure_reason" // %DOWNSTREAM_TRANSPORT_FAILURE_REASON%
	listenerName    = "listener_name"                       // %LISTENER_NAME%
	filterChainName = "filter_chain_name"                   // %FILTER_CHAIN_NAME%
	virtualHostName = "virtual_host_name"                   // %CEL(xds.virtual_host_name)%
	routeName       = "route_name"                          // %ROUTE_NAME%
	upCluster       = "upstream_cluster"                    // %UPSTREAM_CLUSTER_RAW%
	upHost          = "upstream_host"                       // %UPSTREAM_HOST%
	upLocal         = "upstream_local_address"              // %UPSTREAM_LOCAL_ADDRESS%
	upRemote        = "upstream_remote_address"             // %UPSTREAM_REMOTE_ADDRESS%
	upServerName    = "upstream_server_name"                // %UPSTREAM_SERVER_NAME%
	upTLSVersion    = "upstream_tls_version"                // %UPSTREAM_TLS_VERSION%
	upPeerURI       = "upstream_peer_uri_san"               // %UPSTREAM_PEER_URI_SAN%
	attemptCount    = "upstream_request_attempt_count"      // %UPSTREAM_REQUEST_ATTEMPT_COUNT%
	upTLSFailure    = "upstream_transport_failure_reason"   // %UPSTREAM_TRANSPORT_FAILURE_REASON%
)

// A Line is one line of the access log.
type Line struct {
	Form   string    // in which it is written, one of Forms
	Number int       // in the log, counted from 1
	Text   string    // as it was printed
	Time   time.Time // when the request began; zero when the line does not tell
	values map[string]string
}

// Get returns the value of a member. It is empty where Envoy has none; known is false where the
// log's format has no such member, so that nothing can be concluded.
func (l Line) Get(name string) (value string, known bool) {
	value, known = l.values[name]
	return value, known
}

// RequestID is the x-request-id that the request had when it was over, or "".
func (l Line) RequestID() string { return l.values[requestID] }

// readJSON reads one JSON object. ok is false for an object that is something else, such as a line
// of pilot-agent's own.
func readJSON(row []byte) (line Line, ok, whole bool) {
	if len(row) == 0 || row[0] != '{' {
		return Line{}, false, true
	}
	if len(row) > maxLine {
		return Line{}, false, false
	}
	var members map[string]json.RawMessage
	if json.Unmarshal(row, &members) != nil {
		return Line{}, false, false
	}
	if _, statement := members["msg"]; statement || members[responseFlags] == nil && members[responseCode] == nil {
		return Line{}, false, true
	}
	line = Line{Text: string(row), values: make(map[string]string, len(members))}
	for name, raw := range members {
		line.values[name] = scalar(raw)
	}
	line.Time, _ = time.Parse(time.RFC3339Nano, line.values[startTime])
	return line, true, true
}

// scalar returns a member's value. null and Envoy's "-" both say that there is none.
func scalar(raw json.RawMessage) string {
	var text string
	if json.Unmarshal(raw, &text) == nil {
		if text == "-" {
			return ""
		}
		return text
	}
	if number := strings.TrimSpace(string(raw)); isNumber(number) {
		return number
	}
	return ""
}

func isNumber(text string) bool {
	_, err := strconv.ParseFloat(text, 64)
	return err == nil
}

// markJSON is a text that only the line of the request with an id has.
func markJSON(id string) string {
	const version = 14
	if len(id) == 36 {
		id = id[:version]
	}
	return `"` + requestID + `":"` + id
}

// peerJSON is a text that only lines of the connection from a client's end have.
func peerJSON(address string) string { return `"` + downRemote + `":"` + address + `"` }
