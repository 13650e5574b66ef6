package kind

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/docker"
	"github.com/flowproof/lab/internal/wait"
)

// A container is what Docker tells of a container that carries the name of our cluster.
type container struct {
	ID    string
	Name  string
	State string // running, exited, …
	Lab   string // whose it is by LabLabel; empty: no lab of ours
}

// containers lists those of the cluster of a lab, in any state. One question is asked, since
// containers come and go.
func containers(ctx context.Context, d *docker.Docker, lab string) ([]container, error) {
	out, err := d.Run(ctx, "ps", "--all", "--no-trunc", "--filter", "label="+kindLabel+"="+clusterName(lab),
		"--format", "{{.ID}}\t{{.Names}}\t{{.State}}\t{{.Label \""+LabLabel+"\"}}")
	if err != nil {
		return nil, err
	}
	return readContainers(out)
}

func readContainers(table string) ([]container, error) {
	var all []container
	for line := range strings.Lines(table) {
		f := strings.Split(strings.TrimRight(line, "\r\n"), "\t")
		if len(f) < 3 {
			return nil, fmt.Errorf("read what Docker says of a container: %q", line)
		}
		c := container{ID: f[0], Name: f[1], State: f[2]}
		if len(f) > 3 { // the end of the last line is trimmed
			c.Lab = f[3]
		}
		all = append(all, c)
	}
	return all, nil
}

func list(ctx context.Context, d *docker.Docker, args ...string) ([]string, error) {
	out, err := d.Run(ctx, args...)
	return strings.Fields(out), err
}

// What a name stands for.
const (
	free    = "free"    // no cluster has it
	running = "running" // a node of ours runs under it
	stopped = "stopped" // a node of ours does not run
	foreign = "foreign" // another's cluster
)

// judge says what the containers with the cluster's name are to a lab.
func judge(lab string, all []container) string {
	if len(all) == 0 {
		return free
	}
	verdict := running
	for _, c := range all {
		switch {
		case c.Lab != lab:
			return foreign
		case c.State != "running":
			verdict = stopped
		}
	}
	return verdict
}

// refuse is the error for a cluster that is not ours.
func refuse(lab string, all []container) error {
	return fault.Environmentf("bring up lab %s: Docker has a cluster %s that is not the lab's (its node %s lacks the "+
		"label %s=%s): remove it with kind delete cluster --name %[2]s, or give the lab another --name",
		lab, clusterName(lab), all[0].Name, LabLabel, lab)
}

// A thing is one sort of object that Docker keeps, and how those with a label are
// found and removed.
type thing struct {
	list   []string
	remove []string
}

// things are in the order in which they can be removed.
var things = []thing{
	{[]string{"ps", "--all", "--quiet"}, []string{"rm", "--force", "--volumes"}},
	{[]string{"network", "ls", "--quiet"}, []string{"network", "rm"}},
	{[]string{"volume", "ls", "--quiet"}, []string{"volume", "rm", "--force"}},
	{[]string{"images", "--all", "--quiet", "--no-trunc"}, []string{"rmi", "--force"}},
}

// removeDeadline bounds how long what a lab has in Docker is removed.
const removeDeadline = 2 * time.Minute

// stubborn is how often the removal of a thing is tried while Docker refuses it.
const stubborn = 20

// remove removes everything that carries a lab's label, and nothing else. It is content with what
// is gone, and done when it finds nothing any more: a client that was killed may have asked for a
// container that comes only now, and of a container that is just starting, or going, Docker says so
// and keeps it for a moment.
func remove(ctx context.Context, d *docker.Docker, lab string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, removeDeadline,
		fault.Environmentf("not done within %s", removeDeadline))
	defer cancel()
	attempts := 0
	var failed error
	err := wait.Until(ctx, 100*time.Millisecond, func() (bool, error) {
		found, err := removeOnce(ctx, d, lab)
		if attempts++; err != nil && (attempts >= stubborn || ctx.Err() != nil || docker.IsGone(err)) {
			failed = err
		}
		return failed != nil || err == nil && !found, nil
	})
	if err != nil {
		return fmt.Errorf("remove what Docker has of lab %s: %w", lab, err)
	}
	return failed
}

// removeOnce tries to remove everything once, and says whether there was anything.
func removeOnce(ctx context.Context, d *docker.Docker, lab string) (found bool, err error) {
	var failed []error
	for _, t := range things {
		ids, err := list(ctx, d, append(t.list, "--filter", "label="+LabLabel+"="+lab)...)
		if err != nil {
			return found, errors.Join(append(failed, err)...)
		}
		for _, id := range unique(ids) {
			found = true
			if _, err := d.Run(ctx, append(t.remove, id)...); err != nil && !gone(err) {
				failed = append(failed, err)
			}
		}
	}
	return found, errors.Join(failed...)
}

// unique leaves out repetitions: an image with two names is listed twice.
func unique(ids []string) []string {
	seen := map[string]bool{}
	var once []string
	for _, id := range ids {
		if !seen[id] {
			seen[id] = true
			once = append(once, id)
		}
	}
	return once
}

// gone says whether something could not be removed because it was not there any more.
func gone(err error) bool {
	text := strings.ToLower(err.Error())
	return strings.Contains(text, "no such") || strings.Contains(text, "not found") ||
		strings.Contains(text, "already in progress")
}
