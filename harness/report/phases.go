package report

import (
	"fmt"
	"io"
	"net/netip"
	"path"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"

	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/screen"
)

// A Phase is one stretch of a request's way, from the event that begins it to the one that begins
// the next.
type Phase struct {
	From int64  `json:"fromMicroseconds"` // since the first phase began
	Took int64  `json:"tookMicroseconds"`
	Pod  string `json:"pod"` // "pod.namespace"
	Name string `json:"name"`
	Text string `json:"text"` // what happened, with the values that were seen
}

// PhasesOf tells the events of a request as phases: of the hundreds that the probes see, those that
// say how far the request has come, with what was read with them. about says which events are the
// request's.
func PhasesOf(r *trace.Recording, about func(*trace.Event) bool) []Phase {
	var phases []Phase
	var start, last time.Time
	for i := range r.Events {
		e := &r.Events[i]
		if !about(e) {
			continue
		}
		name, text := milestone(e)
		if n := len(phases); n > 0 && name != "" {
			last = e.Time
			if phases[n-1].Name == name && phases[n-1].Pod == e.Pod {
				if !strings.HasSuffix(phases[n-1].Text, text) {
					phases[n-1].Text += ", " + text
				}
				continue
			}
		}
		if name == "" {
			continue
		}
		if len(phases) == 0 {
			start, last = e.Time, e.Time
		}
		phases = append(phases, Phase{From: e.Time.Sub(start).Microseconds(), Pod: e.Pod, Name: name, Text: text})
	}
	for i := range phases {
		end := last.Sub(start).Microseconds()
		if i+1 < len(phases) {
			end = phases[i+1].From
		}
		phases[i].Took = end - phases[i].From
	}
	return phases
}

// milestone says of an event which phase it begins or belongs to, and what happens in it; "" of one
// that says nothing of how far the request has come.
func milestone(e *trace.Event) (name, text string) {
	switch e.Kind {
	case trace.SendReset:
		return "reset", fmt.Sprintf("RST %s → %s is sent", e.Local, e.Remote)
	case trace.ReceiveReset:
		return "reset", fmt.Sprintf("RST %s → %s is received", e.Remote, e.Local)
	case trace.Retransmit:
		return "retransmission", fmt.Sprintf("%s → %s again", e.Local, e.Remote)
	}
	if e.Process == "" {
		return "", ""
	}
	if e.Process != trace.ProxyProcess {
		return ofApplication(e)
	}
	return ofProxy(e)
}

// ofApplication is milestone of a process that is no proxy: the client or the application.
func ofApplication(e *trace.Event) (name, text string) {
	switch {
	case e.Kind == trace.Connect:
		return "dial", e.Process + " dials " + dialled(e)
	case e.HTTP == nil || e.HTTP.Line == "":
		return "", ""
	case e.Kind == trace.Write && isAnswer(e):
		return "answer", e.Process + " answers " + e.HTTP.Line
	case e.Kind == trace.Write:
		return "request", e.Process + " sends " + e.HTTP.Line
	case e.Kind == trace.Read && isAnswer(e):
		return "answered", e.Process + " has " + e.HTTP.Line
	case e.Kind == trace.Read:
		return "application", e.Process + " reads " + e.HTTP.Line
	}
	return "", ""
}

// ofProxy is milestone of a sidecar.
func ofProxy(e *trace.Event) (name, text string) {
	switch e.Kind {
	case trace.Accept:
		return "redirect", fmt.Sprintf("accepted on port %d from %s by %s", e.Local.Port(), e.Remote, e.Thread)
	case trace.OriginalDst:
		return "redirect", "was dialled as " + addressText(e.Address)
	case trace.Connect:
		return "connect", "dials " + dialled(e)
	case trace.NewRequest:
		return "route", "asks the pool for a connection"
	case trace.PoolReady:
		return "upstream", "the request is given its connection" + pooled(e.Ends)
	case trace.Value:
		return ofValue(e)
	case trace.Peek, trace.Read, trace.Write:
		return ofTransfer(e)
	}
	return "", ""
}

func ofValue(e *trace.Event) (name, text string) {
	switch e.Name {
	case "sni":
		return "listener filters", "server name " + e.Text
	case "filter.chain":
		if e.Text == "" {
			return "filter chain", "one without a name"
		}
		return "filter chain", e.Text
	case "cluster":
		return "route", "cluster " + e.Text
	}
	return "", ""
}

func ofTransfer(e *trace.Event) (name, text string) {
	switch {
	case e.Hello != nil && e.Kind == trace.Write:
		return "TLS", e.Hello.String()
	case e.HTTP == nil || e.HTTP.Line == "":
		return "", ""
	case e.Kind == trace.Peek:
		return "listener filters", "sees " + e.HTTP.Line
	case isAnswer(e) && e.Kind == trace.Read:
		return "answer", "has " + e.HTTP.Line
	case isAnswer(e):
		return "answer", "sends " + e.HTTP.Line
	case e.Kind == trace.Read:
		return "HTTP", "reads " + e.HTTP.Line
	}
	return "upstream", "sends " + e.HTTP.Line
}

func isAnswer(e *trace.Event) bool { return strings.HasPrefix(e.HTTP.Line, "HTTP/") }

func dialled(e *trace.Event) string {
	if e.Result < 0 && e.Result != inProgress {
		return fmt.Sprintf("%s, which fails with error %d", addressText(e.Address), -e.Result)
	}
	return addressText(e.Address)
}

// inProgress is EINPROGRESS as a system call returns it, which is no failure.
const inProgress = -115

func addressText(a netip.AddrPort) string {
	if !a.IsValid() {
		return "an address that was not seen"
	}
	return a.String()
}

func pooled(e *trace.Ends) string {
	if e == nil || !e.Local.IsValid() || !e.Remote.IsValid() {
		return ""
	}
	return fmt.Sprintf(" %s → %s", e.Local, e.Remote)
}

// barColumns is how long the bar of the longest phase is.
const barColumns = 8

// Phases writes phases as a table: when each began, where, how long it took, as a number and as a
// bar, and what happened. A line that is wider than the screen is folded; columns 0: none is.
func Phases(w io.Writer, phases []Phase, events, columns int) error {
	t := &textWriter{w: w, columns: columns}
	if columns == 0 {
		t.columns = width
	}
	if len(phases) == 0 {
		t.wrap(0, 0, "no event says how far the request came (eBPF did not watch, or saw nothing of it)")
		return t.err
	}
	pod, most := 0, int64(1)
	for _, p := range phases {
		pod, most = max(pod, runewidth.StringWidth(short(p.Pod))), max(most, p.Took)
	}
	t.line(fmt.Sprintf("%8s  %s%8s", "ms", pad("", pod+2), "took"))
	for _, p := range phases {
		bar := strings.Repeat("█", int((p.Took*barColumns+most/2)/most))
		lead := fmt.Sprintf("%8.2f  %s  %8.2f  %s  ", float64(p.From)/1000, pad(short(p.Pod), pod),
			float64(p.Took)/1000, pad(bar, barColumns))
		at := runewidth.StringWidth(lead)
		for i, line := range screen.Fold(p.Name+": "+p.Text, max(t.width()-at, narrowest/3), screen.NameBreaks) {
			if i > 0 {
				lead = strings.Repeat(" ", at)
			}
			t.line(lead + line)
		}
	}
	t.wrap(0, 2, fmt.Sprintf("%d phases of %d events (--events=all has each)", len(phases), events))
	return t.err
}

// short is a pod without its namespace.
func short(pod string) string {
	name, _, _ := strings.Cut(pod, ".")
	return path.Clean(name)
}
