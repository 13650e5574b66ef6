package trace

import (
	"fmt"
	"slices"
	"strings"
)

// String says what happened in one line: thread, descriptor, and the event in words.
func (e *Event) String() string { return e.line(e.FD, e.what()) }

// Tell is String with descriptors in the place of Envoy's objects: at is that of the connection
// that the event is about, to that of the connection which its request is given; -1: it is not
// known. See Recording.Descriptors.
func (e *Event) Tell(at, to int32) string {
	if at < 0 || e.FD >= 0 {
		return e.String()
	}
	what := e.what()
	switch e.Kind {
	case Dispatch:
		what = "turns to the connection"
	case NewRequest:
		what = "upstream request begins"
	case PoolReady:
		what = "upstream request is given a connection" + e.Ends.text()
		if to >= 0 {
			what = fmt.Sprintf("upstream request is given fd %d", to)
		}
	}
	return e.line(at, what)
}

// housekeeping begins the log statements that say nothing of a request: timers, deferred deletion,
// points of overload.
var housekeeping = []string{"LoadShedPoint ", "enableTimer called on ", "item added to deferred deletion list",
	"clearing deferred deletion list"}

// Housekeeping says of an event that Envoy does it for itself, and for no request.
func (e *Event) Housekeeping() bool {
	return e.Kind == Statement && slices.ContainsFunc(housekeeping, func(prefix string) bool {
		return strings.HasPrefix(e.Text, prefix)
	})
}

func (e *Event) line(number int32, what string) string {
	who := e.Thread
	if who == "" {
		who = "kernel"
	} else if e.Process != "" && e.Process != e.Thread {
		who = e.Process + " " + who
	}
	fd := ""
	if number >= 0 {
		fd = fmt.Sprintf(" fd %d", number)
	}
	return fmt.Sprintf("%s%s: %s", who, fd, what)
}

// what says the event in words.
func (e *Event) what() string {
	switch e.Kind {
	case Accept:
		return fmt.Sprintf("accept %s → %s", e.Remote, e.Local)
	case OriginalDst:
		return fmt.Sprintf("getsockopt(SO_ORIGINAL_DST) = %s", endText(e.Address))
	case Bind:
		return fmt.Sprintf("bind %s", e.Local)
	case Listen:
		return fmt.Sprintf("listen on %s", e.Local)
	case Connect:
		return fmt.Sprintf("connect %s → %s%s", e.Local, endText(e.Address), e.failure())
	case Dup:
		return fmt.Sprintf("dup of %s is fd %d", e.Local, e.Result)
	case SetOption:
		return "setsockopt " + e.Change
	case Read, Peek, Write:
		return e.transfer()
	case Close, Shutdown:
		return string(e.Kind)
	case Wake:
		return "epoll_wait returns" + e.readyText()
	case Interest:
		return "epoll_ctl " + e.Change
	case State:
		return fmt.Sprintf("%s %s ↔ %s", e.Change, e.Local, e.Remote)
	case SendReset:
		return fmt.Sprintf("RST sent %s → %s", e.Local, e.Remote)
	case ReceiveReset:
		return fmt.Sprintf("RST received %s → %s", e.Remote, e.Local)
	case Retransmit:
		return fmt.Sprintf("retransmission %s → %s", e.Local, e.Remote)
	case Open:
		return fmt.Sprintf("open already: %s %s ↔ %s", e.Change, e.Local, e.Remote)
	case Redirected:
		return fmt.Sprintf("conntrack: %s → %s was dialled as %s", e.Remote, e.Local, endText(e.Address))
	case Exec:
		return "program starts"
	case Statement:
		return fmt.Sprintf("%s %q", e.Where, e.Text)
	case Value:
		return fmt.Sprintf("%s = %q", e.Name, e.Text)
	case Dispatch:
		return fmt.Sprintf("turns to connection %#x", e.Object)
	case NewRequest:
		return fmt.Sprintf("upstream request %#x begins", e.Object)
	case PoolReady:
		return fmt.Sprintf("upstream request %#x is given a connection%s", e.Object, e.Ends.text())
	}
	return string(e.Kind)
}

// text says which connection it is, where that could be read.
func (e *Ends) text() string {
	if e == nil || !e.Local.IsValid() || !e.Remote.IsValid() {
		return ""
	}
	return fmt.Sprintf(" %s → %s", e.Local, e.Remote)
}

// EINPROGRESS is no failure: the connection is being made.
const inProgress = -115

func (e *Event) failure() string {
	if e.Result < 0 && e.Result != inProgress {
		return fmt.Sprintf(" fails with error %d", -e.Result)
	}
	return ""
}

// transfer says what a read, a look or a write brought.
func (e *Event) transfer() string {
	verb := map[Kind]string{Read: "read", Peek: "recv(MSG_PEEK)", Write: "write"}[e.Kind]
	switch {
	case e.Result < 0:
		return fmt.Sprintf("%s: nothing there (error %d)", verb, -e.Result)
	case e.Result == 0:
		return verb + ": end of stream"
	}
	text := fmt.Sprintf("%s %d bytes", verb, e.Result)
	switch {
	case e.Hello != nil:
		return text + ", " + e.Hello.String()
	case e.TLS != "":
		return text + ", TLS " + e.TLS
	case e.HTTP != nil && e.HTTP.RequestID != "":
		return fmt.Sprintf("%s, %q x-request-id %s", text, e.HTTP.Line, e.HTTP.RequestID)
	case e.HTTP != nil:
		return fmt.Sprintf("%s, %q", text, e.HTTP.Line)
	case e.Clear:
		return text + " of clear text"
	}
	return text
}

// String says a hello in one line.
func (h *Hello) String() string {
	if h.Server {
		return fmt.Sprintf("ServerHello %s cipher %#04x%s", strings.Join(h.Versions, ","), h.Cipher,
			resumed(h, " resumed"))
	}
	return fmt.Sprintf("ClientHello SNI %q ALPN %q %s%s", h.ServerName, strings.Join(h.ALPN, ","),
		strings.Join(h.Versions, ","), resumed(h, " offers resumption"))
}

func resumed(h *Hello, text string) string {
	if h.Resumption {
		return text
	}
	return ""
}

// readyText names the descriptors that are ready. What stands in epoll_data is the program's own;
// of Envoy it is the descriptor (libevent), of Go's runtime a pointer.
func (e *Event) readyText() string {
	if e.Process != ProxyProcess {
		return fmt.Sprintf(" with %d ready", e.Result)
	}
	var all []string
	for _, r := range e.Ready {
		all = append(all, fmt.Sprintf(" fd %d %s", r.FD, r.Events))
	}
	return strings.Join(all, ",")
}
