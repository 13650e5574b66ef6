package site

import "github.com/flowproof/lab/harness/observe/envoylog"

// proves says what a statement of the log proves about the request.
var proves = map[envoylog.Event]string{
	envoylog.OriginalDstAccepted: "The first listener filter runs: original_dst, which asks the kernel which " +
		"address was dialled.",
	envoylog.TLSInspectorAccepted: "The second listener filter runs: tls_inspector.",
	envoylog.TLSServerName: "The ClientHello was understood: the connection is TLS, and its server name is one that " +
		"only a client's sidecar writes, " +
		"so the caller is in the mesh.",
	envoylog.NewConnection: "A filter chain was chosen, and the socket is a connection now. The port is the one " +
		"that ss shows at the client.",
	envoylog.NewStream: "The codec of the HTTP connection manager begins a stream.",
	envoylog.RequestHeaders: "The whole request is there, after TLS and HTTP. What follows accept was added by the " +
		"client's sidecar.",
	envoylog.RequestEnd: "The request has no body.",
	envoylog.ConnectingState: "The state of a connection is asked for: false is the downstream one, true the new " +
		"upstream one.",
	envoylog.ClusterMatch: "The route was found, and it names this cluster.",
	envoylog.SocketMatch: "The cluster has no transport socket of its own for this host: to the application it goes " +
		"in clear text.",
	envoylog.CreatedHost: "The cluster is of type ORIGINAL_DST: a host is made of the address that was dialled.",
	envoylog.AddHost:     "The host is handed to the main thread, which tells the workers.",
	envoylog.MembershipUpdate: "One thread's copy of the cluster has the host now. There are three such lines: two " +
		"workers and the main thread, " +
		"in no certain order.",
	envoylog.LocalLB: "That thread makes its load balancer anew.",
	envoylog.RouterHeaders: "What the router sends on: the metadata and the decorator's header are taken off, " +
		":scheme and x-forwarded-client-cert are added. " +
		"The latter holds the client's identity, from its certificate.",
	envoylog.QueueingStream:     "The pool of that host is empty, so the stream waits.",
	envoylog.TryingConnection:   "The pool decides to dial.",
	envoylog.CreatingConnection: "The pool dials.",
	envoylog.ClientConnecting:   "The codec client of the new connection waits for it.",
	envoylog.ConnectingTo: "It is dialled to the pod's own address and the application's port, not to " +
		"127.0.0.1.",
	envoylog.ConnectInProgress:      "connect(2) has returned, and the handshake of TCP goes on.",
	envoylog.Connected:              "The application has accepted.",
	envoylog.ClientConnected:        "The codec client may be used.",
	envoylog.AttachingStream:        "The stream that waits is given the connection.",
	envoylog.CreatingStream:         "A stream begins upstream.",
	envoylog.PoolReady:              "The router hears of it: this line joins the stream with the upstream connection.",
	envoylog.ClientResponseComplete: "The application's whole response was read.",
	envoylog.UpstreamHeaders:        "The response has no body.",
	envoylog.ResponseHeaders: "What the client's sidecar is sent: status, date and length are the application's, the " +
		"time is the router's, " +
		"the metadata Istio's, and server the connection manager's.",
	envoylog.StatsReport: "One of four of Istio's metrics is counted: requests, duration, request bytes, response " +
		"bytes. The numbers differ from proxy to " +
		"proxy; that there are four does not. A hit needs an earlier request with the same labels.",
	envoylog.PoolResponseComplete: "The pool hears that the response is over.",
	envoylog.DestroyingStream:     "The stream is gone, and the connection stays in the pool for the next one.",
}
