package script

import (
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
)

var inferCommand = Command{
	Name:    "infer",
	names:   ends,
	Usage:   "infer [-cold | -warm] [-X METHOD] [-H HEADER]... [-d DATA]... FROM -> URL",
	Summary: "Infer from the kept dumps alone which way a request takes, hop by hop",
	Detail: "It reads what dump has kept, and never the cluster. A FROM without a kept dump is a pod without a " +
		"sidecar, and so is\n" +
		"POD/istio-proxy: the rules that capture let the sidecar's own user pass. With -cold it is\n" +
		"inferred that no connection is pooled, which kill-connections then makes true and verify checks; with " +
		"-warm, that every worker has\n" +
		"one, as after pool-connections. Where netfilter has read the pods' rules before, they decide what is " +
		"redirected; else Istio's own\n" +
		"are assumed. From a client outside of the mesh the URL names a port of a node: what stands behind it is " +
		"taken from the Service, which\n" +
		"show service has read.",
	offline: func([]string) bool { return true },
	hand:    handInfer,
	replay:  (*replay).infer,
	run: func(s *session, args []string) error {
		var opts infer.WayOptions
		if len(args) > 0 && (args[0] == "-cold" || args[0] == "-warm") {
			opts.Cold, opts.Warm, args = args[0] == "-cold", args[0] == "-warm", args[1:]
		}
		call, err := s.callOf(args)
		switch {
		case err != nil:
			return err
		case s.Sent():
			return badUsage("the request has been sent already, and inference comes first")
		}
		path, err := s.Infer(s.ctx, call, opts)
		if err != nil {
			return err
		}
		s.print("%s, %s", ending(path), plural(len(path.Hops), "hop"))
		for _, hop := range path.Hops {
			s.print("%s%-24s %s", openMark(path, hop), nameOf(hop), hop.Decision)
		}
		for _, d := range path.Depends {
			s.print("? %s of %s: %s", d.What, d.Hop, d.Why)
		}
		return nil
	},
}

// openMark stands before the hops of a path of which something is open: a question mark
// before those that are.
func openMark(path flow.Path, hop flow.Hop) string {
	switch {
	case path.Certainty == flow.Certain || path.Certainty == "":
		return ""
	case hop.Certainty == flow.Certain || hop.Certainty == "":
		return "  "
	}
	return "? "
}

// ending says how a path ends.
func ending(path flow.Path) string {
	text := string(path.Outcome)
	if path.Failure != "" {
		text += " " + strings.ReplaceAll(string(path.Failure), "_", " ")
	}
	if path.Flag != "" {
		text += " (" + path.Flag + ")"
	}
	return text
}

// nameOf is how scripts and reports name a hop: client/route.
func nameOf(hop flow.Hop) string {
	if hop.Side == "" {
		return string(hop.Kind)
	}
	return string(hop.Side) + "/" + string(hop.Kind)
}

// handInfer reads a dump as istioctl shows it: what a person looks at before the
// way is written down.
func handInfer(ns string, args []string) []string {
	if len(args) < 3 {
		return nil
	}
	if _, aside, ok := strings.Cut(args[len(args)-3], "/"); ok && aside == proxyContainer {
		return nil // it goes past its sidecar
	}
	pod, ns := podRef(ns, args[len(args)-3])
	of := pod + "." + ns
	return []string{"istioctl proxy-config listeners " + of, "istioctl proxy-config routes " + of,
		"istioctl proxy-config clusters " + of, "istioctl proxy-config endpoints " + of}
}

// infer shows the recorded way.
func (r *replay) infer([]string) error {
	path := r.rec.Run.Path
	r.session.print("%s, %s", ending(path), plural(len(path.Hops), "hop"))
	for _, hop := range path.Hops {
		r.session.print("%-24s %s", nameOf(hop), hop.Decision)
	}
	return nil
}
