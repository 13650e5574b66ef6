// Package outside is a client outside of the mesh: a plain container on the network of the
// cluster's nodes. No sidecar speaks for it, so what it sends arrives without a certificate,
// without SNI, and under no name.
package outside

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/log"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/outside/early"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/internal/docker"
)

// The library's initialisers are through.
func init() { early.Done() }

// A Place is where a client can run so that it reaches the nodes of a lab.
type Place struct {
	Docker  *docker.Docker
	Network string            // of that Docker, on which the nodes are
	Labels  map[string]string // by which the containers of the lab are found and removed
	Image   string            // with curl and sleep; it has to be there, or where it can be pulled from
}

// A Host is a backend that has such a place.
type Host interface {
	Outside(ctx context.Context, lab *cluster.Lab) (Place, error)
}

// A Client is a container that waits to be told what to send.
type Client struct {
	Name      string // of the container
	IP        string // on the nodes' network
	container testcontainers.Container
	docker    *docker.Docker // that it runs in
}

// Start starts a client under a name that no container has yet.
func Start(ctx context.Context, place Place, name string) (*Client, error) {
	if err := use(ctx, place.Docker); err != nil {
		return nil, err
	}
	container, err := testcontainers.GenericContainer(ctx, testcontainers.GenericContainerRequest{
		ContainerRequest: testcontainers.ContainerRequest{
			Image: place.Image, Name: name, Networks: []string{place.Network}, Labels: maps.Clone(place.Labels),
			Entrypoint: []string{"sleep"}, Cmd: []string{"1d"},
		},
		ProviderType: testcontainers.ProviderDocker, Started: true, Logger: log.NewNoopLogger(),
	})
	if err != nil {
		if container != nil {
			err = errors.Join(err, terminate(context.WithoutCancel(ctx), container))
		}
		return nil, fault.Environmentf("start a client outside of the mesh: %w", err)
	}
	ip, err := container.ContainerIP(ctx)
	if err == nil && ip == "" {
		err = fmt.Errorf("it has no address on network %s (see `docker network inspect %[1]s`; lab down and up make "+
			"the network anew)", place.Network)
	}
	if err != nil {
		err = errors.Join(err, terminate(context.WithoutCancel(ctx), container))
		return nil, fault.Environmentf("start a client outside of the mesh: %w", err)
	}
	return &Client{Name: name, IP: ip, container: container, docker: place.Docker}, nil
}

// Exec runs a command in the container; input, if any, is what it reads from standard input. A
// command that ends with a code other than 0 is not an error.
func (c *Client) Exec(ctx context.Context, command []string, input []byte) (*mesh.Output, error) {
	if input != nil {
		return c.feed(ctx, command, input)
	}
	code, stream, err := c.container.Exec(ctx, command)
	if err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, fault.Environmentf("run %s in container %s: %w", command[0], c.Name, err)
	}
	var stdout, stderr bytes.Buffer
	if _, err := stdcopy.StdCopy(&stdout, &stderr, stream); err != nil {
		return nil, fault.Environmentf("run %s in container %s: read its output: %w", command[0], c.Name, err)
	}
	if text := stdout.String() + stderr.String(); (code == 126 || code == 127) &&
		strings.Contains(text, "executable file not found") {
		return nil, fault.Environmentf("run %s in container %s: %w", command[0], c.Name, mesh.ErrNoProgram)
	}
	return &mesh.Output{Stdout: stdout.Bytes(), Stderr: stderr.Bytes(), Code: code}, nil
}

// feed runs a command that reads. The container library has no standard input, so it is
// docker that runs it.
func (c *Client) feed(ctx context.Context, command []string, input []byte) (*mesh.Output, error) {
	var stdout, stderr bytes.Buffer
	cmd := c.docker.Command(ctx, "docker", append([]string{"exec", "--interactive", c.Name}, command...)...)
	cmd.Stdin, cmd.Stdout = bytes.NewReader(input), &stdout
	err := c.docker.Attend(ctx, cmd, func(line string) { stderr.WriteString(line + "\n") })
	out := &mesh.Output{Stdout: stdout.Bytes(), Stderr: stderr.Bytes()}
	var failed *exec.ExitError
	switch {
	case err == nil:
		return out, nil
	case ctx.Err() != nil || !errors.As(err, &failed):
		return nil, fault.Environmentf("run %s in container %s: %w", command[0], c.Name, err)
	case strings.Contains(stderr.String(), "executable file not found"):
		return nil, fault.Environmentf("run %s in container %s: %w", command[0], c.Name, mesh.ErrNoProgram)
	}
	out.Code = failed.ExitCode()
	return out, nil
}

