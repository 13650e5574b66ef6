package run

import (
	"crypto/rand"
	"fmt"
	"net/url"
	"strings"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
)

// NewCall makes the call of a pod, POD or POD.NAMESPACE with /CONTAINER, to a URL: a GET with a new
// request id. The URL is kept as it is given, with any characters but a blank, which no URL can
// have and which becomes %20: the same value drives inference and curl. own is the namespace of a
// pod that is named without one.
func NewCall(from, to, own string) (flow.Call, error) {
	target, err := url.Parse(to)
	if err != nil || target.Host == "" || (target.Scheme != "http" && target.Scheme != "https") {
		return flow.Call{}, fault.Usagef("read URL %q: it is not an http or https URL", to)
	}
	pod, container, _ := strings.Cut(from, "/")
	name, namespace := mesh.SplitRef(pod, own)
	return flow.Call{From: name, Namespace: namespace, Container: container, URL: strings.ReplaceAll(to, " ", "%20"),
		Method: "GET", RequestID: newRequestID()}, nil
}

// NewCall is NewCall where the sender may be a client outside of the mesh.
func (s *Session) NewCall(from, to string) (flow.Call, error) {
	call, err := NewCall(from, to, s.namespace())
	if err == nil && s.Outside(from) {
		call.From, call.Namespace, call.Outside = from, "", true
	}
	return call, err
}

// newRequestID is a UUID of version 4 (RFC 9562), as Envoy makes them.
func newRequestID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

// Caller is the pod that a call is sent from, as "pod.namespace"; the name alone of a client
// outside of the mesh.
func Caller(call flow.Call) string {
	if call.Outside {
		return call.From
	}
	return call.From + "." + call.Namespace
}

// captured says whether the pod's rules redirect what the caller sends: not what the
// sidecar's own user sends.
func captured(call flow.Call) bool { return call.Container != mesh.SidecarContainer }

// endOf is the host and port that a call dials.
func endOf(call flow.Call) (host string, port uint16, err error) {
	target, err := call.Parsed()
	if err != nil {
		return "", 0, fault.Usagef("read URL %q: %w", call.URL, err)
	}
	n := map[string]uint16{"http": 80, "https": 443}[target.Scheme]
	if text := target.Port(); text != "" {
		if _, err := fmt.Sscan(text, &n); err != nil {
			return "", 0, fault.Usagef("read URL %q: port %s is not one", call.URL, text)
		}
	}
	return target.Hostname(), n, nil
}
