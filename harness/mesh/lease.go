package mesh

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/wait"
)

// LeaseAnnotation is the annotation on a pod by which a run has its sidecar alone: its log levels,
// pools, counters and sockets. The run writes there first which levels were true before, so that
// every process on every machine knows them after the run's death.
const LeaseAnnotation = "flowproof.dev/log-levels"

// A lease that is not renewed for leaseTerm is a dead holder's. Both count on the clock of the one
// who looks, never on the holder's.
const (
	leaseTerm  = 20 * time.Second
	leaseRenew = 5 * time.Second
	leaseLook  = 250 * time.Millisecond
)

// ErrHeld is in the chain of the error about a sidecar that another process has alone.
var ErrHeld = errors.New("another command has it alone")

// ErrLost is in the chain of the error about a lease that another process has taken over.
var ErrLost = errors.New("the lease was taken over")

// leaseRecord is what stands in the annotation.
type leaseRecord struct {
	Holder    Holder `json:"holder"`
	Container string `json:"container"` // of the sidecar: levels end with it
	Renewed   int    `json:"renewed"`   // how often; that it changes is what says that the holder lives
	Levels    Levels `json:"levels"`    // from before the first of all who held it
}

// A LevelLease is the right to change and measure one sidecar, with the log levels that were true
// before. Release gives it back.
type LevelLease struct {
	ID     string  // of this holding, for ReleaseLevels
	Levels Levels  // to which the sidecar's loggers go back
	Took   *Holder // the dead holder that it was taken over from; nil: it was free

	stop context.CancelFunc
	done chan struct{}
}

// HoldLevels takes the lease on the sidecar. Where a living process has it, it waits until ctx
// ends, and calls wait once with who that is. A dead process's lease is taken over with its levels.
// The lease is renewed until Stop is called or this process ends.
func (s *Sidecar) HoldLevels(ctx context.Context, wait func(Holder)) (*LevelLease, error) {
	store := s.store()
	wait = once(wait) // also where the lease was free at first, and another was faster to write
	for {
		record, version, err := s.awaitFree(ctx, store, wait)
		if err != nil {
			return nil, err
		}
		lease, err := s.take(ctx, store, record, version)
		switch {
		case err == nil:
			return lease, nil
		case errors.Is(err, errNoRight):
			store = s.fileStore()
		case !errors.Is(err, errConflict):
			return nil, err
		}
	}
}

// AwaitFree waits as HoldLevels does, and takes nothing: it is for a run that changes nothing, and
// writes nothing to the cluster.
func (s *Sidecar) AwaitFree(ctx context.Context, wait func(Holder)) error {
	_, _, err := s.awaitFree(ctx, s.store(), once(wait))
	return err
}

// awaitFree waits until no living process has the lease, and returns what is in the store: nil, or
// a dead holder's. It calls waiting at each look at which one has it.
func (s *Sidecar) awaitFree(ctx context.Context, store leaseStore, waiting func(Holder)) (*leaseRecord, string,
	error) {
	var watched patience
	var record *leaseRecord
	var version string
	var failed error
	err := wait.Until(ctx, leaseLook, func() (bool, error) {
		if record, version, failed = store.read(ctx); failed != nil || record == nil || watched.dead(record) {
			return true, nil
		}
		waiting(record.Holder)
		return false, nil
	})
	if err != nil {
		return nil, "", fault.Environmentf("have %s alone: %w: %s (wait for it to end; where it is gone, `lab "+
			"reset` puts right what it left)",
			s.pod.Ref(), ErrHeld, record.Holder)
	}
	return record, version, failed
}

// once is wait for its first call alone.
func once(wait func(Holder)) func(Holder) {
	var told sync.Once
	return func(by Holder) { told.Do(func() { wait(by) }) }
}

