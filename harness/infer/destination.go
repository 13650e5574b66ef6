package infer

import (
	"cmp"
	"slices"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// Destination returns the endpoints that the client's sidecar may send a call to, on each way that
// is possible; none when it fails there.
func Destination(client *configdump.Dump, call flow.Call, opts WayOptions) ([]flow.Host, error) {
	target, err := parseTarget(call)
	if err != nil {
		return nil, err
	}
	a := arrival{opts: opts, call: call, target: target}
	decision, _, others, _, err := a.clientDecision(New(client), nil, &flow.Path{})
	hosts := slices.Clone(decision.Endpoints)
	for _, other := range others {
		for _, host := range other.Out.Endpoints {
			if !slices.ContainsFunc(hosts, func(h flow.Host) bool { return h.Address == host.Address }) {
				hosts = append(hosts, host)
			}
		}
	}
	return hosts, err
}

// Address fills a request for a URL: its destination, resolved as Way does where the request does
// not have it, and what the URL says of the request.
func (e *Engine) Address(req *flow.Request, url, resolved string) error {
	target, err := parseTarget(flow.Call{URL: url, Headers: req.Headers})
	if err != nil {
		return err
	}
	if req.Address == "" {
		addr, _, err := e.resolve(target, resolved)
		if err != nil {
			return err
		}
		req.Address = addr.String()
	}
	req.Scheme = cmp.Or(req.Scheme, target.scheme)
	req.Authority = cmp.Or(req.Authority, target.authority)
	req.Path = cmp.Or(req.Path, target.path)
	if req.Port == 0 {
		req.Port = target.port
	}
	return nil
}
