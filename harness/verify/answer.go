package verify

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// viaUpstream is Envoy's response code details of an answer that came from upstream.
const viaUpstream = "via_upstream"

// Answered tells what became of the request itself: what the client was told, by whom, and why, as
// far as the instruments saw it. Nothing that was inferred is asked. It is confirmed where another
// instrument than the client saw the status too, and refuted where two saw different ones at the
// client's end.
func Answered(run flow.Run) flow.Answer {
	run.Observations = redacted(run.Observations)
	a := answering{observations: run.Observations, client: clientPod(run)}
	answer := flow.Answer{After: a.value(flow.Client, flow.FactElapsed), Bytes: a.value(flow.Client, flow.FactBytes),
		Failure: a.value(flow.Client, flow.FactFailure)}
	answer.Status, answer.State, answer.Evidence = a.status()
	a.origin(&answer)
	if n, err := strconv.Atoi(a.value(flow.Client, flow.FactAttempts)); err == nil && n > 1 {
		answer.Attempts = n
	}
	answer.Tried, answer.Next = attemptsOf(run).attempts, nextOf(run).calls
	if answer.Failed() || answer.Failure != "" || len(answer.Flags) > 0 {
		if refused := refusedBy(answer); refused != "" {
			answer.Cause = strings.TrimSuffix(refused+": "+cause(answer, nil), ": ")
		} else {
			answer.Cause = cause(answer, a.values(answer.By, flow.FactUpstreamError))
		}
	}
	return answer
}

type answering struct {
	observations []flow.Observation
	client       string // "pod.namespace"
}

func clientPod(run flow.Run) string {
	if run.Call.Outside {
		return run.Call.From
	}
	return run.Call.From + "." + run.Call.Namespace
}

// each hands on every value of a fact that was seen, with where.
func (a answering) each(fact string, do func(o flow.Observation, index int, value string)) {
	for i, o := range a.observations {
		for _, s := range o.Facts {
			if s.Name == fact && s.Value != "" {
				do(o, i, s.Value)
			}
		}
	}
}

// value is the first value of a fact that was seen on a side.
func (a answering) value(side flow.Side, fact string) string {
	first := ""
	a.each(fact, func(o flow.Observation, _ int, value string) {
		if o.Side == side && first == "" {
			first = value
		}
	})
	return first
}

// values are the different values of a fact that were seen at a pod; of "" at any.
func (a answering) values(pod, fact string) []string {
	var all []string
	a.each(fact, func(o flow.Observation, _ int, value string) {
		if (pod == "" || o.Where.Pod == pod) && !slices.Contains(all, value) {
			all = append(all, value)
		}
	})
	return all
}

// status is the status at the client's end. What the client was told counts before
// what its sidecar says.
func (a answering) status() (int, flow.State, []flow.Evidence) {
	var evidence []flow.Evidence
	told := ""
	a.each(flow.FactStatus, func(o flow.Observation, i int, value string) {
		if o.Side != flow.Client {
			return
		}
		if told == "" || o.Instrument == flow.Curl {
			told = value
		}
		evidence = append(evidence, flow.Evidence{Instrument: o.Instrument, Fact: flow.FactStatus, Seen: value,
			Observation: i})
	})
	state, witnesses := flow.NotObserved, []flow.Instrument{}
	for i := range evidence {
		evidence[i].Expected, evidence[i].Agrees = told, evidence[i].Seen == told
		if !evidence[i].Agrees {
			state = flow.Refuted
		}
		if !slices.Contains(witnesses, evidence[i].Instrument) {
			witnesses = append(witnesses, evidence[i].Instrument)
		}
	}
	if state != flow.Refuted && len(witnesses) > 1 {
		state = flow.Confirmed
	}
	status, _ := strconv.Atoi(told)
	return status, state, evidence
}

