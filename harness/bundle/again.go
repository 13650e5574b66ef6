package bundle

import (
	"fmt"
	"maps"
	"slices"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// inferred is the path that a bundle's dumps give.
type inferred struct {
	path     flow.Path
	held     []flow.Configuration // of each proxy that it was inferred from
	problems []string
}

// inferred infers again from the dumps what was asked, and holds the path that was written down
// against it, word by word. Where that cannot be done, the written path stands, with the reason.
func (c Contents) inferred() inferred {
	questions := []infer.Question{c.Question}
	if c.Question.Schema == "" && c.Old {
		questions = c.supposed()
	}
	var best inferred
	for i, q := range questions {
		now := c.inferredBy(q)
		if i == 0 || len(now.problems) < len(best.problems) {
			best = now
		}
	}
	held, unheld := c.held(best.path)
	best.held, best.problems = held, append(append(best.problems, c.foreignDumps()...), unheld...)
	best.problems = append(best.problems, said(runFile, "/configuration", c.Run.Configuration, held,
		"the dumps of before and after show that it")...)
	return best
}

func (c Contents) inferredBy(q infer.Question) inferred {
	cannot := func(reason string) inferred {
		return inferred{
			path: c.Run.Path, problems: []string{"bundle: the path cannot be inferred again, so it is only what " +
				runFile + " says: " + reason},
		}
	}
	switch {
	case q.Schema == "":
		return cannot("what inference was asked is not kept")
	case q.Schema != infer.QuestionSchema:
		return cannot(fmt.Sprintf("%s has the schema %q, which is not %s", questionFile, q.Schema,
			infer.QuestionSchema))
	}
	path, err := q.Path(c.Dumps)
	if err != nil {
		return cannot(err.Error())
	}
	problems := said(runFile, "/path", c.Run.Path, asKept(c.Run.Path, path), "inferred again from the dumps it")
	problems = append(problems, said(runFile, "/call", c.Run.Call, q.Call, "inference was asked of one that")...)
	return inferred{path: path, problems: append(problems, c.questionProblems(q)...)}
}

// asKept is a path that was inferred again, without the names of places where the path that was
// kept has none: it is of before inference gave them.
func asKept(kept, path flow.Path) flow.Path {
	named := func(h flow.Hop) bool { return h.Field != "" || h.Object != "" }
	if slices.ContainsFunc(kept.Hops, named) {
		return path
	}
	path.Hops = unnamed(path.Hops)
	path.Variants = slices.Clone(path.Variants)
	for i := range path.Variants {
		path.Variants[i].Hops = unnamed(path.Variants[i].Hops)
	}
	return path
}

func unnamed(hops []flow.Hop) []flow.Hop {
	hops = slices.Clone(hops)
	for i := range hops {
		hops[i].Field, hops[i].Object = "", ""
		hops[i].Rejected = slices.Clone(hops[i].Rejected)
		for k := range hops[i].Rejected {
			hops[i].Rejected[k].Object = ""
		}
	}
	return hops
}

// foreignDumps holds that each dump is of the pod whose name it has.
func (c Contents) foreignDumps() []string {
	var problems []string
	for _, kept := range []struct {
		moment string
		dumps  map[string][]byte
	}{{"before", c.Dumps}, {"after", c.After}} {
		for _, pod := range slices.Sorted(maps.Keys(kept.dumps)) {
			if dump, err := configdump.Parse(kept.dumps[pod]); err == nil && dump.Node().Proxy() != pod {
				owner := first(dump.Node().Proxy(), "no one")
				problems = append(problems, fmt.Sprintf("bundle: the dump of %s of %s the request is that of %s",
					pod, kept.moment, owner))
			}
		}
	}
	return problems
}

// questionProblems holds what inference was asked against the raw parts: who takes part, from which
// address, by which rules.
func (c Contents) questionProblems(q infer.Question) []string {
	var problems []string
	wrong := func(format string, args ...any) {
		problems = append(problems, fmt.Sprintf("bundle: "+questionFile+": "+format, args...))
	}
	caller := caller(q.Call)
	_, dumped := c.Dumps[caller]
	captured := dumped && !q.Call.Outside && q.Call.Container != flow.SidecarContainer
	switch {
	case captured && q.Client != caller:
		wrong("the call comes from %s, whose dump is there, and inference was asked of the client's sidecar %q",
			caller, q.Client)
	case !captured && q.Client != "":
		wrong("no sidecar takes a call from %s, and inference was asked of the client's sidecar %q", caller, q.Client)
	case q.Server == caller:
		wrong("client and server are both %s", caller)
	}
	if c.Recording == nil {
		return problems
	}
	r := c.Recording
	server, recorded := r.Pod(q.Server)
	if q.Server != "" && !recorded {
		wrong("the server's sidecar is %s, and %s was recorded", q.Server, first(r.Server.Name, "none"))
	}
	if q.Options.Cold && !r.Cold || q.Options.Warm && !r.Warm {
		wrong("inference was asked of pools that are cold (%t) or warm (%t), and no socket table showed them so",
			q.Options.Cold, q.Options.Warm)
	}
	if q.Client == "" && q.Options.Source != r.Client.IP {
		wrong("the call comes from the address %s, and the client that was recorded has %s",
			first(q.Options.Source, "of no one"), first(r.Client.IP, "none"))
	}
	for _, given := range []struct {
		pod, text     string
		before, after []byte
	}{
		{q.Client, q.Options.ClientRules, r.Client.Part(instrument.RulesBefore), r.Client.Part(instrument.RulesAfter)},
		{q.Server, q.Options.ServerRules, server.Part(instrument.RulesBefore), server.Part(instrument.RulesAfter)},
	} {
		for _, seen := range [][]byte{given.before, given.after} {
			if line, differ := otherRule(given.text, string(seen)); differ && given.text != "" && seen != nil {
				wrong("the netfilter rules of %s are not those that were read around the request: %s", given.pod, line)
				break
			}
		}
	}
	return problems
}

// supposed are the questions that a bundle of the layout before this one may have come from: with
// and without the netfilter rules that were read before the request.
func (c Contents) supposed() []infer.Question {
	q := infer.Question{Schema: infer.QuestionSchema, Call: c.Run.Call}
	who := caller(q.Call)
	if _, dumped := c.Dumps[who]; dumped && q.Call.Container != flow.SidecarContainer {
		q.Client = who
	}
	if c.Recording == nil {
		return []infer.Question{q}
	}
	r := c.Recording
	q.Options.Cold, q.Options.Warm = r.Cold, r.Warm
	if _, dumped := c.Dumps[r.Server.Name]; dumped {
		q.Server = r.Server.Name
	}
	if q.Client == "" {
		q.Options.Source = r.Client.IP
	}
	ruled := q
	ruled.Options.ClientRules, ruled.Options.ServerRules = string(r.Client.Part(instrument.RulesBefore)),
		string(r.Server.Part(instrument.RulesBefore))
	return []infer.Question{q, ruled}
}

// caller is the pod that a call comes from, as "pod.namespace"; the name alone of a client
// outside of the mesh.
func caller(call flow.Call) string {
	if call.Outside {
		return call.From
	}
	return call.From + "." + call.Namespace
}

func first(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
