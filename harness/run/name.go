package run

import (
	"context"
	"errors"
	"net/netip"
	"strings"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/internal/lazyregexp"
)

// ErrUnknownHost is in the chain of the error about a host that the sender's
// resolver does not know.
var ErrUnknownHost = errors.New("its resolver knows no such name")

// ErrLoopback is in the chain of the error about a host that is the sender's own pod.
var ErrLoopback = errors.New("it is the pod's own loopback, and no sidecar stands before it")

// own says whether a host is the loopback of the pod that dials it. 0.0.0.0 is too, and an address
// of less than four parts: the last one fills the rest. Source: ip(7), inet_aton(3).
func own(host string) bool {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if address, err := netip.ParseAddr(host); err == nil {
		address = address.Unmap()
		return address.IsLoopback() || address.IsUnspecified()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || shortLoopback.MatchString(host)
}

// shortLoopback is an address of 127.0.0.0/8 with less than four parts.
var shortLoopback = lazyregexp.New(`\A127(\.[0-9]+){1,2}\z`)

// checkTarget refuses a call that no pod could take, before anything is touched: to a port that the
// Service does not have, or to a host that the sender's own resolver does not know. Where that
// cannot be asked, nothing is refused.
func (s *Session) checkTarget(ctx context.Context, plan Plan, behind mesh.Behind) error {
	host, port, err := endOf(plan.Call)
	if err != nil || plan.Call.Outside {
		return err
	}
	if own(host) || own(resolvedBy(plan.Curl, host)) {
		return fault.Usagef("call %s from %s: %w (name its Service, or the pod's own address; what answers there "+
			"itself can be asked by `lab kubectl exec`)", host, Caller(plan.Call), ErrLoopback)
	}
	if err := s.Lab.Mesh.CheckPort(ctx, host, port, plan.Call.Namespace); err != nil {
		return err
	}
	if _, err := netip.ParseAddr(host); err == nil || len(behind.Pods) > 0 || behind.Service != "" ||
		resolvedBy(plan.Curl, host) != "" {
		return nil
	}
	if _, known := s.lookUp(ctx, plan.Call); !known {
		return fault.Usagef("call %s from %s: %w (name a Service of its namespace, or NAME.NAMESPACE, or give an "+
			"address with -- --resolve %s:%d:ADDRESS)",
			host, Caller(plan.Call), ErrUnknownHost, host, port)
	}
	return nil
}

// resolvedBy is the address that curl's --resolve gives to a host; "": it gives none.
func resolvedBy(args []string, host string) string {
	options, err := curl.Options(args)
	if err != nil {
		return ""
	}
	for _, o := range options {
		if o.Name != "resolve" {
			continue
		}
		parts := strings.SplitN(strings.TrimPrefix(o.Value, "+"), ":", 3)
		if len(parts) == 3 && (strings.EqualFold(parts[0], host) || parts[0] == "*") {
			address, _, _ := strings.Cut(parts[2], ",")
			return strings.Trim(address, "[]")
		}
	}
	return ""
}

// lookUp asks the resolver of the sender's container for the first address of a call's host. known
// is false where the resolver says that there is none; where it cannot be asked, the address is ""
// and known true.
func (s *Session) lookUp(ctx context.Context, call flow.Call) (address string, known bool) {
	host, _, err := endOf(call)
	if err != nil || call.Outside {
		return "", true
	}
	pod, err := s.Lab.Mesh.Pod(ctx, Caller(call))
	if err != nil {
		return "", true
	}
	container := call.Container
	if container == "" {
		container = pod.App()
	}
	out, err := pod.Exec(ctx, container, []string{"getent", "ahostsv4", host}, nil)
	if err != nil {
		return "", true
	}
	const noSuchKey = 2 // getent(1): one or more supplied keys could not be found
	for _, field := range strings.Fields(string(out.Stdout)) {
		if _, err := netip.ParseAddr(field); err == nil {
			return field, true
		}
	}
	return "", out.Code != noSuchKey
}
