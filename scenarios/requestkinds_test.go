package scenarios_test

import "github.com/flowproof/lab/harness/flow"

// A requestKind is one kind of request. In from, to and curl stand {pod}, {plain}, {naked} and
// {node} for addresses that each lab has anew.
type requestKind struct {
	name     string
	from     string // "": netshoot
	to       string
	curl     []string // options of curl's: each is one of the request itself
	says     string   // what the result line says of the answer, without its time; {…} as in to
	verdict  flow.Result
	attempts int    // how often the sidecar asked upstream; 0: it is not held
	tried    string // status of each attempt, or "failed": "503 503 200"; "": it is not held
	next     string // what the application calls on, and its answer; "": nothing
	takes    string // URL of another connection that has the request's source port already; "": there is none
	noise    bool   // other requests of the same pod to the same URL, meanwhile
	refused  string // what an error says that ends the run before anything is touched; "": there is none
}

// app is what the result line says of an answer of the application.
const app = "200 by {pod}:8080"

// requestKinds are held against what plain curl and the access log say of the same request, and
// against this table.
var requestKinds = []requestKind{
	// Where the request goes.
	{name: "by name", to: "http://fortio-server:8080/", says: app, verdict: flow.Verified},
	{name: "by full name", to: "http://fortio-server.mark.svc.cluster.local:8080/", says: app, verdict: flow.Verified},
	{name: "by ClusterIP", to: "http://10.96.215.136:8080/", says: app, verdict: flow.Verified},
	{name: "by the pod's address", to: "http://{pod}:8080/", says: app, verdict: flow.Verified},
	{name: "by a node's port", to: "http://{node}:32463/", says: app, verdict: flow.Verified},
	{name: "by a headless name", to: "http://headless:8080/", says: app, verdict: flow.Verified},
	{
		name: "by an address and a Host", to: "http://10.96.215.136:8080/",
		curl: []string{"-H", "host: fortio-server:8080"}, says: app, verdict: flow.Verified,
	},
	{name: "another namespace", to: "http://plain.requests:8080/", says: "200 by {plain}:8080", verdict: flow.Verified},
	{name: "another namespace without endpoints", to: "http://fortio-server.default:8080/",
		says: "503 by netshoot.mark: no healthy upstream host (UH)", verdict: flow.Verified},
	{name: "a ServiceEntry's address", to: "http://240.1.1.1:8080/", says: "200 by {plain}:8080",
		verdict: flow.Verified},
	{name: "a ServiceEntry's name", to: "http://external.example:8080/",
		curl: []string{"--resolve", "external.example:8080:240.1.1.1"},
		says: "200 by {plain}:8080", verdict: flow.Verified},
	{name: "outside of the mesh", to: "http://{plain}:8080/", says: "200 by {plain}:8080", verdict: flow.Verified},
	{name: "https outside of the mesh", to: "https://{naked}:8443/", curl: []string{"-k"}, says: "200",
		verdict: flow.Verified},

	{name: "a Service with several endpoints", to: "http://several:8080/", says: "200 by ", verdict: flow.Verified},
	{name: "the port of gRPC", to: "http://fortio-server:8079/grpc.health.v1.Health/Check",
		curl: []string{"--http2-prior-knowledge", "-d", "hello",
			"-H", "content-type: application/grpc", "-H", "te: trailers"}, says: "200 by {pod}:8079",
		verdict: flow.Verified},
	{name: "HTTP 1 to the port of gRPC", to: "http://fortio-server:8079/", says: "415 by {pod}:8079",
		verdict: flow.Verified},
	{name: "https to a port of clear text", to: "https://fortio-server:8080/", curl: []string{"-k"},
		says: "no answer: (35) ",
		// it passes through to the Service's own address, and which pod a node makes of that is not
		// inferred
		verdict: flow.Incomplete},
	{name: "a port of TCP", to: "http://tcp:8080/", says: app, verdict: flow.Verified},
	{name: "over a source port that is taken", to: "http://fortio-server-l2:8080/", takes: "10.96.215.136:8080",
		says: "200 by {l2}:8080", verdict: flow.Verified},
	{name: "beside 200 others a second", to: "http://fortio-server:8080/", noise: true, says: app,
		verdict: flow.Verified},

	// What is sent.
	{name: "POST with a body", to: "http://fortio-server:8080/echo", curl: []string{"-d", "hello"}, says: app,
		verdict: flow.Verified},
	{name: "PUT", to: "http://fortio-server:8080/", curl: []string{"-X", "PUT"}, says: app, verdict: flow.Verified},
	{name: "HEAD", to: "http://fortio-server:8080/", curl: []string{"-I"}, says: app, verdict: flow.Verified},
	{name: "a header twice", to: "http://fortio-server:8080/", curl: []string{"-H", "x-a: 1", "-H", "x-a: 2"},
		says: app, verdict: flow.Verified},
	{name: "a cookie", to: "http://fortio-server:8080/", curl: []string{"-b", "a=b"}, says: app,
		verdict: flow.Verified},
	{name: "an option of curl's", to: "http://fortio-server:8080/", curl: []string{"--compressed"}, says: app,
		verdict: flow.Verified},
	{name: "a query with signs", to: "http://fortio-server:8080/echo?q=$HOME&x='1'#f", says: app,
		verdict: flow.Verified},
	{name: "connection: close", to: "http://fortio-server:8080/", curl: []string{"-H", "connection: close"}, says: app,
		verdict: flow.Verified},
	{name: "HTTP 2", to: "http://fortio-server:8080/", curl: []string{"--http2-prior-knowledge"}, says: app,
		verdict: flow.Verified},
	{
		name: "a body in chunks", to: "http://fortio-server:8080/echo",
		curl: []string{"-H", "transfer-encoding: chunked", "-d", "hello"}, says: app, verdict: flow.Verified,
	},
	{name: "a user, and data in the URL", to: "http://fortio-server:8080/echo",
		curl: []string{"-u", "a:b", "-G", "-d", "c=d", "-r", "0-99"}, says: app, verdict: flow.Verified},
	{name: "a large answer", to: "http://fortio-server:8080/?size=200000", says: app, verdict: flow.Verified},

	// Who sends.
	{name: "from a pod without sidecar, by name", from: "naked.requests", to: "http://fortio-server.mark:8080/",
		says: app, verdict: flow.Verified},
	{name: "from a pod without sidecar, by address", from: "naked.requests", to: "http://{pod}:8080/", says: app,
		verdict: flow.Verified},
	{name: "from the sidecar's container", from: "netshoot/istio-proxy", to: "http://fortio-server:8080/", says: app,
		verdict: flow.Verified},
	{name: "from a Service's pod", from: "svc/client", to: "http://fortio-server:8080/", says: app,
		verdict: flow.Verified},

	// What routes make of it.
	{name: "a rewrite", to: "http://rewrite:8080/", says: app, verdict: flow.Verified},
	{name: "headers of curl's own that route", to: "http://made:8080/", says: "200 by {l2}:8080",
		verdict: flow.Verified},
	{name: "data whose headers route", to: "http://made:8080/", curl: []string{"-d", "hello"},
		says: "403 by netshoot.mark: direct response", verdict: flow.Verified},
	{name: "a header that routes", to: "http://header:8080/", curl: []string{"-H", "x-team: red"},
		says: "200 by {l2}:8080", verdict: flow.Verified},
	{name: "without the header that routes", to: "http://header:8080/", says: app, verdict: flow.Verified},
	// The logs do not name the request by the id that it was sent with: its connections tell it.
	{name: "a route that sets the id", to: "http://own-id:8080/", says: app, verdict: flow.Verified},
	{name: "an id of the client's own", to: "http://fortio-server:8080/", curl: []string{"-H", "x-request-id: mine"},
		says: app, verdict: flow.Verified},
	// Which of the two clusters with weights takes it is open.
	{name: "a route that splits", to: "http://split:8080/", says: "200 by ", verdict: flow.Consistent},
	{name: "a mirror", to: "http://mirror:8080/", says: app, verdict: flow.Verified},
	{name: "a delay", to: "http://delay:8080/", says: app, verdict: flow.Verified},
	{name: "the application calls on", to: "http://fortio-server:8070/", says: "200 by {pod}:8070",
		next: "GET fortio-server-l2:8080/ 200", verdict: flow.Verified},
	{name: "the application calls on, behind another Service", to: "http://chain:8080/", says: "200 by {pod}:8070",
		next: "GET fortio-server-l2:8080/ 200", verdict: flow.Verified},
	{name: "each attempt calls on", to: "http://chain:8080/?status=503", says: "503 by {pod}:8070", attempts: 3,
		tried: "503 503 503", verdict: flow.Verified,
		next: "GET fortio-server-l2:8080/ 503, GET fortio-server-l2:8080/ 503, GET fortio-server-l2:8080/ 503"},

	// What fails.
	{name: "the application's 404", to: "http://fortio-server:8080/?status=404", says: "404 by {pod}:8080",
		verdict: flow.Verified},
	{name: "the application's 503, retried by default", to: "http://fortio-server:8080/?status=503", says: "503 by ",
		verdict: flow.Verified},
	{name: "retries that a route asks for", to: "http://retry:8080/?status=503", says: "503 by ", attempts: 3,
		tried: "503 503 503", verdict: flow.Verified},
	// Which of the two endpoints is asked first is chance; the other one refuses.
	{name: "an endpoint that refuses beside one that answers", to: "http://half:8080/", says: app,
		verdict: flow.Verified},
	{
		name: "a timeout of the route", to: "http://timeout:8080/?delay=1s",
		says: "504 by netshoot.mark: upstream request timeout (UT)", verdict: flow.Verified,
	},
	{
		name: "a timeout of each try", to: "http://tries:8080/?delay=1s", attempts: 3, tried: "failed failed failed",
		says: "504 by netshoot.mark: the limit of retries or of connection attempts was reached (URX), " +
			"upstream request timeout (UT)", verdict: flow.Verified,
	},
	{name: "a timeout of the client", to: "http://fortio-server:8080/?delay=2s", curl: []string{"--max-time", "1"},
		says: "no answer: (28) ", verdict: flow.Verified},
	{name: "an abort", to: "http://abort:8080/", says: "418 by netshoot.mark: aborted by fault injection (FI)",
		verdict: flow.Verified},
	{name: "a redirect", to: "http://redirect:8080/", says: "302 by netshoot.mark", verdict: flow.Verified},
	{name: "a direct response", to: "http://direct:8080/", says: "403 by netshoot.mark: direct response",
		verdict: flow.Verified},
	{name: "no route", to: "http://nomatch:8080/", says: "404 by netshoot.mark: no route configured (NR)",
		verdict: flow.Verified},
	{
		name: "no cluster", to: "http://missing:8080/",
		says: "503 by netshoot.mark: the upstream cluster was not found (NC)", verdict: flow.Verified,
	},
	{name: "no endpoint", to: "http://empty:8080/", says: "503 by netshoot.mark: no healthy upstream host (UH)",
		verdict: flow.Verified},
	{name: "TLS is demanded", to: "http://tls-only:8080/", says: "301 by netshoot.mark", verdict: flow.Verified},
	{
		name: "RBAC denies", to: "http://fortio-server-l2:8080/denied",
		says: "403 by fortio-server-l2.mark: rbac access denied matched policy", verdict: flow.Verified,
	},
	{
		name: "the application refuses", to: "http://refused:8080/", tried: "failed failed failed",
		says: "503 by fortio-server.mark: {pod}:9090 refused the connection, three times: ", verdict: flow.Verified,
	},
	{
		name: "an application without sidecar refuses", to: "http://plain-refused.requests:8080/",
		says:  "503 by netshoot.mark: {plain}:9090 refused the connection, three times: ",
		tried: "failed failed failed", verdict: flow.Verified,
	},
	{name: "the application resets", to: "http://naked.requests:9999/", says: "503 by netshoot.mark: ",
		verdict: flow.Verified},

	// What cannot be traced.
	{
		name: "no such port", to: "http://fortio-server:9999/",
		refused: "there is no such port (it has 8080 http, 8070 http-m, 8079 grpc)",
	},
	{name: "the pod's own loopback", to: "http://localhost:15021/healthz/ready", refused: "the pod's own loopback"},
	{name: "through a proxy", to: "http://fortio-server:8080/", curl: []string{"-x", "http://fortio-server-l2:8080"},
		refused: "the request would go another way than its URL says"},
	{name: "no such name", to: "http://nosuch:8080/", refused: "its resolver knows no such name"},
	{name: "no such pod", from: "nosuch", to: "http://fortio-server:8080/", refused: "there is no such pod"},
	{name: "no curl in the pod", from: "fortio-server", to: "http://fortio-server-l2:8080/",
		refused: "there is no such program"},
}
