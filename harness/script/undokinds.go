package script

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"

	"github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/internal/removal"
	"github.com/flowproof/lab/internal/scratch"
	"github.com/flowproof/lab/internal/undo"
)

// The kinds of actions that a scenario has to undo.
const (
	undoRemove  = "remove"
	undoDelete  = "delete"
	undoOutside = "outside"
)

// UndoKinds are what a run or, after its death, its guard does to restore a lab.
var UndoKinds = undoKinds()

func undoKinds() undo.Kinds {
	kinds := maps.Clone(run.UndoKinds)
	maps.Copy(kinds, undo.Kinds{undoRemove: removeWorkDir, undoDelete: deleteObject, undoOutside: removeOutsider})
	return kinds
}

// removeWorkDir removes a run's directory, and refuses to remove anything else.
func removeWorkDir(_ context.Context, raw json.RawMessage) error {
	var dir string
	if err := json.Unmarshal(raw, &dir); err != nil {
		return err
	}
	if !scratch.Is(dir) {
		return fmt.Errorf("%q is not a run's directory", dir)
	}
	return removal.All(dir)
}