// take writes our own lease over record, which is nil or a dead holder's.
func (s *Sidecar) take(ctx context.Context, store leaseStore, record *leaseRecord,
	version string) (*LevelLease, error) {
	container, err := s.container(ctx)
	if err != nil {
		return nil, err
	}
	next := leaseRecord{Holder: thisHolder(), Container: container}
	lease := &LevelLease{ID: next.Holder.ID}
	if record != nil && record.Container == container {
		next.Levels, lease.Took = record.Levels, &record.Holder
	} else if next.Levels, err = s.Loggers(ctx); err != nil {
		return nil, err
	}
	if _, err = store.write(ctx, &next, version); err != nil {
		return nil, err
	}
	lease.Levels = next.Levels
	renewing, stop := context.WithCancel(context.WithoutCancel(ctx))
	lease.stop, lease.done = stop, make(chan struct{})
	go func() {
		defer close(lease.done)
		renew(renewing, store, next)
	}()
	return lease, nil
}

// renew says until ctx ends that the holder lives. An apiserver that does not answer is asked
// again; a lease that is another's by now is let go.
func renew(ctx context.Context, store leaseStore, own leaseRecord) {
	tick := time.NewTicker(leaseRenew)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		record, version, err := store.read(ctx)
		switch {
		case err != nil:
			continue
		case record == nil || record.Holder.ID != own.Holder.ID:
			return
		}
		record.Renewed++
		_, _ = store.write(ctx, record, version) // a conflict is no answer: the next tick reads again
	}
}

// Stop ends the renewing, if any goes on. The lease stands until ReleaseLevels.
func (l *LevelLease) Stop() {
	if l.stop == nil {
		return
	}
	l.stop()
	<-l.done
}

// ReleaseLevels sets the loggers of the sidecar back and gives up the lease of that ID. The caller
// is the holder, or what does it in the holder's place. It first makes itself the holder, so that
// no other takes the lease over in the meantime. It is content where the lease is another's by now,
// who then knows the levels, and where the sidecar is another start, whose levels are its own.
func (s *Sidecar) ReleaseLevels(ctx context.Context, id string, levels Levels) error {
	store := s.store()
	for {
		record, version, err := store.read(ctx)
		if err != nil {
			return err
		}
		switch {
		case record == nil && store.kind() == annotationStore:
			store = s.fileStore()
			continue
		case record == nil: // it was taken away; no other holder has changed the levels since
			return s.Restore(ctx, levels)
		case record.Holder.ID != id:
			return nil
		}
		own := *record
		own.Holder = thisHolder()
		own.Holder.ID = id
		own.Renewed++
		version, err = store.write(ctx, &own, version)
		if errors.Is(err, errConflict) {
			continue
		}
		if err != nil {
			return err
		}
		if err := s.setBack(ctx, own.Container, levels); err != nil {
			return err
		}
		if _, err = store.write(ctx, nil, version); !errors.Is(err, errConflict) {
			return err
		}
	}
}

// LowerLevels sets the loggers of the sidecar back, and leaves the lease to its holder: what the
// holder raised them for is over, and what it still does takes longer where each request is logged.
// It is content where the lease of that ID is another's by now, or gone.
func (s *Sidecar) LowerLevels(ctx context.Context, id string, levels Levels) error {
	store := s.store()
	record, _, err := store.read(ctx)
	if err == nil && record == nil && store.kind() == annotationStore {
		record, _, err = s.fileStore().read(ctx)
	}
	if err != nil || record == nil || record.Holder.ID != id {
		return err
	}
	return s.setBack(ctx, record.Container, levels)
}

// setBack restores the levels of the start of Envoy that they were raised of. Of another start, as
// the apiserver tells it, the levels are its own, unless they are raised: the apiserver learns of a
// restart late, so that what a run raised just then may be the next start's.
func (s *Sidecar) setBack(ctx context.Context, container string, levels Levels) error {
	now, err := s.container(ctx)
	if err != nil {
		return err
	}
	if now != container {
		loggers, err := s.Loggers(ctx)
		if err != nil || !loggers.raisedFrom(levels) {
			return err
		}
	}
	return s.Restore(ctx, levels)
}

// container is the id of the sidecar's container, which changes when it starts again.
func (s *Sidecar) container(ctx context.Context) (string, error) {
	if err := s.pod.refresh(ctx); err != nil {
		return "", err
	}
	for _, status := range s.pod.longLived() {
		if status.Name == SidecarContainer {
			return status.ContainerID, nil
		}
	}
	return "", nil
}

