package run

import (
	"context"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/netfilter"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// Dump takes the configuration of a sidecar and keeps it: the newest is what Infer reads.
func (s *Session) Dump(ctx context.Context, ref string) ([]byte, error) {
	sidecar, err := s.Sidecar(ctx, ref)
	if err != nil {
		return nil, err
	}
	text, err := sidecar.Dump(ctx)
	if err != nil {
		return nil, err
	}
	return text, nil
}

// KeepDump keeps a dump of a pod, "pod.namespace", and Kept returns it.
func (s *Session) KeepDump(pod string, text []byte) { s.dumps[pod] = text }

// KeptDump is the newest dump that is kept of a pod; nil: none is.
func (s *Session) KeptDump(pod string) []byte { return s.dumps[pod] }

// Infer infers the way of a call from the kept dumps, and notes call and way. It remembers which
// dumps it read: these are what the configuration after the request is compared with.
func (s *Session) Infer(ctx context.Context, call flow.Call, opts infer.WayOptions) (flow.Path, error) {
	path, err := s.inferSent(ctx, call, opts)
	if err != nil {
		return flow.Path{}, fault.Usagef("infer %s -> %s: %w", senderOf(call), call.URL, err)
	}
	s.Flow.Call, s.Flow.Path = s.question.Call, path
	return path, nil
}

// senderOf names the sender of a call as a person does.
func senderOf(call flow.Call) string {
	if call.Container != "" {
		return Caller(call) + "/" + call.Container
	}
	return Caller(call)
}

// infer finds the two dumps that the call is about among those given, and remembers
// which they were.
func (s *Session) infer(ctx context.Context, call flow.Call, opts infer.WayOptions,
	dumps map[string][]byte) (flow.Path, error) {
	if len(dumps) == 0 {
		return flow.Path{}, fault.Usagef("there is no dump to infer from")
	}
	parsed := map[string]*configdump.Dump{}
	for pod, text := range dumps {
		dump, err := configdump.Parse(text)
		if err != nil {
			return flow.Path{}, err
		}
		defer dump.Close()
		parsed[pod] = dump
	}
	caller := Caller(call)
	client := parsed[caller]
	if !captured(call) {
		client = nil
	}
	var err error
	if client == nil {
		if opts.Source, err = s.addressOf(ctx, call); err != nil {
			return flow.Path{}, err
		}
	}
	if opts.NodePort, err = s.nodePort(call); err != nil {
		return flow.Path{}, err
	}
	delete(parsed, caller)
	hosts, err := s.hosts(client, call, opts)
	if err != nil {
		return flow.Path{}, err
	}
	s.holdEmptied(hosts, &opts)
	server, err := s.chooseServer(ctx, client, parsed, call, hosts, &opts)
	if err != nil {
		return flow.Path{}, err
	}
	q := infer.Question{Schema: infer.QuestionSchema, Call: call, Options: opts}
	q.Options.ClientRules = string(s.rulesOf(caller))
	used := map[string][]byte{}
	if client != nil {
		q.Client, used[caller] = caller, dumps[caller]
	}
	if server != nil {
		q.Server = server.Node().Proxy()
		q.Options.ServerRules = string(s.rulesOf(q.Server))
		used[q.Server] = dumps[q.Server]
	}
	s.question, s.inferredFrom = q, used
	return infer.Way(client, server, call, q.Options)
}

// rulesOf are a pod's netfilter rules as they were read before the request; nil: they were not, or
// they cannot be understood, as those that iptables wrote where only nft could be asked. Istio's
// own are assumed then, and inference says so.
func (s *Session) rulesOf(pod string) []byte {
	w := s.pods[pod]
	if w == nil {
		return nil
	}
	rules := w.parts[instrument.RulesBefore]
	if _, err := netfilter.Parse(string(rules)); err != nil {
		s.Absent(flow.Netfilter, pod, err)
		return nil
	}
	return rules
}

// addressOf is the address that a call is sent from.
func (s *Session) addressOf(ctx context.Context, call flow.Call) (string, error) {
	if call.Outside {
		return s.outsiders[call.From].Address(), nil
	}
	if s.Lab.Mesh == nil {
		return "", fault.Environmentf("find the address of %s: there is no cluster to ask", Caller(call))
	}
	pod, err := s.Lab.Mesh.Pod(ctx, Caller(call))
	if err != nil {
		return "", err
	}
	return pod.IP(), nil
}

// hosts are those that the client's sidecar may send a call to; none where no sidecar takes it.
func (s *Session) hosts(client *configdump.Dump, call flow.Call, opts infer.WayOptions) ([]flow.Host, error) {
	if client == nil {
		return nil, nil
	}
	hosts, err := infer.Destination(client, call, opts)
	if err == nil && opts.NodePort != nil {
		for _, endpoint := range opts.NodePort.Endpoints {
			hosts = append(hosts, flow.Host{Address: endpoint.String()})
		}
	}
	return hosts, err
}

// holdEmptied takes back that pools are empty where the way may lead to a host whose pool was not
// looked at: a route leads to another port, or a ServiceEntry to an address that the apiserver does
// not know by the URL.
func (s *Session) holdEmptied(hosts []flow.Host, opts *infer.WayOptions) {
	if !opts.Cold || !s.cold {
		return
	}
	for _, host := range hosts {
		if !slices.ContainsFunc(s.proven, func(p Pool) bool { return p.Remote.String() == host.Address }) {
			s.cold, s.unknown, opts.Cold = false, true, false
			s.note("a pool to %s was not looked at: a pooled connection may be used or not", host.Address)
			return
		}
	}
}

// chooseServer returns the dump of the pod that the client's way ends at: the one whose address is
// an endpoint's. It is nil where none is, and then the options say why, where that is because
// nothing of the mesh is there.
func (s *Session) chooseServer(ctx context.Context, client *configdump.Dump, others map[string]*configdump.Dump,
	call flow.Call,
	hosts []flow.Host, opts *infer.WayOptions) (*configdump.Dump, error) {
	if client == nil {
		return s.directServer(ctx, others, call)
	}
	hosts = s.takenOf(hosts)
	for _, host := range hosts {
		address, err := netip.ParseAddrPort(host.Address)
		if err != nil {
			continue // a pipe or an internal listener has no pod
		}
		for _, pod := range sortedKeys(others) {
			if slices.Contains(others[pod].Node().IPs, address.Addr().String()) {
				return others[pod], nil
			}
		}
	}
	var err error
	opts.Beyond, err = s.beyond(ctx, hosts)
	return nil, err
}

// beyond says why no sidecar takes a call at any of some hosts, from what the apiserver knows; "":
// one does, or it is not known.
func (s *Session) beyond(ctx context.Context, hosts []flow.Host) (string, error) {
	if s.Lab.Mesh == nil {
		return "", nil
	}
	var reasons []string
	for _, host := range hosts {
		address, err := netip.ParseAddrPort(host.Address)
		if err != nil {
			return "", nil
		}
		behind, err := s.Lab.Mesh.Behind(ctx, address.Addr().String(), address.Port(), "")
		if err != nil {
			return "", err
		}
		reason := fmt.Sprintf("no pod of the cluster has the address %s", address.Addr())
		for _, ref := range behind.Pods {
			pod, err := s.Lab.Mesh.Pod(ctx, ref)
			if err != nil {
				return "", err
			}
			if slices.Contains(pod.Containers(), mesh.SidecarContainer) {
				return "", nil
			}
			reason = ref + " has no sidecar"
		}
		if !slices.Contains(reasons, reason) {
			reasons = append(reasons, reason)
		}
	}
	return strings.Join(reasons, "; "), nil
}

// directServer is the server that a client without a sidecar dials: the pod whose address the URL
// has, the only one behind the URL as the apiserver says, or the only one that is known.
func (s *Session) directServer(ctx context.Context, others map[string]*configdump.Dump,
	call flow.Call) (*configdump.Dump, error) {
	host, _, err := endOf(call)
	if err != nil {
		return nil, err
	}
	for _, server := range others {
		if len(others) == 1 || slices.Contains(server.Node().IPs, host) {
			return server, nil
		}
	}
	if s.Lab.Mesh != nil {
		behind, err := s.Behind(ctx, call)
		if err != nil {
			return nil, err
		}
		for _, pod := range behind.Pods {
			if others[pod] != nil {
				return others[pod], nil
			}
		}
	}
	return nil, fault.Usagef("no pod behind %s has a sidecar, so there is no configuration to infer a way from", host)
}

// nodePort finds the port of a node that a call names among the Services that are known; nil when
// the URL does not name a node.
func (s *Session) nodePort(call flow.Call) (*infer.NodePort, error) {
	target, err := call.Parsed()
	if err != nil {
		return nil, err
	}
	for _, ref := range sortedKeys(s.services) {
		for _, p := range s.services[ref].NodePorts {
			if target.Port() == strconv.Itoa(int(p.Port)) {
				return behindNode(ref, p)
			}
		}
	}
	if call.Outside {
		return nil, fault.Usagef("port %s is no node port of a Service that was shown (show service NAME comes before)",
			target.Port())
	}
	return nil, nil
}

func behindNode(ref string, p mesh.NodePort) (*infer.NodePort, error) {
	found := &infer.NodePort{Service: ref, Name: p.Name, Port: uint32(p.Port), Local: p.Local}
	for _, text := range p.Endpoints {
		endpoint, err := netip.ParseAddrPort(text)
		if err != nil {
			return nil, fault.Environmentf("read endpoints of %s: %w", ref, err)
		}
		found.Endpoints = append(found.Endpoints, endpoint)
	}
	return found, nil
}
