package observe

import (
	"bytes"
	"slices"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/accesslog"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// evidence is the recording as instruments read it.
func (r Recording) evidence() instrument.Evidence {
	e := instrument.Evidence{RequestID: r.RequestID, Authority: r.Authority, Path: r.Path, Port: r.Port, Sent: r.Sent,
		Answered: r.Answered, Cold: r.Cold, Warm: r.Warm, AccessLog: r.AccessLog, Curl: r.Curl, Peer: r.peer()}
	if r.Trace != nil {
		e.Trace = r.Trace
	}
	e.Client = r.Client.evidence(flow.Client, e.Peer)
	if r.Client.Part(instrument.LogText) != nil && !r.Translated {
		e.From = r.Client.IP
	}
	peer := e.Peer
	if log := r.Client.Part(instrument.LogText); log != nil || r.Translated {
		peer = "" // the client's sidecar is between, or a node
		if sent := accesslog.SentOn(log, r.RequestID, e.Peer); sent.Opaque && accesslog.Reads(r.AccessLog) {
			peer = sent.Local // no log of the server's has the id that is hidden in the bytes
		}
	}
	servers := append([]Pod{r.Server}, r.Others...)
	for _, pod := range servers {
		if pod.Name != "" {
			e.Servers = append(e.Servers, pod.evidence(flow.Server, peer))
		}
	}
	e.Servers = reached(e)
	return e
}

// evidence is one pod as instruments read it.
func (p *Pod) evidence(side flow.Side, peer string) instrument.Pod {
	pod := instrument.Pod{Name: p.Name, IP: p.IP, Side: side, Workers: p.Workers, Quiet: p.Quiet,
		LogProblem:       p.LogProblem,
		AccessLogProblem: p.AccessLogProblem, Problems: p.Problems, Peer: peer, Parts: map[string][]byte{}}
	for name, text := range p.Parts {
		if text != nil {
			pod.Parts[name] = text
		}
	}
	return pod
}

// peer is the client's own end of its connection; "" where it was not told.
func (r Recording) peer() string {
	if r.Curl == nil {
		return ""
	}
	if told, err := curl.Parse(r.Curl); err == nil && told.Local.IsValid() {
		return told.Local.String()
	}
	return ""
}

// reached are the servers that the request came to, as far as the evidence tells: those whose log
// has its id; else the one that the client's access log names, or none where that says that the
// request was not sent on; else all, because nothing tells. Of a pod where the request did not come
// no instrument has to say anything.
func reached(e instrument.Evidence) []instrument.Pod {
	marked := slices.DeleteFunc(slices.Clone(e.Servers), func(p instrument.Pod) bool {
		return !mentions(p.Part(instrument.LogText), e.RequestID)
	})
	if len(marked) > 0 {
		return marked
	}
	sent := accesslog.SentOn(e.Client.Part(instrument.LogText), e.RequestID, e.Peer)
	if !sent.Known || !accesslog.Reads(e.AccessLog) {
		return e.Servers
	}
	return slices.DeleteFunc(slices.Clone(e.Servers), func(p instrument.Pod) bool {
		log := p.Part(instrument.LogText)
		came := sent.Opaque && sent.Local != "" && hasEnd(log, sent.Local)
		return p.IP != sent.IP && !came && (sent.RequestID == "" || !mentions(log, sent.RequestID))
	})
}

// hasEnd says whether a log has an ip:port, and not only as a part of a longer one.
func hasEnd(log []byte, end string) bool {
	for {
		before, after, found := bytes.Cut(log, []byte(end))
		if !found {
			return false
		}
		if len(bytes.TrimRight(before, "0123456789.")) == len(before) &&
			len(bytes.TrimLeft(after, "0123456789")) == len(after) {
			return true
		}
		log = after
	}
}

// mentions says whether a log has a request's id. Envoy may write another character over the one at
// index 14 of a UUID.
func mentions(log []byte, id string) bool {
	const version = 14
	if len(id) > version {
		id = id[:version]
	}
	return id != "" && bytes.Contains(log, []byte(id))
}
