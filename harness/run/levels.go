package run

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/internal/undo"
)

// UndoKinds are what a run or, after its death, its guard does to restore a lab.
var UndoKinds = undo.Kinds{undoLogLevel: restoreLogLevel}

const undoLogLevel = "log-level"

// logLevelArgs name a sidecar and the level that each of its loggers had.
type logLevelArgs struct {
	Kubeconfig string      `json:"kubeconfig"`
	Context    string      `json:"context,omitempty"`
	Pod        string      `json:"pod"` // "name.namespace"
	Levels     mesh.Levels `json:"levels"`
}

// SetLevel sets all loggers of a sidecar to one level until the run's undo list is worked off, and returns the levels of before.
func (s *Session) SetLevel(ctx context.Context, ref, level string) (mesh.Levels, error) {
	sidecar, err := s.Sidecar(ctx, ref)
	if err != nil {
		return nil, err
	}
	before, err := sidecar.Loggers(ctx)
	if err != nil {
		return nil, err
	}
	if err := s.rememberLevels(sidecar.Pod().Ref(), before); err != nil {
		return nil, err
	}
	return before, sidecar.SetLevel(ctx, level)
}

// rememberLevels notes the levels to restore; the first time counts.
func (s *Session) rememberLevels(pod string, levels mesh.Levels) error {
	what := fmt.Sprintf("restore the log level of %s to %s", pod, levels.Summary())
	for _, action := range s.Undo.Pending() {
		if action.Kind == undoLogLevel && strings.HasPrefix(action.What, "restore the log level of "+pod+" to ") {
			return nil
		}
	}
	_, err := s.Undo.Add(undoLogLevel, what, logLevelArgs{Kubeconfig: s.Lab.Mesh.Kubeconfig(), Context: s.Lab.Mesh.Context(), Pod: pod, Levels: levels})
	return err
}

// restoreLogLevel connects anew: the connections of the run may be what failed.
func restoreLogLevel(ctx context.Context, raw json.RawMessage) error {
	var args logLevelArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return err
	}
	m, err := mesh.ConnectContext(args.Kubeconfig, args.Context)
	if err != nil {
		return err
	}
	pod, err := m.Pod(ctx, args.Pod)
	if errors.Is(err, mesh.ErrNoPod) {
		return nil // the level went with the pod
	}
	if err != nil {
		return err
	}
	sidecar, err := pod.Sidecar()
	if err != nil {
		return err
	}
	defer sidecar.Close()
	return sidecar.Restore(ctx, args.Levels)
}
