package filters

import (
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// mcp and a2a are filters for protocols of JSON-RPC. A request of the protocol is known by its
// headers, and by its body, which is not known: what headers say is computed, and a request that
// may have a message in its body is open. (McpFilter::decodeHeaders, A2aFilter::decodeHeaders)
func mcp(r *Request, f *Filter) (Result, bool) {
	if !r.settled(":method", "content-type", "accept", "mcp-session-id") {
		return Result{}, false
	}
	method, _ := r.Headers.Get(":method")
	accept, _ := r.Headers.Get("accept")
	_, session := r.Headers.Get("mcp-session-id")
	switch {
	case method == "POST" && r.mayBeMessage() && accept != "":
		return Result{}, false
	case method == "GET" && (strings.Contains(accept, "text/event-stream") || strings.Contains(accept, "*/*")),
		method == "DELETE" && session:
		return Result{}, true
	case method == "GET" && strings.Contains(accept, "*"):
		return Result{}, false
	}
	return onlyItsProtocol(f, "MCP", "mcp_reject_no_mcp")
}

func a2a(r *Request, f *Filter) (Result, bool) {
	if !r.settled(":method", ":path", "content-type") {
		return Result{}, false
	}
	method, _ := r.Headers.Get(":method")
	path, _ := r.Headers.Get(":path")
	switch {
	case method == "POST" && r.mayBeMessage():
		return Result{}, false
	case method == "GET" && match.PathOnly(path) == agentCard:
		return Result{}, true
	case method == "GET" && strings.Contains(path, "agent-card"):
		return Result{}, false
	}
	return onlyItsProtocol(f, "A2A", "")
}

// agentCard is where an agent of A2A describes itself.
const agentCard = "/.well-known/agent-card.json"

// mayBeMessage says whether the body of a POST may be a document in JSON.
func (r *Request) mayBeMessage() bool {
	kind, _ := r.Headers.Get("content-type")
	return strings.Contains(kind, "json")
}

// onlyItsProtocol is what becomes of a request that is none of the filter's protocol.
func onlyItsProtocol(f *Filter, protocol, details string) (Result, bool) {
	switch mode := f.own().Get("traffic_mode").Text(); mode {
	case "", "PASS_THROUGH", "0":
		return Result{}, true
	case "REJECT_NO_MCP", "REJECT", "1":
		return answered(Reply{Status: 400, Code: flow.NotItsProtocol, Source: f.Config, Details: details,
			Why: "traffic_mode is " + mode + ", and the request is none of " + protocol + ": Envoy answers 400"}), true
	}
	return Result{}, false
}
