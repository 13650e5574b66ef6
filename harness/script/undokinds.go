package script

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/internal/removal"
	"github.com/flowproof/lab/internal/undo"
)

// The kinds of actions that a scenario has to undo.
const (
	undoLogLevel = "log-level"
	undoRemove   = "remove"
	undoDelete   = "delete"
	undoOutside  = "outside"
)

// UndoKinds are what a run or, after its death, its guard does to restore a lab.
var UndoKinds = undo.Kinds{undoLogLevel: restoreLogLevel, undoRemove: removeWorkDir, undoDelete: deleteObject, undoOutside: removeOutsider}

// logLevelArgs name a sidecar and the level that each of its loggers had.
type logLevelArgs struct {
	Kubeconfig string      `json:"kubeconfig"`
	Context    string      `json:"context,omitempty"`
	Pod        string      `json:"pod"` // "name.namespace"
	Levels     mesh.Levels `json:"levels"`
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

// removeWorkDir removes a run's directory, and refuses to remove anything else.
func removeWorkDir(_ context.Context, raw json.RawMessage) error {
	var dir string
	if err := json.Unmarshal(raw, &dir); err != nil {
		return err
	}
	if !filepath.IsAbs(dir) || !strings.HasPrefix(filepath.Base(dir), "flowproof-run-") {
		return fmt.Errorf("%q is not a run's directory", dir)
	}
	return removal.All(dir)
}