// A LeftLease is a lease whose holder is gone.
type LeftLease struct {
	Pod    string // "name.namespace"
	Holder Holder
	Levels Levels
}

// ResetLevels puts right what dead holders of log levels left in all pods of the cluster: the
// levels from before, and the lease. It returns what it put right and, as held, who lives. It looks
// twice, a lease's term apart, where it cannot tell at once.
func (m *Mesh) ResetLevels(ctx context.Context) (reset []LeftLease, held []LeftLease, err error) {
	return m.eachLease(ctx, true)
}

// Leases says what ResetLevels would put right, and what it would leave. It changes nothing.
func (m *Mesh) Leases(ctx context.Context) (left []LeftLease, held []LeftLease, err error) {
	return m.eachLease(ctx, false)
}

func (m *Mesh) eachLease(ctx context.Context, release bool) (reset []LeftLease, held []LeftLease, err error) {
	pods, err := m.leased(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, pod := range pods {
		sidecar, err := pod.Sidecar()
		if err != nil {
			return reset, held, err
		}
		left, living, err := sidecar.resetLevels(ctx, release)
		_ = sidecar.Close()
		switch {
		case err != nil:
			return reset, held, err
		case left != nil && living:
			held = append(held, *left)
		case left != nil:
			reset = append(reset, *left)
		}
	}
	return reset, held, nil
}

func (s *Sidecar) resetLevels(ctx context.Context, release bool) (left *LeftLease, living bool, err error) {
	var watched patience
	ended := wait.Until(ctx, leaseLook, func() (bool, error) {
		var record *leaseRecord
		if record, _, err = s.store().read(ctx); err != nil || record == nil {
			left = nil
			return true, nil
		}
		left = &LeftLease{Pod: s.pod.Ref(), Holder: record.Holder, Levels: record.Levels}
		switch {
		case watched.dead(record) && release:
			err = s.ReleaseLevels(ctx, record.Holder.ID, record.Levels)
			return true, nil
		case watched.dead(record):
			return true, nil
		}
		living = watched.alive(record)
		return living, nil
	})
	if ended != nil {
		return nil, false, ended
	}
	return left, living, err
}

// patience watches one lease for whether its holder lives.
type patience struct {
	id      string
	renewed int
	since   time.Time
	changed bool // the holder renewed it while we looked
}

// dead reports whether the holder of a record is gone: a process of this machine that is not there,
// or one that has not renewed its lease for a whole term, while we looked.
func (p *patience) dead(record *leaseRecord) bool {
	if p.id != record.Holder.ID || p.renewed != record.Renewed || p.since.IsZero() {
		p.changed = p.id == record.Holder.ID && !p.since.IsZero()
		p.id, p.renewed, p.since = record.Holder.ID, record.Renewed, time.Now()
	}
	if here, alive := record.Holder.alive(); here {
		return !alive
	}
	return time.Since(p.since) > leaseTerm
}

// alive reports whether the holder is known to live.
func (p *patience) alive(record *leaseRecord) bool {
	here, alive := record.Holder.alive()
	return here && alive || p.changed
}

// decodeLease reads an annotation. One that is no lease of ours is an error: it is
// not written over.
func decodeLease(text string) (*leaseRecord, error) {
	var record leaseRecord
	if err := json.Unmarshal([]byte(text), &record); err != nil {
		return nil, fmt.Errorf("annotation %s is no lease: %w", LeaseAnnotation, err)
	}
	if record.Holder.ID == "" || len(record.Levels) == 0 {
		return nil, fmt.Errorf("annotation %s is no lease: it names no holder or no level", LeaseAnnotation)
	}
	for logger, level := range record.Levels {
		if !slices.Contains(logLevels, level) {
			return nil, fmt.Errorf("annotation %s is no lease: logger %q is at the unknown level %q", LeaseAnnotation,
				logger, level)
		}
	}
	return &record, nil
}

func newLeaseID() string { return rand.Text() }
