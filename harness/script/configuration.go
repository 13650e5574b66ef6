package script

import (
	"context"

	"github.com/flowproof/lab/harness/configdump/changes"
	"github.com/flowproof/lab/harness/flow"
)

// holdConfiguration dumps every sidecar that inference read once more, after the request, and says whether on its way
// anything has changed since. The dumps of before are the ones that inference used, also when others were taken later.
func (s *session) holdConfiguration() error {
	s.run.Configuration, s.dumpsAfter = nil, map[string][]byte{}
	for _, pod := range sortedKeys(s.inferredFrom) {
		after, err := s.dumpAfter(pod)
		if s.ctx.Err() != nil {
			return context.Cause(s.ctx)
		}
		held := flow.Configuration{Proxy: pod}
		if err != nil {
			held.Problem = err.Error()
		} else {
			s.dumpsAfter[pod] = after
			held = changes.Texts(pod, s.inferredFrom[pod], after, s.run.Path)
		}
		s.run.Configuration = append(s.run.Configuration, held)
	}
	return nil
}

func (s *session) dumpAfter(pod string) ([]byte, error) {
	sidecar, err := s.sidecar(pod)
	if err != nil {
		return nil, err
	}
	return sidecar.Dump(s.ctx)
}

// configurationLine says in one line what became of a configuration.
func configurationLine(c flow.Configuration) string {
	switch {
	case c.Problem != "":
		return "configuration of " + c.Proxy + ": it is not known what it was at the request: " + c.Problem
	case len(c.Changes) > 0:
		return "configuration of " + c.Proxy + ": changed on the way: " + c.Changes[0].String()
	}
	return "configuration of " + c.Proxy + ": unchanged on the way, " + plural(c.Compared, "resource")
}