// removal bounds how long a container's removal may take.
const removal = 30 * time.Second

// terminate removes a container at once: what runs in it has nothing to bring to an end.
func terminate(ctx context.Context, container testcontainers.Container) error {
	ctx, cancel := context.WithTimeoutCause(ctx, removal, fmt.Errorf("not done within %s", removal))
	defer cancel()
	err := container.Terminate(ctx, testcontainers.StopTimeout(0))
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return err
}

// Close removes the container.
func (c *Client) Close(ctx context.Context) error {
	if err := terminate(ctx, c.container); err != nil {
		return fault.Environmentf("remove container %s: %w", c.Name, err)
	}
	return nil
}

// Remove removes the containers that have all of the labels, of any starter, and is content when
// there is none, or no Docker any more. It needs no memory of them, and no reaper.
func Remove(ctx context.Context, d *docker.Docker, labels map[string]string) error {
	if len(labels) == 0 {
		return errors.New("remove containers: no label says which")
	}
	args := []string{"ps", "--all", "--quiet", "--no-trunc"}
	for _, label := range slices.Sorted(maps.Keys(labels)) {
		args = append(args, "--filter", "label="+label+"="+labels[label])
	}
	ids, err := d.Run(ctx, args...)
	if docker.IsGone(err) || err == nil && ids == "" {
		return nil
	}
	if err != nil {
		return fault.Environmentf("look for containers: %w", err)
	}
	if _, err := d.Run(ctx, append([]string{"rm", "--force", "--volumes"}, strings.Fields(ids)...)...); err != nil &&
		!docker.IsGone(err) && !already(err) {
		return fault.Environmentf("remove containers: %w", err)
	}
	return nil
}

// already says that another process removes a container, or has done so.
func already(err error) bool {
	var e *docker.Error
	return errors.As(err, &e) && (strings.Contains(e.Said, "No such container") ||
		strings.Contains(e.Said, "already in progress"))
}

// used is the Docker that the container library works with in this process; it
// reads its settings once.
var used struct {
	sync.Mutex
	docker *docker.Docker
}

// use makes the container library speak with a Docker. It finds it, as every tool does, by
// the variable DOCKER_HOST; and it is told to do without its reaper where the reaper's
// image cannot be had.
func use(ctx context.Context, d *docker.Docker) error {
	used.Lock()
	defer used.Unlock()
	if used.docker != nil {
		if used.docker.Host != d.Host {
			return fault.Environmentf("use Docker %s: this process works with %s already", d.Host, used.docker.Host)
		}
		return nil
	}
	if d.Host != "" {
		if err := os.Setenv("DOCKER_HOST", d.Host); err != nil {
			return fmt.Errorf("use Docker: %w", err)
		}
	}
	if !reaper(ctx, d) {
		if err := os.Setenv("TESTCONTAINERS_RYUK_DISABLED", "true"); err != nil {
			return fmt.Errorf("use Docker: %w", err)
		}
	}
	log.SetDefault(log.NewNoopLogger()) // what matters comes back as an error
	used.docker = d
	return nil
}

// reaper says whether the library's reaper can run: its image is there or can be pulled. A Docker
// of our own has no way out.
func reaper(ctx context.Context, d *docker.Docker) bool {
	//lint:ignore SA1019 the library says the name of its reaper's image in no other place
	image := testcontainers.ReaperDefaultImage
	if _, err := d.Run(ctx, "image", "inspect", "--format", "{{.Id}}", image); err == nil {
		return true
	}
	if d.Ours {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, pullPatience)
	defer cancel()
	_, err := d.Run(ctx, "pull", "--quiet", image)
	return err == nil
}