// origin finds who answered: the first proxy on the way that says that it did so itself. Where none
// does, the endpoint of the last proxy answered.
func (a answering) origin(answer *flow.Answer) {
	for _, side := range []flow.Side{flow.Client, flow.Server} {
		for _, pod := range a.proxies(side) {
			details := a.values(pod, flow.FactDetails)
			if len(details) == 0 {
				continue
			}
			if own := slices.DeleteFunc(details, func(d string) bool { return d == viaUpstream }); len(own) > 0 {
				answer.By, answer.Details = pod, own[0]
				a.each(flow.FactFlags, func(o flow.Observation, _ int, value string) {
					if o.Where.Pod == pod && len(answer.Flags) == 0 {
						answer.Flags = flow.SplitFlags(value)
					}
				})
				return
			}
		}
	}
	if answer.Status == 0 {
		return
	}
	answer.Details = a.value(flow.Client, flow.FactDetails)
	for _, side := range []flow.Side{flow.Server, flow.Client} {
		if endpoint := a.value(side, flow.FactEndpoint); endpoint != "" {
			answer.By = endpoint
			return
		}
	}
}

// proxies are the pods of a side that anything was seen at, in the order in which they were.
func (a answering) proxies(side flow.Side) []string {
	var all []string
	for _, o := range a.observations {
		if o.Side == side && o.Where.Pod != "" && !slices.Contains(all, o.Where.Pod) {
			all = append(all, o.Where.Pod)
		}
	}
	return all
}

// cause says in words why a request failed: what its flags mean, what the transport said,
// else Envoy's details.
func cause(answer flow.Answer, transport []string) string {
	var words []string
	for _, flag := range answer.Flags {
		if meaning := flow.FlagMeaning(flag); meaning != "" {
			words = append(words, meaning+" ("+flag+")")
		} else {
			words = append(words, flag)
		}
	}
	for _, reason := range transport {
		words = append(words, readable(reason))
	}
	switch {
	case len(words) > 0:
		return strings.Join(words, ", ")
	case answer.Details != "" && answer.Details != viaUpstream:
		return readable(answer.Details)
	case answer.Failure != "":
		return answer.Failure
	}
	return ""
}

// refusedBy says which endpoint refused every attempt of the proxy that answered; "": none did.
func refusedBy(answer flow.Answer) string {
	endpoint, times := "", 0
	for _, a := range answer.Tried {
		if a.Proxy != answer.By {
			continue
		}
		if !strings.Contains(a.Failure, "Connection refused") || endpoint != "" && a.Endpoint != endpoint {
			return ""
		}
		endpoint, times = a.Endpoint, times+1
	}
	if endpoint == "" {
		return ""
	}
	return refusal(endpoint, "Connection refused", times)
}

// readable is one of Envoy's texts for a log, in which underscores stand for blanks, as
// a person writes it.
func readable(text string) string { return strings.ReplaceAll(text, "_", " ") }

// AnswerText says an answer in one line: "503 by 10.0.0.1:8080 after 18.8ms and 3 attempts".
func AnswerText(a flow.Answer) string {
	text := "no answer"
	switch {
	case a.Status > 0:
		text = strconv.Itoa(a.Status)
	case a.Failure != "":
		text = "no answer: " + a.Failure
	}
	if a.By != "" {
		text += " by " + a.By
	}
	if a.After != "" {
		text += " after " + a.After
	}
	if a.Attempts > 0 {
		text += fmt.Sprintf(" and %d attempts", a.Attempts)
	}
	if a.Status > 0 && a.Failure != "" {
		text += fmt.Sprintf(", and the client failed: %s", a.Failure)
	}
	if a.Cause != "" && a.Cause != a.Failure {
		text += ": " + a.Cause
	}
	return text
}

// WayText says in one line whether the way is as inferred, and by how many hops.
func WayText(v flow.RunVerdict) string {
	hops := fmt.Sprintf("%d of %d hops seen", v.Confirmed+v.Learned, len(v.Hops))
	if v.NotReached > 0 {
		hops += fmt.Sprintf(", %d not reached", v.NotReached)
	}
	switch v.Result {
	case flow.Verified:
		return "the way is as inferred: " + hops
	case flow.Consistent:
		return "the way is one of those that are possible: " + hops
	case flow.Mismatch:
		return fmt.Sprintf("the way is not as inferred: %d of %d hops refuted", v.Refuted, len(v.Hops))
	}
	return "the way is not proven: " + hops
}
