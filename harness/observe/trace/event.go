package trace

import (
	"net/netip"
	"time"
)

// A Kind says what happened.
type Kind string

// What the kernel's probes tell. Each is the system call or the tracepoint of that name.
const (
	Accept       Kind = "accept"
	OriginalDst  Kind = "original-dst" // getsockopt(SO_ORIGINAL_DST)
	Bind         Kind = "bind"
	Listen       Kind = "listen"
	Connect      Kind = "connect"
	Dup          Kind = "dup"
	SetOption    Kind = "setsockopt"
	Read         Kind = "read"
	Peek         Kind = "peek" // recv(MSG_PEEK)
	Write        Kind = "write"
	Close        Kind = "close"
	Shutdown     Kind = "shutdown"
	Wake         Kind = "wake"     // epoll_wait returned
	Interest     Kind = "interest" // epoll_ctl
	State        Kind = "state"
	SendReset    Kind = "send-reset"
	ReceiveReset Kind = "receive-reset"
	Retransmit   Kind = "retransmit"
	Open         Kind = "open" // a socket that was open when the watch began
	Exec         Kind = "exec"
	Redirected   Kind = "redirected" // where a connection that was open when the watch began was dialled, by conntrack
)

// What the probes on Envoy tell.
const (
	Statement  Kind = "statement"   // a log statement was reached, at any log level
	Value      Kind = "value"       // a value was read: Name and Text
	Dispatch   Kind = "dispatch"    // a thread turns to the connection Object
	NewRequest Kind = "new-request" // the upstream request Object begins
	PoolReady  Kind = "pool-ready"  // the upstream request Object is given its connection: Ends
)

// An Event is one thing that a probe saw. It holds no bytes of the traffic, only what was
// understood of them, redacted.
type Event struct {
	Time    time.Time      `json:"time"`
	Kind    Kind           `json:"kind"`
	Pod     string         `json:"pod,omitempty"`     // "pod.namespace"
	Process string         `json:"process,omitempty"` // name; "" where no process did it
	Thread  string         `json:"thread,omitempty"`
	PID     uint32         `json:"pid,omitempty"` // in the initial PID namespace
	TID     uint32         `json:"tid,omitempty"`
	FD      int32          `json:"fd"` // -1: none
	Socket  uint64         `json:"socket,omitempty"`
	Local   netip.AddrPort `json:"local,omitzero"`
	Remote  netip.AddrPort `json:"remote,omitzero"`
	Result  int32          `json:"result,omitempty"` // what the system call returned
	Address netip.AddrPort `json:"address,omitzero"` // original destination, or what connect was given
	Hello   *Hello         `json:"hello,omitempty"`
	HTTP    *HTTP          `json:"http,omitempty"`
	TLS     string         `json:"tls,omitempty"` // kind of the TLS record
	Clear   bool           `json:"clear,omitempty"`
	Ready   []Ready        `json:"ready,omitempty"`
	Change  string         `json:"change,omitempty"` // SYN_SENT→ESTABLISHED, EPOLL_CTL_ADD, TCP_NODELAY
	Name    string         `json:"name,omitempty"`   // of a value: filter.chain, cluster, sni
	Text    string         `json:"text,omitempty"`   // the value; of a statement its format
	Where   string         `json:"where,omitempty"`  // of a statement: file:line function
	Source  string         `json:"source,omitempty"` // of a statement of a filter: its whole file name
	Object  uint64         `json:"object,omitempty"` // Envoy's object that the event is about
	Ends    *Ends          `json:"ends,omitempty"`   // of the two connections that a request is on
}

// Ends are the addresses by which Envoy itself knows the two connections of a request. Where one is
// no address of the network, or could not be read, none is valid. With them stand the request's
// cluster and the id of its downstream connection.
type Ends struct {
	Downstream netip.AddrPort `json:"downstream,omitzero"` // the client's end of the downstream connection
	Local      netip.AddrPort `json:"local,omitzero"`      // Envoy's own end of the upstream connection
	Remote     netip.AddrPort `json:"remote,omitzero"`     // its other end
	Cluster    string         `json:"cluster,omitempty"`   // of the request; "": not read
	// Connection is the downstream connection's id, by which logs name it; 0: not read.
	Connection uint64 `json:"connection,omitempty"`
}

// Ready is one descriptor that epoll_wait named.
type Ready struct {
	FD     int32  `json:"fd"`
	Events string `json:"events"` // IN, OUT, RDHUP, …
}
