// Package docker finds the Docker of this machine, or starts one of our own where none runs.
//
// A Docker of our own lives in an enclosure: its network, mounts, processes and cgroups are its
// own, its data lie in memory, and the end of the enclosure is the end of all its containers,
// networks, volumes and images. Nothing of it can be seen on the host but its socket. It has no way
// out: names do not exist, and that is said at once.
package docker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/flowproof/lab/internal/enclosure"
	"github.com/flowproof/lab/internal/platform"
	"github.com/flowproof/lab/internal/trust"
	"github.com/flowproof/lab/internal/wait"
)

// A Docker is one that answers.
type Docker struct {
	Host    string // for DOCKER_HOST; empty: what the docker command chooses by itself
	Version string // of the server
	Ours    bool   // started by us, in an enclosure; false: another's
	Name    string // of the enclosure, when it is ours
	NetNS   string // path of the network namespace in which ports are published; empty: the host's
	Dir     string // on the host, goes with it, when it is ours
	Forward string // address on the host's loopback that leads to ForwardPort in NetNS, when it is ours

	owner *enclosure.Owner // nil: it was there before
}

// ForwardPort is the port on the loopback of our own Docker's network namespace that
// Docker.Forward leads to.
const ForwardPort = 6443

// Env is what a program's environment needs beside ours to speak with this Docker. Of one
// of our own it keeps away what a person has configured for others, and proxies, which
// cannot be reached from it.
func (d *Docker) Env() []string {
	var env []string
	if d.Host != "" {
		env = append(env, "DOCKER_HOST="+d.Host, "DOCKER_CONTEXT=")
	}
	if d.Ours {
		env = append(env, "DOCKER_CONFIG="+filepath.Join(d.Dir, "config"), "DOCKER_TLS_VERIFY=", "DOCKER_CERT_PATH=")
		for _, proxy := range []string{"HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY"} {
			env = append(env, proxy+"=", strings.ToLower(proxy)+"=")
		}
	}
	return env
}

// Owner is the hold on a Docker that Start has started; nil for one that was there before. It ends
// with this process until it is committed.
func (d *Docker) Owner() *enclosure.Owner { return d.owner }

// Command is a program with this Docker in its environment. It is killed with all its children when
// ctx ends, and dies with this process.
func (d *Docker) Command(ctx context.Context, name string, args ...string) *exec.Cmd {
	path, err := trust.LookPath(name)
	if err != nil {
		path = name
	}
	cmd := exec.CommandContext(ctx, path, args...)
	if err != nil {
		cmd.Err = err
	}
	cmd.Env = append(os.Environ(), d.Env()...)
	platform.OwnGroup(cmd)
	cmd.Cancel = func() error { return platform.EndGroup(cmd) }
	cmd.WaitDelay = 10 * time.Second
	return cmd
}

// Run runs the docker command and returns what it wrote, trimmed. Its error has the line
// that names the trouble.
func (d *Docker) Run(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := d.Command(ctx, "docker", args...)
	cmd.Stdout = &out
	err := d.Attend(ctx, cmd, nil)
	if failed := (*Error)(nil); errors.As(err, &failed) {
		failed.Full = false
	}
	return strings.TrimSpace(out.String()), err
}

// An Error is a program that failed while it spoke with Docker, and what it said.
type Error struct {
	Program string // with its first words
	Said    string // its last lines
	Err     error
	Full    bool // the message has all of them
}

func (e *Error) Error() string {
	if e.Full {
		return fmt.Sprintf("%s: %v\nCommand Output:\n%s", e.Program, e.Err, e.Said)
	}
	return fmt.Sprintf("%s: %s", e.Program, e.cause())
}

// cause is the line that names the trouble: the last one, before the hint at a help page.
func (e *Error) cause() string {
	cause := fmt.Sprint(e.Err)
	for line := range strings.Lines(e.Said) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "See 'docker") &&
			!strings.HasPrefix(line, "Run 'docker") {
			cause = line
		}
	}
	return cause
}

func (e *Error) Unwrap() error { return e.Err }

// Gone says that Docker did not answer: it is stopped, or starts again at this moment.
func (e *Error) Gone() bool {
	for _, says := range []string{"Cannot connect to the Docker daemon", "error during connect",
		"connection reset by peer", "unexpected EOF", "daemon is not running", "is shutting down"} {
		if strings.Contains(e.Said, says) {
			return true
		}
	}
	return false
}

// IsGone says whether an error came from a Docker that did not answer.
func IsGone(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Gone()
}

// Ping asks for the server's version and notes it.
func (d *Docker) Ping(ctx context.Context) error {
	out, err := d.Run(ctx, "version", "--format", "{{json .Server}}")
	if err != nil {
		return err
	}
	var server struct{ Version string }
	if err := json.Unmarshal([]byte(out), &server); err != nil || server.Version == "" {
		return &Error{Program: "docker version", Said: "error during connect: no server answers"}
	}
	d.Version = server.Version
	return nil
}

// Watch ends ctx with an error that IsGone knows when Docker stops answering, until ctx ends by
// itself. What broke then, broke because of it.
func (d *Docker) Watch(ctx context.Context, lost context.CancelCauseFunc) {
	_, err := d.Run(ctx, "events", "--filter", "type=daemon") // it ends with Docker, and tells of a reload at most
	if ctx.Err() == nil {
		lost(&Error{Program: "docker events",
			Said: fmt.Sprintf("error during connect: Docker has stopped answering (%v)", err)})
	}
}

// Await waits until a Docker that starts, or starts again, answers.
func (d *Docker) Await(ctx context.Context) error {
	var last error
	_ = wait.Until(ctx, 200*time.Millisecond, func() (bool, error) { // a socket without a listener has no event
		last = d.Ping(ctx)
		return last == nil || !IsGone(last), nil
	})
	return last
}
