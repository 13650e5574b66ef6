package envoylog

import "strings"

// ending finds the line that ends a stream, from lines as they come. The pool prints it when it
// destroys the upstream stream; a stream that never had one ends when its response is encoded to
// the end, or when it is reset.
type ending struct {
	stream   string
	upstream string            // id of the connection that the pool gave it
	creating map[string]string // by thread: the connection that last created a stream
	ready    bool              // the pool gave it a connection
	answered bool              // a response was encoded, or the upstream was lost
	// the pool destroyed the upstream stream before: an HTTP/2 pool does when the answer is one
	// frame
	gone bool
	done bool
}

// add takes the next line and reports whether it is the last of the stream.
func (e *ending) add(s step) bool {
	switch {
	case e.done, s.Truncated: // a line that is not all there ends nothing
		return false
	case s.event == CreatingStream:
		if e.creating == nil {
			e.creating = map[string]string{}
		}
		e.creating[s.Thread] = s.Connection
	case s.event == DestroyingStream:
		ours := e.ready && s.Connection == e.upstream
		e.done, e.gone = ours && e.answered, e.gone || ours
	case s.Stream != e.stream:
	case s.event == PoolReady:
		e.ready, e.upstream, e.answered, e.gone = true, e.creating[s.Thread], false, false
	case s.event == UpstreamHeaders, s.event == UpstreamReset:
		e.answered = true
	case s.event == ResponseHeaders:
		e.answered = true
		e.done = !e.ready && strings.HasPrefix(s.rest, "true")
	case s.event == CodecCompleted:
		e.done = !e.ready || e.upstream == "" || e.gone
	case s.event == StreamReset:
		e.done = true
	}
	return e.done
}
