package run

import (
	"context"
	"fmt"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
)

// holdPools looks at the pools that were shown to be cold or warm once more, as the last thing
// before the request: others may have sent requests since. Where they are not as they were, nothing
// is said about them, and what was inferred by them is inferred again from the same dumps.
func (s *Session) holdPools(ctx context.Context) error {
	tables, err := s.tables(ctx, s.proven)
	if err != nil {
		return err
	}
	for _, p := range s.proven {
		live := len(p.live(tables[s.FullName(p.Pod)]))
		switch {
		case s.cold && live > 0:
			s.poolUnknown(p, fmt.Errorf("%w: it was empty, and has %s again", ErrInUse, plural(live, "connection")))
		case s.warm && live != s.workers:
			s.poolUnknown(p, s.notOneEach(live))
		}
	}
	if options := s.question.Options; !s.unknown || !options.Cold && !options.Warm {
		return nil
	}
	_, err = s.InferUnemptied(ctx)
	return err
}

func (s *Session) notOneEach(live int) error {
	return fmt.Errorf("%w: it has %s for %s", ErrInUse, plural(live, "connection"), plural(s.workers, "worker"))
}

// poolUnknown notes that nothing is known of what is pooled at the request.
func (s *Session) poolUnknown(p Pool, reason error) {
	s.cold, s.warm, s.unknown = false, false, true
	s.note("%s of %s: %v", p.What, s.FullName(p.Pod), reason)
	s.Flow.Absences = append(s.Flow.Absences, flow.Absence{Instrument: "kill-connections", Pod: s.FullName(p.Pod),
		Reason: reason.Error(), Cost: "a pooled connection may be used or not, and which of the two is not judged"})
}

// InferUnemptied infers the call again from the same dumps, for pools that may have a connection.
// It is still before the request.
func (s *Session) InferUnemptied(ctx context.Context) (flow.Path, error) {
	options := s.question.Options
	options.Cold, options.Warm = false, false
	path, err := s.infer(ctx, s.Flow.Call, options, s.inferredFrom)
	if err != nil {
		return path, fault.Usagef("infer again, with pools that may be warm: %w", err)
	}
	s.Flow.Path = path
	return path, nil
}
