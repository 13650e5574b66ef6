package script

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/run/runtest"
)

const brokenTask = `# Mend it.
task check.txtar solution.yaml
-- check.txtar --
request plain -> http://web:8080/
stdout '^status 200'
-- solution.yaml --
apiVersion: v1
kind: Service
metadata: {name: web, namespace: mark}
`

// answering is a lab in which curl is answered by a status.
func answering(status *string) *runtest.Lab {
	return runtest.New(&runtest.Pod{Ref_: "plain.mark", Address: "10.0.0.9",
		Answer: func([]string, []byte) *mesh.Output {
			return &mesh.Output{Stderr: []byte("* Connected to b (10.0.0.1) port 8080\n< HTTP/1.1 " + *status + "\n")}
		}})
}

// TestTask lets a learner mend what is broken, or leave.
func TestTask(t *testing.T) {
	status := "403 Forbidden"
	mend := func(ctx context.Context, task *Task) (bool, error) {
		if !strings.Contains(task.Failure.Reason, "status 200") || !strings.Contains(task.Solution, "kind: Service") {
			t.Errorf("shown were %q and %q", task.Failure.Reason, task.Solution)
		}
		status = "200 OK"
		return task.Check(ctx).Err == nil, nil
	}
	result := Run(t.Context(), answering(&status).Run(), Parse("t", []byte(brokenTask)), Options{Attempt: mend})
	if result.Err != nil || !strings.Contains(result.Phases[0].Steps[0].Output, "mended: the check passes") {
		t.Errorf("%v: %+v", result.Err, result.Phases)
	}

	status = "403 Forbidden"
	leave := func(context.Context, *Task) (bool, error) { return false, errors.New("the lesson was left") }
	result = Run(t.Context(), answering(&status).Run(), Parse("t", []byte(brokenTask)), Options{Attempt: leave})
	if result.Err == nil || !strings.Contains(result.Reason, "the lesson was left") {
		t.Errorf("%v", result.Err)
	}
}
