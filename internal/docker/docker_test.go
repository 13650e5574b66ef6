package docker

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flowproof/lab/harness/fault"
)

func TestChoose(t *testing.T) {
	theirs := &Docker{Version: "27.0.1"}
	none := fmt.Errorf("find Docker: %w: the command docker is not installed", ErrNone)
	refused := fault.Environmentf("find Docker: permission denied")
	missing := errors.New("dockerd is not installed")
	for _, tt := range []struct {
		name     string
		found    *Docker
		err      error
		root     bool
		noDaemon error
		own      bool
		says     string
		refused  bool
	}{
		{name: "one runs", found: theirs, root: true, says: "Docker 27.0.1 runs here"},
		{name: "one runs, and this is no root", found: theirs, says: "Docker 27.0.1 runs here"},
		{name: "none runs, it is installed", err: none, root: true, own: true,
			says: "started in namespaces of its own"},
		{name: "none runs, none is installed", err: none, root: true, noDaemon: missing, says: "hack/setup.sh kind",
			refused: true},
		{name: "none runs, this is no root", err: none, says: "needs root", refused: true},
		{name: "one runs and refuses: no second is started beside it", err: refused, root: true,
			says: "permission denied", refused: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := choose(tt.found, tt.err, tt.root, tt.noDaemon)
			said := c.Reason
			if c.Err != nil {
				said = c.Err.Error()
				if fault.Of(c.Err) != fault.Environment {
					t.Errorf("%v has kind %q", c.Err, fault.Of(c.Err))
				}
			}
			if c.Own != tt.own || (c.Err != nil) != tt.refused || !strings.Contains(said, tt.says) {
				t.Errorf("choose = %+v, want own %v, refused %v, %q", c, tt.own, tt.refused, tt.says)
			}
		})
	}
}

// TestNamedDockerIsNotReplaced looks for one that is named and is not there.
func TestNamedDockerIsNotReplaced(t *testing.T) {
	if _, err := exec.LookPath("docker"); err != nil {
		t.Skip("the command docker is not installed")
	}
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "docker.sock"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := Find(ctx)
	if err == nil || errors.Is(err, ErrNone) || fault.Of(err) != fault.Environment {
		t.Errorf("find: %v, want an error that lets no caller start another", err)
	}
}

func TestErrorSaysWhetherDockerIsGone(t *testing.T) {
	for said, gone := range map[string]bool{
		"Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon " +
			"running?": true,
		"error during connect: Get \"http://docker/v1.41/version\": read: connection reset by " +
			"peer": true,
		"Got permission denied while trying to connect to the Docker daemon socket at " +
			"unix:///var/run/docker.sock": false,
		"Error: No such container: " +
			"lab-control-plane": false,
		"WARNING: something\nError response from daemon: conflict: unable to remove repository reference (must " +
			"force)": false,
	} {
		err := &Error{Program: "docker rm", Said: said, Err: errors.New("exit status 1")}
		if IsGone(err) != gone {
			t.Errorf("%q: gone %v, want %v", said, !gone, gone)
		}
		if got := err.Error(); !strings.HasPrefix(got, "docker rm: ") || strings.Contains(got, "\n") {
			t.Errorf("error %q", got)
		}
	}
}

func TestHere(t *testing.T) {
	for _, tt := range []struct {
		host, system string
		here         bool
	}{
		{"", "Debian GNU/Linux 12 (bookworm)", true},
		{"unix:///var/run/docker.sock", "Ubuntu 24.04 LTS", true},
		{"unix:///run/user/1000/docker.sock", "Debian GNU/Linux 12 (bookworm)", true},
		{"unix:///home/me/.docker/desktop/docker.sock", "Docker Desktop", false},
		{"tcp://192.0.2.1:2376", "Debian GNU/Linux 12 (bookworm)", false},
		{"ssh://me@elsewhere", "Debian GNU/Linux 12 (bookworm)", false},
	} {
		if err := here(tt.host, tt.system); (err == nil) != tt.here {
			t.Errorf("%s, %s: %v, want here %v", tt.host, tt.system, err, tt.here)
		}
	}
}
