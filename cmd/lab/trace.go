package main

import (
	"errors"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/flowproof/lab/bpf/kernel"
	"github.com/flowproof/lab/bpf/probe"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/harness/report"
	"github.com/flowproof/lab/harness/verify"
)

// traceFlags are the flags of `lab trace`.
type traceFlags struct {
	from, to string
	method   string
	headers  []string
	data     []string // of the request, as curl has it
	curl     []string // more arguments of curl
	config   string   // file of more
	events   string   // "": none; one of eventForms
	filters  bool
	verbose  bool
	warm     bool
	asked
	body    int  // bytes of the answer's body that are shown
	fail    bool // a failed answer is a mismatch
	peek    int  // bytes of each read and write that are looked at for HTTP
	noEnvoy bool
	without []string
	watched []string // pods beside those that the cluster names
	level   string
	bundle  string
	sign    string
}

func traceCommand() *cobra.Command {
	var flags traceFlags
	cmd := &cobra.Command{
		Use:     "trace --from POD --to URL [-- CURL-ARGUMENT...]",
		Short:   "Infer a request's way, send it, and watch it from the kernel and inside both Envoys",
		Long:    traceLong,
		Example: traceExample,
		Args:    onlyCurlsArguments,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := flags.read(cmd, args); err != nil {
				return err
			}
			return appOf(cmd).trace(cmd, flags)
		},
	}
	hasForms(cmd, report.SentForms())
	flags.define(cmd)
	cmd.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		way := "see `" + cmd.CommandPath() + " --help`"
		if unknown := new(pflag.NotExistError); errors.As(err, &unknown) {
			way += "; an option of curl's stands behind --"
		}
		return fault.Usagef("read command line: %w (%s)", err, way)
	})
	return cmd
}

const traceLong = `trace infers the way of one request from the sidecars' dumps, sends it with curl, and
watches it with every instrument of the lab and one more: BPF programs in the kernel and on the
running Envoys. They see whose socket is whose on the whole way, what is said on it, which filter
chain and cluster are taken, and which log statements are reached at every log level. The table says
hop by hop what was inferred, who saw it, and whether both agree.

In a lab of its own, connections that are pooled on the way are ended first, so that everything can
be seen from its beginning, and the sidecars log every decision meanwhile; with --warm the pools are
left. On a cluster that is not the lab's own neither is done, unless --cold or --log-level debug
asks for it; --dry-run says what would be touched. Connections with requests in flight are never
ended without --force. Every report says what was touched. A stripped Envoy is understood all the
same: what the probes need is recovered from the binary and proven on an Envoy of its own, once for
each build. What cannot be proven is off, and the report says so.

What the probes cost a request is in bpf/kernel/README.md and bpf/envoy/README.md. On pods that are
busy, --statements debug traces only the log statements of level debug and above, a third of them,
and --without statements leaves off the log trace, the dearest of all, and with it the cluster of a
request that is given no connection; what they would have told is not observed then.

It works on any cluster (--kubeconfig, --context) and with any pods that have a sidecar, curl and
ss; --from POD/CONTAINER names the container that sends. Where the pods' processes are not on this
machine eBPF does not take part, and the verdict says so.

-X, -H and -d are curl's. --curl-config FILE reads options of curl's from a file, or from standard
input, so that they are on no command line. What stands behind -- is given to curl as it is, and
every instrument looks all the same. Which pods are watched follows from the URL and from the
apiserver, not from what was inferred: the client, every pod behind the URL, and all sidecars of
their namespaces where these are few; --watch names others.`

const traceExample = `  lab trace --from netshoot --to http://fortio-server:8080/
  lab trace --from netshoot --to http://fortio-server:8080/ --events
  lab trace --from netshoot --to http://fortio-server:8080/ --events=envoy
  lab trace --from netshoot --to http://fortio-server:8080/debug --body
  lab trace --from netshoot --to http://fortio-server:8080/ --filters
  lab trace --from netshoot --to http://fortio-server:8080/ --statements debug
  lab trace --from netshoot --to http://fortio-server:8080/ --without statements
  lab trace --from netshoot --to http://fortio-server:8080/ --bundle ./run && lab verify ./run
  lab trace --from netshoot --to http://fortio-server:8080/ -o html > request.html
  lab trace --from netshoot --to http://fortio-server:8080/ -o json | jq .verdict.result
  lab trace --from netshoot --to 'http://fortio-server:8080/echo?q=$x' -X POST -H 'x-user: jason' -d hello
  lab trace --from netshoot --to http://fortio-server:8080/ -- --http2-prior-knowledge`

// onlyCurlsArguments refuses arguments that do not stand behind --.
func onlyCurlsArguments(cmd *cobra.Command, args []string) error {
	if cmd.ArgsLenAtDash() != 0 && len(args) > 0 {
		return fault.Usagef("read command line: %q is not expected (curl's own arguments stand after --)", args[0])
	}
	return nil
}

// read checks the flags, and adds curl's options from the file and the command line.
func (flags *traceFlags) read(cmd *cobra.Command, args []string) error {
	if !slices.Contains(trace.Levels, flags.level) {
		return fault.Usagef("read command line: --statements %q is none of %s",
			flags.level, strings.Join(trace.Levels, ", "))
	}
	if flags.events != "" && !slices.Contains(eventForms, flags.events) {
		return fault.Usagef("read command line: --events=%s is none of %s", flags.events,
			strings.Join(eventForms, ", "))
	}
	if flags.body < 0 || flags.body > mostBody {
		return fault.Usagef("read command line: --body=%d is not between 0 and %d", flags.body, mostBody)
	}
	if err := flags.check(); err != nil {
		return err
	}
	configured, err := curlConfig(cmd.Context(), cmd.InOrStdin(), flags.config)
	if err != nil {
		return err
	}
	flags.curl = append(configured, args...)
	return nil
}

