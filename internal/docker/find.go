package docker

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/redact"
	"github.com/flowproof/lab/internal/trust"
)

// How long a Docker may take to answer: one that accepts the question, or that is named with
// DOCKER_HOST, and one that has left its socket behind, as it does while it is started again.
const (
	patience      = 30 * time.Second
	stalePatience = 10 * time.Second
)

// ErrNone says that no Docker runs on this machine.
var ErrNone = errors.New("no Docker answers")

// Find returns the Docker that the docker command of this machine speaks with: by DOCKER_HOST, by
// its context, or by the default socket. One that is being started is waited for. ErrNone is in the
// chain of the error when there is none, unless DOCKER_HOST says that there is.
func Find(ctx context.Context) (*Docker, error) {
	_, err := trust.LookPath("docker")
	if errors.Is(err, trust.ErrUntrusted) {
		return nil, fault.Environmentf("find Docker: %w", err)
	}
	if err != nil {
		return nil, fmt.Errorf("find Docker: %w: the command docker is not installed", ErrNone)
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, fmt.Errorf("no answer within %s", patience))
	defer cancel()
	d := &Docker{}
	err = d.Ping(ctx)
	named := os.Getenv("DOCKER_HOST")
	if IsGone(err) && (named != "" || exists(defaultSocket)) {
		if later := d.awaitStart(ctx, named != ""); later == nil || ctx.Err() == nil {
			err = later // else the first answer stands: none
		}
	}
	switch {
	case ctx.Err() != nil && err != nil && !IsGone(err):
		return nil, fault.Environmentf("find Docker: %w (it is there and hangs: start it again)", err)
	case err == nil:
		return d, nil
	case IsGone(err) && named != "":
		return nil, fault.Environmentf("find Docker: DOCKER_HOST=%s does not answer (start that Docker, or unset "+
			"DOCKER_HOST)", redact.URL(named))
	case IsGone(err):
		return nil, fmt.Errorf("find Docker: %w: %w", ErrNone, err)
	}
	return nil, fault.Environmentf("find Docker: %w (may this user speak with it?)", err)
}

// awaitStart waits for a Docker that should answer soon.
func (d *Docker) awaitStart(ctx context.Context, named bool) error {
	if !named {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, stalePatience)
		defer cancel()
	}
	return d.Await(ctx)
}

// defaultSocket is where the docker command looks when it is not told otherwise.
const defaultSocket = "/var/run/docker.sock"

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// A Choice says which Docker a lab runs in, and why.
type Choice struct {
	Own    bool   // start one of our own
	Reason string // in words that follow "because"
	Err    error  // neither can be
}

// Choose decides between another's Docker, as Find reported it, and one of our own.
func Choose(found *Docker, err error) Choice {
	return choose(found, err, os.Geteuid() == 0, whyNoDaemon())
}

func choose(found *Docker, err error, root bool, noDaemon error) Choice {
	switch {
	case err == nil:
		return Choice{Reason: fmt.Sprintf("Docker %s runs here", found.Version)}
	case !errors.Is(err, ErrNone):
		return Choice{Err: err}
	case noDaemon != nil:
		return Choice{
			Err: fault.Environmentf("find Docker: none runs, and none can be started: %w (run: hack/setup.sh kind)",
				noDaemon),
		}
	case !root:
		return Choice{
			Err: fault.Environmentf("find Docker: none runs, and starting one needs root (run as root, or start " +
				"Docker)"),
		}
	}
	return Choice{Own: true, Reason: "no Docker runs here, so one is started in namespaces of its own"}
}

// programs are what a Docker of our own is made of.
var programs = []string{"docker", "dockerd", "containerd", "containerd-shim-runc-v2", "runc", "iptables"}

// searchPath is where those programs are looked for beside PATH: a user's may lack the
// administrator's directories.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
