package main

import (
	"context"
	"fmt"
	"io"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/netfilter"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/internal/input"
)

// inferFlags are the flags of `lab infer`.
type inferFlags struct {
	dump, client, server  string // files
	requests              string
	from, to              string
	rules, serverRules    string
	resolve               string
	hop                   string
	explain, verbose      bool
	cold, warm            bool
	reasons               bool
	headers, alpn         []string
	request               flow.Request
	direction             string
	random                uint64
	uid, gid              int
	method, tls, protocol string
}

func inferCommand() *cobra.Command {
	f := &inferFlags{}
	cmd := &cobra.Command{
		Use:   "infer",
		Short: "Say which way Envoy would send a request, and why, from config dumps alone",
		Long: `infer reads what Envoy's /config_dump returns (JSON or YAML, plain, gzip or zstd, of
any Envoy from 1.18 on, also out of an istioctl bug-report) and says for a request which listener,
filter chain, route, cluster and endpoint Envoy would take, from which field of the dump, why, and
what lost; or how the request would fail. It sends nothing. A failure is an answer: the exit code is
0.

As text it says first how the request ends, and then of each hop in a line what is decided and why;
-v adds the field that decides, by a JSON pointer and by names (lab dump --at takes both), and what
lost, --explain every condition.

One dump answers for one proxy. Two dumps, or --from a pod of the lab, make a whole way through both
sidecars. The pod's netfilter rules count where they are given: what "iptables-save -c" or
"nft -j list ruleset" prints in the pod's network namespace.`,
		Example: `  lab infer --from netshoot --to http://fortio-server:8080/
  lab infer --client-dump netshoot.json --server-dump fortio.json --to http://fortio-server:8080/
  lab infer --dump fortio.json --direction inbound --address 172.21.206.196 --port 8080 --hop filter-chain --explain
  lab infer --dump fortio.json --requests requests.jsonl -o json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return f.run(cmd) },
	}
	hasForms(cmd, report.WayForms())
	f.register(cmd)
	cmd.Long += "\n\nA file of --requests has one JSON object a line, with these keys:\n" + requestKeys()
	return cmd
}

// requestKeys is the table of the keys of a request in JSON.
func requestKeys() string {
	var b strings.Builder
	for _, k := range infer.RequestKeys {
		fmt.Fprintf(&b, "  %-13s %s\n", k.Name, k.Doc)
	}
	return strings.TrimSuffix(b.String(), "\n")
}

func (f *inferFlags) register(cmd *cobra.Command) {
	fs := cmd.Flags()
	fs.StringVar(&f.dump, "dump", "", "config dump of one proxy; - is standard input")
	fs.StringVar(&f.client, "client-dump", "", "config dump of the client's sidecar")
	fs.StringVar(&f.server, "server-dump", "", "config dump of the server's sidecar")
	fs.StringVar(&f.requests, "requests", "", "file with one request a line, as JSON; - is standard input")
	fs.StringVar(&f.from, "from", "", "pod of the lab that calls")
	fs.StringVar(&f.to, "to", "", "URL that is called")
	fs.StringVar(&f.rules, "iptables", "", "netfilter rules of the pod (with two dumps: of the client's pod)")
	fs.StringVar(&f.serverRules, "server-iptables", "", "netfilter rules of the server's pod")
	fs.StringVar(&f.resolve, "resolve", "", "address that the URL's host resolves to")
	fs.StringVar(&f.hop, "hop", "", "show one kind of hop only, such as filter-chain")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "say of each hop why, from which field, and what lost")
	fs.BoolVar(&f.explain, "explain", false, "show every condition that was evaluated and all that lost")
	fs.BoolVar(&f.reasons, "reasons", false, "list the codes of reasons and assumptions, and what each means")
	fs.BoolVar(&f.cold, "cold", false, "no connection is pooled")
	fs.BoolVar(&f.warm, "warm", false, "every worker has a connection pooled")
	cmd.MarkFlagsMutuallyExclusive("cold", "warm")
	r := &f.request
	fs.StringVar(&r.ID, "id", "", "id of the request")
	fs.StringVar(&f.direction, "direction", "", "outbound, inbound or gateway (default outbound)")
	fs.StringVar(&r.Source, "source", "", "ip:port that the request comes from")
	fs.StringVar(&r.DirectSource, "direct-source", "", "ip:port of the socket's own peer, behind a PROXY protocol")
	fs.StringVar(&r.Address, "address", "", "original destination address")
	fs.StringVar(&r.Redirect, "redirect", "", "ip:port or port of the proxy's socket that netfilter takes it to")
	fs.Uint32Var(&r.Port, "port", 0, "original destination port")
	fs.StringVar(&f.protocol, "protocol", "", "http, http2, http3, grpc, tcp, udp or http1.0 (default http)")
	fs.StringVar(&f.tls, "tls", "", "plaintext, tls or mtls (default plaintext)")
	fs.StringVar(&r.SNI, "sni", "", "server name in the client's ClientHello")
	fs.StringSliceVar(&f.alpn, "alpn", nil, "application protocols in the client's ClientHello")
	fs.StringVar(&r.Scheme, "scheme", "", "http or https (default http)")
	fs.StringVar(&r.Authority, "authority", "", "Host or :authority")
	fs.StringVarP(&f.method, "method", "X", "", "method (default GET)")
	fs.StringVar(&r.Path, "path", "", "path with query (default /)")
	fs.StringArrayVarP(&f.headers, "header", "H", nil, `header as "name: value"; may be repeated`)
	fs.Uint64Var(&f.random, "random", 0, "random value that picks among weighted clusters")
	fs.IntVar(&f.uid, "uid", -1, "user that sends in the client's pod, for owner rules of netfilter")
	fs.IntVar(&f.gid, "gid", -1, "group that sends in the client's pod")
	completeFixed(cmd, "hop", flow.HopKinds()...)
	completeFixed(cmd, "protocol", "http", "http2", "http3", "grpc", "tcp", "udp", "http1.0")
	completeFixed(cmd, "tls", "plaintext", "tls", "mtls")
	completeFixed(cmd, "direction", "outbound", "inbound", "gateway")
	_ = cmd.RegisterFlagCompletionFunc("from", completePods(1))
}

func (f *inferFlags) run(cmd *cobra.Command) error {
	if f.hop != "" && !slices.Contains(flow.HopKinds(), f.hop) {
		return fault.Usagef("choose hop %q: there are %s", f.hop, strings.Join(flow.HopKinds(), ", "))
	}
	a := appOf(cmd)
	if f.reasons {
		return report.Reasons(a.Out, a.output)
	}
	if err := f.complete(cmd); err != nil {
		return err
	}
	switch {
	case f.dump != "" && f.from == "" && f.client == "" && f.server == "":
		return input.Do(cmd.Context(), func() error { return f.oneProxy(cmd.Context(), a) })
	case f.to == "":
		return fault.Usagef("infer: nothing to infer from (give --dump FILE, or --from POD --to URL, or " +
			"--client-dump and --server-dump with --to)")
	case f.from != "" && f.client == "" && f.server == "" && f.dump == "":
		return f.live(cmd, a)
	case f.client != "" || f.server != "":
		return input.Do(cmd.Context(), func() error { return f.offline(cmd.Context(), a) })
	}
	return fault.Usagef("infer: --dump answers for one proxy and --from for the lab (give one of them)")
}

// complete puts the flags that need work into the request.
func (f *inferFlags) complete(cmd *cobra.Command) error {
	f.request.Direction, f.request.Method, f.request.TLS = flow.Direction(f.direction), f.method, f.tls
	f.request.Protocol, f.request.ALPN = f.protocol, f.alpn
	if cmd.Flags().Changed("random") {
		f.request.Random = &f.random
	}
	headers, err := headerLines(cmd.Context(), f.headers)
	if err != nil {
		return err
	}
	for n, h := range headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || strings.TrimSpace(name) == "" {
			return fault.Usagef("read header %d of %d: it has to be \"name: value\"", n+1, len(headers))
		}
		f.request.Headers.Add(name, strings.TrimSpace(value))
	}
	return nil
}

func (f *inferFlags) sender() netfilter.Sender {
	return netfilter.Sender{UID: f.uid, GID: f.gid, Known: f.uid >= 0 || f.gid >= 0}
}

func (f *inferFlags) text(columns int) report.WayOptions {
	opts := report.WayOptions{Hop: flow.HopKind(f.hop), Rejected: 4, Width: columns,
		Short: !f.verbose && !f.explain && f.hop == ""}
	if f.explain || f.hop != "" {
		opts.Rejected = -1
	}
	return opts
}

// oneProxy answers for one dump: one request by flags or by URL, or a batch.
func (f *inferFlags) oneProxy(ctx context.Context, a *app) error {
	if f.requests == "-" && f.dump == "-" {
		return fault.Usagef("infer: --dump and --requests cannot both be standard input")
	}
	dump, err := a.openDump(ctx, f.dump)
	if err != nil {
		return err
	}
	defer dump.Close()
	rules, err := readRules(ctx, f.rules)
	if err != nil {
		return err
	}
	engine := infer.New(dump)
	opts := infer.Options{Explain: f.explain, Rules: rules, Cold: f.cold, Warm: f.warm, Sender: f.sender()}
	if f.requests != "" {
		return f.batch(ctx, a, engine, opts)
	}
	if f.to != "" {
		if err := engine.Address(&f.request, f.to, f.resolve); err != nil {
			return fault.Usagef("%w", err)
		}
	}
	if f.request.Address == "" || f.request.Port == 0 {
		return fault.Usagef("infer: no request (give --address and --port, or --to URL, or --requests FILE)")
	}
	decision, err := engine.DecideWith(f.request, opts)
	if err != nil {
		return fault.Usagef("%w", err)
	}
	text := f.text(a.reportWidth())
	text.Dumps = map[string]*configdump.Dump{decision.Proxy: dump}
	return report.Decision(a.Out, a.output, shownLines(a, decision), text)
}

func (f *inferFlags) batch(ctx context.Context, a *app, engine *infer.Engine, opts infer.Options) error {
	// A batch makes much that lives as long as one answer: collecting it less often takes a
	// quarter of the time away.
	defer debug.SetGCPercent(debug.SetGCPercent(300))
	in, err := a.openRequests(ctx, f.requests)
	if err != nil {
		return err
	}
	defer in.Close()
	lines := batchLines(a)
	err = engine.Batch(in, a.Out, opts, func(w io.Writer, d flow.Decision) error {
		return report.Decision(w, a.output, lines(d), f.text(a.reportWidth()))
	})
	if err != nil {
		return fault.Usagef("%s: %w", f.requests, err)
	}
	return nil
}

// offline makes a whole way of two dumps.
func (f *inferFlags) offline(ctx context.Context, a *app) error {
	var client, server *configdump.Dump
	var err error
	if f.client != "" {
		if client, err = a.openDump(ctx, f.client); err != nil {
			return err
		}
		defer client.Close()
	}
	if f.server != "" {
		if server, err = a.openDump(ctx, f.server); err != nil {
			return err
		}
		defer server.Close()
	}
	opts := f.way()
	if opts.ClientRules, err = readText(ctx, f.rules); err != nil {
		return err
	}
	if opts.ServerRules, err = readText(ctx, f.serverRules); err != nil {
		return err
	}
	return f.writeWay(a, client, server, opts)
}

func (f *inferFlags) way() infer.WayOptions {
	return infer.WayOptions{Resolved: f.resolve, Source: f.request.Source, Sender: f.sender(), TLS: f.tls,
		Protocol: f.protocol, Random: f.request.Random, Cold: f.cold, Warm: f.warm, Explain: f.explain}
}

func (f *inferFlags) writeWay(a *app, client, server *configdump.Dump, opts infer.WayOptions) error {
	call := flow.Call{From: f.from, URL: f.to, Method: f.method, Headers: f.request.Headers}
	if client != nil {
		node := client.Node()
		call.From, call.Namespace = node.Pod, node.Namespace
	}
	path, err := infer.Way(client, server, call, opts)
	if err != nil {
		return fault.Usagef("%w", err)
	}
	text := f.text(a.reportWidth())
	text.Dumps = dumpsOfWay(path, client, server)
	return report.Way(a.Out, a.output, shownLines(a, path), text)
}