// mostBody is the most bytes of a body that are shown.
const mostBody = 64 << 10

// define gives the command its flags.
func (flags *traceFlags) define(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&flags.from, "from", "",
		"pod that sends the request: POD or POD.NAMESPACE, with /CONTAINER or its first one")
	f.StringVar(&flags.to, "to", "", "URL of the request")
	f.StringVar(&flags.events, "events", "", "print what eBPF saw of the request: phases with their times, "+
		"or with =all every event with its values, =envoy or =kernel those of one of them, =raw all as orders of a "+
		"scenario have them")
	f.Lookup("events").NoOptDefVal = eventPhases
	f.BoolVar(&flags.filters, "filters", false,
		"print what each HTTP filter took, which stopped the request, and which answered")
	f.BoolVarP(&flags.verbose, "verbose", "v", false, "say of each hop why, from which field, and by which evidence")
	f.BoolVar(&flags.warm, "warm", false, "leave pooled connections; what happened on them before is not seen")
	f.IntVar(&flags.body, "body", 0,
		"show the first bytes of the answer's body, 512 or as many as --body=BYTES says, without secrets")
	f.Lookup("body").NoOptDefVal = "512"
	f.BoolVar(&flags.fail, "fail", false,
		"make a failed answer a mismatch: none, or one with a status of 400 and above")
	flags.add(cmd)
	flags.addDryRun(cmd)
	cmd.MarkFlagsMutuallyExclusive("warm", "cold")
	f.StringVarP(&flags.method, "request", "X", "", "method of the request (default GET, or POST with --data)")
	f.StringArrayVarP(&flags.headers, "header", "H", nil,
		"header as \"name: value\", or @FILE with one a line; may be repeated, also with the same name")
	f.StringArrayVarP(&flags.data, "data", "d", nil,
		"data of the request, or @FILE; may be repeated, and is then joined by &")
	f.StringVar(&flags.config, "curl-config", "",
		"file of curl's options, one a line, as curl --config reads it; -: standard input")
	f.IntVar(&flags.peek, "peek-bytes", kernel.DefaultData,
		"bytes of each read and write that are looked at for HTTP; 0: none")
	f.BoolVar(&flags.noEnvoy, "kernel-only", false, "put no probes on the Envoys")
	f.StringSliceVar(&flags.without, "without", nil,
		"leave probes off that cost too much here: "+strings.Join(trace.Costly, ", ")+", or one of the kernel's")
	f.StringSliceVar(&flags.watched, "watch", nil,
		"watch this pod too, where a route may lead to one that is not behind the URL; may be repeated")
	f.StringVar(&flags.bundle, "bundle", "", "keep all of it in this directory: dumps, evidence, verdict")
	f.StringVar(&flags.sign, "sign", "", signHelp)
	f.StringVar(&flags.level, "statements", string(trace.LevelTrace),
		"log statements that are traced: trace (all), debug (those of debug and above; "+
			"all where Linux is older than 6.10)")
	for _, name := range []string{"from", "to"} {
		_ = cmd.MarkFlagRequired(name)
	}
	for _, name := range []string{"from", "watch"} {
		_ = cmd.RegisterFlagCompletionFunc(name, completePods(1))
	}
	completeFixed(cmd, "events", eventForms...)
	completeFixed(cmd, "without", trace.Costly...)
	completeFixed(cmd, "statements", trace.Levels...)
}

// traceResult is what `lab trace -o json` prints.
type traceResult struct {
	Schema  string          `json:"schema"`
	Answer  flow.Answer     `json:"answer"` // what the client was told, and by whom
	Run     flow.Run        `json:"run"`
	Verdict flow.RunVerdict `json:"verdict"`
	Touched []flow.Touch    `json:"touched"` // what was changed outside the run, and which of it is again as it was
	Probes  []probe.Status  `json:"probes"`
	Counts  probe.Counts    `json:"counts"`
	Envoys  []trace.Inside  `json:"envoys,omitempty"`
	Phases  []report.Phase  `json:"phases,omitempty"`
	Events  []trace.Event   `json:"events,omitempty"`
	Filters *report.Steps   `json:"filters,omitempty"`
}

const traceSchema = "flowproof.dev/lab-trace/v2"

// trace traces one request, reports it, and keeps it where that is wanted.
func (a *app) trace(cmd *cobra.Command, flags traceFlags) error {
	signer, err := keeping(cmd.Context(), flags.bundle, flags.sign)
	if err != nil {
		return err
	}
	kept, body, err := a.traced(cmd.Context(), flags)
	if flags.dryRun {
		return err
	}
	kept.Signer = signer
	kept.Verdict = verify.Judge(kept.Run)
	if err == nil {
		err = a.reportTrace(kept, body, flags)
	}
	if flags.bundle == "" || len(kept.Run.Path.Hops) == 0 {
		return err
	}
	failed := a.keep(flags.bundle, kept)
	if silent := (silentError{}); failed != nil && errors.As(err, &silent) {
		return failed // the verdict has been said
	}
	return errors.Join(err, failed)
}

// judge is the error that a verdict ends the command with, which has been said.
func (f traceFlags) judge(run flow.Run, verdict flow.RunVerdict, answer flow.Answer) error {
	if f.fail && answer.Failed() { // also where the way was not seen whole: that the client was told so is known
		return silentError{fault.Mismatchf("the request failed: %s", verify.AnswerText(answer))}
	}
	if err := verify.Passes(verdict, run.Accepted); err != nil {
		return silentError{err}
	}
	return nil
}
