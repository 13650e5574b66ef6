package capture

import (
	"encoding/binary"
	"fmt"
	"strings"
	"time"

	"github.com/flowproof/lab/bpf/kernel"
	"github.com/flowproof/lab/bpf/probe"
	"github.com/flowproof/lab/harness/observe/trace"
)

// kernelKinds maps the numbers of bpf/kernel.
var kernelKinds = map[uint16]trace.Kind{
	kernel.Accept: trace.Accept, kernel.OriginalDst: trace.OriginalDst, kernel.Bind: trace.Bind,
	kernel.Listen: trace.Listen, kernel.Connect: trace.Connect,
	kernel.Dup: trace.Dup, kernel.SetOption: trace.SetOption, kernel.Read: trace.Read, kernel.Peek: trace.Peek,
	kernel.Write: trace.Write, kernel.Close: trace.Close,
	kernel.Shutdown: trace.Shutdown, kernel.Wake: trace.Wake, kernel.Interest: trace.Interest,
	kernel.State: trace.State, kernel.SendReset: trace.SendReset,
	kernel.ReceiveReset: trace.ReceiveReset, kernel.Retransmit: trace.Retransmit, kernel.Open: trace.Open,
	kernel.Exec: trace.Exec,
}

// head reads what events of all probes have in common. boot is the time at which
// CLOCK_MONOTONIC was 0.
func head(r *probe.Record, boot time.Time) trace.Event {
	return trace.Event{
		Time: boot.Add(time.Duration(r.Time)), Process: r.Process(), Thread: r.Thread(), PID: r.TGID, TID: r.TID,
		FD: r.FD, Socket: r.Socket, Result: r.Result, Local: r.Local(), Remote: r.Remote(),
	}
}

// kernelEvent reads an event of bpf/kernel. What it copied of the traffic is understood here
// and goes no further.
func kernelEvent(r *probe.Record, boot time.Time) (trace.Event, error) {
	e := head(r, boot)
	e.Kind = kernelKinds[r.Kind]
	switch e.Kind {
	case "":
		return e, fmt.Errorf("decode event: kind %d is unknown", r.Kind)
	case trace.OriginalDst, trace.Connect:
		e.Address, _ = probe.Sockaddr(r.Data)
	case trace.Read, trace.Peek, trace.Write:
		understand(&e, r.Data)
	case trace.Wake:
		e.Ready = ready(r.Data)
	case trace.Interest:
		e.Change = interest(r.Value, r.Data)
	case trace.SetOption:
		e.Change = optionName(uint32(r.Value>>32), uint32(r.Value))
	case trace.State:
		e.Change = stateName(r.OldState) + "→" + stateName(r.State)
	case trace.Open:
		e.Change = stateName(r.State)
	}
	return e, nil
}

// understand reads the first bytes of what was read or written.
func understand(e *trace.Event, b []byte) {
	if len(b) == 0 {
		return
	}
	if hello, ok := trace.ParseHello(b); ok {
		e.Hello, e.TLS = &hello, "handshake"
		return
	}
	if e.TLS = trace.RecordName(b); e.TLS != "" {
		return
	}
	if message, ok := trace.ParseHTTP(b); ok {
		e.HTTP, e.Clear = &message, true
		return
	}
	e.Clear = e.Kind == trace.Peek && len(b) >= 3 // what is peeked at is the beginning, and it is no TLS record
}

// epollEventSize is the size of struct epoll_event, which is packed on x86-64.
const epollEventSize = 12

func ready(b []byte) []trace.Ready {
	var all []trace.Ready
	for ; len(b) >= epollEventSize; b = b[epollEventSize:] {
		all = append(all, trace.Ready{FD: int32(binary.NativeEndian.Uint32(b[4:])),
			Events: epollEvents(binary.NativeEndian.Uint32(b))})
	}
	return all
}

func interest(operation uint64, b []byte) string {
	name := map[uint64]string{1: "ADD", 2: "DEL", 3: "MOD"}[operation]
	if operation == 2 || len(b) < epollEventSize {
		return name
	}
	return name + " " + epollEvents(binary.NativeEndian.Uint32(b))
}

// Source: include/uapi/linux/eventpoll.h.
func epollEvents(mask uint32) string {
	var names []string
	for _, bit := range []struct {
		mask uint32
		name string
	}{{1, "IN"}, {2, "PRI"}, {4, "OUT"}, {8, "ERR"}, {0x10, "HUP"}, {0x2000, "RDHUP"}, {1 << 31, "ET"}} {
		if mask&bit.mask != 0 {
			names = append(names, bit.name)
		}
	}
	return strings.Join(names, "|")
}

// stateNames are in the order of include/net/tcp_states.h.
var stateNames = []string{"", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2",
	"TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK", "LISTEN", "CLOSING", "NEW_SYN_RECV", "BOUND_INACTIVE"}

func stateName(state uint8) string {
	if int(state) < len(stateNames) {
		return stateNames[state]
	}
	return fmt.Sprintf("state %d", state)
}

// Source: include/uapi/asm-generic/socket.h, include/uapi/linux/tcp.h and in.h.
func optionName(level, option uint32) string {
	names := map[[2]uint32]string{
		{1, 2}: "SO_REUSEADDR", {1, 9}: "SO_KEEPALIVE", {1, 15}: "SO_REUSEPORT", {6, 1}: "TCP_NODELAY",
		{6, 4}: "TCP_KEEPIDLE",
		{6, 5}: "TCP_KEEPINTVL", {6, 6}: "TCP_KEEPCNT", {6, 18}: "TCP_USER_TIMEOUT", {0, 24}: "IP_BIND_ADDRESS_NO_PORT",
		{41, 26}: "IPV6_V6ONLY",
	}
	if name := names[[2]uint32{level, option}]; name != "" {
		return name
	}
	return fmt.Sprintf("level %d option %d", level, option)
}
