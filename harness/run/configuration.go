package run

import (
	"context"

	"github.com/flowproof/lab/harness/configdump/changes"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// holdConfiguration dumps every sidecar that inference read once more, after the request, and says
// whether on its way anything has changed since. The dumps of before are the ones that inference
// used, also when others were taken later.
func (s *Session) holdConfiguration(ctx context.Context) error {
	s.Flow.Configuration, s.dumpsAfter = nil, map[string][]byte{}
	for _, pod := range sortedKeys(s.inferredFrom) {
		after, err := s.Dump(ctx, pod)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		held := flow.Configuration{Proxy: pod}
		if err != nil {
			held.Problem = err.Error()
		} else {
			s.dumpsAfter[pod] = after
			held = changes.Texts(pod, s.inferredFrom[pod], after, s.Flow.Path)
		}
		s.Flow.Configuration = append(s.Flow.Configuration, held)
	}
	return nil
}

// holdBeside compares what decides beside the dumps, as it was recorded before and
// after the request.
func (s *Session) holdBeside(r observe.Recording) {
	for i, c := range s.Flow.Configuration {
		if pod, recorded := r.Pod(c.Proxy); recorded {
			s.Flow.Configuration[i] = changes.Around(c, s.inferredFrom[c.Proxy],
				changes.Beside{Rules: pod.Part(instrument.RulesBefore), Runtime: pod.Part(instrument.RuntimeBefore)},
				changes.Beside{Rules: pod.Part(instrument.RulesAfter), Runtime: pod.Part(instrument.RuntimeAfter)})
		}
	}
}
