package kind

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"k8s.io/client-go/tools/clientcmd"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/docker"
	"github.com/flowproof/lab/internal/kube"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/removal"
)

// A builder makes the cluster of one lab in one Docker.
type builder struct {
	lab    string
	docker *docker.Docker
	set    *components.Set
	p      progress.Reporter
}

// cluster makes the network, brings the node image to Docker and lets kind create the cluster. It
// returns the kubeconfig.
func (b *builder) cluster(ctx context.Context) ([]byte, error) {
	if _, err := b.docker.Run(ctx, "network", "create", "--driver=bridge", "--label", LabLabel+"="+b.lab,
		Network(b.lab)); err != nil {
		return nil, fmt.Errorf("make the lab's network: %w", err)
	}
	ref := preparedRef
	if !b.docker.Ours {
		ref = imageRef(b.lab, b.set.Kind.Digest)
		if err := b.load(ctx, ref); err != nil {
			return nil, err
		}
	}
	task := b.p.Start("Creating the cluster with kind")
	kubeconfig, err := b.create(ctx, ref, task)
	task.Done(err)
	return kubeconfig, err
}

// load brings the node image to another's Docker, with the lab's label.
func (b *builder) load(ctx context.Context, ref string) error {
	task := b.p.Start("Loading the node image into Docker")
	err := loadNode(ctx, b.docker, b.set.Kind, ref, map[string]string{LabLabel: b.lab})
	task.Done(err)
	return err
}

// loadNode streams the node image into docker load.
func loadNode(ctx context.Context, d *docker.Docker, parts *components.Kind, ref string,
	labels map[string]string) error {
	return d.Load(ctx, func(w io.Writer) error { return parts.NodeArchive(w, ref, labels) })
}

// create runs kind and returns the kubeconfig that it wrote, changed to reach the
// cluster from here.
func (b *builder) create(ctx context.Context, ref string, task progress.Task) ([]byte, error) {
	config, err := clusterConfig(b.set.Kind, b.docker.Ours)
	if err != nil {
		return nil, err
	}
	// Without a file of its own kind would write into the person's kubeconfig. This one is in a
	// directory that goes with the lab, also after a kill.
	dir := filepath.Join(stateDir(b.lab), "kind")
	if b.docker.Ours {
		dir = filepath.Join(b.docker.Dir, "kind")
	} else if err := makeStateDir(b.lab); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fault.Environmentf("create cluster: %w", err)
	}
	defer removal.All(dir)
	kubeconfig := filepath.Join(dir, "kubeconfig")
	err = b.kind(ctx, config, task, "create", "cluster", "--name", clusterName(b.lab), "--image", ref, "--config", "-",
		"--kubeconfig", kubeconfig, "--retain")
	if err != nil {
		return nil, err
	}
	data, err := os.ReadFile(kubeconfig)
	if err != nil {
		return nil, fault.Environmentf("read kind's kubeconfig: %w", err)
	}
	return b.reachable(data)
}

// reachable points a kubeconfig of kind's at the forwarder of our own Docker, and at the
// workshop's namespace.
func (b *builder) reachable(data []byte) ([]byte, error) {
	config, err := clientcmd.Load(data)
	if err != nil {
		return nil, fmt.Errorf("read kind's kubeconfig: %w", err)
	}
	if err := kube.Inert(config); err != nil {
		return nil, fault.Environmentf("read kind's kubeconfig: %w", err)
	}
	for _, c := range config.Contexts {
		c.Namespace = mesh.Workshop
	}
	if b.docker.Ours {
		for _, c := range config.Clusters {
			c.Server = "https://" + b.docker.Forward
		}
	}
	return clientcmd.Write(*config)
}

// kubeconfig asks kind for the kubeconfig of a cluster that is there.
func (b *builder) kubeconfig(ctx context.Context) ([]byte, error) {
	var out bytes.Buffer
	cmd := b.docker.Command(ctx, b.set.Kind.Program, "get", "kubeconfig", "--name", clusterName(b.lab))
	cmd.Stdout = &out
	if err := b.docker.Attend(ctx, cmd, nil); err != nil {
		return nil, fmt.Errorf("ask kind for the kubeconfig: %w", err)
	}
	return b.reachable(out.Bytes())
}

// kind runs kind, with its lines as notes of a task. An error carries what it said.
func (b *builder) kind(ctx context.Context, stdin []byte, task progress.Task, args ...string) error {
	cmd := b.docker.Command(ctx, b.set.Kind.Program, args...)
	cmd.Env = append(cmd.Env, "KIND_EXPERIMENTAL_DOCKER_NETWORK="+Network(b.lab), "KIND_EXPERIMENTAL_PROVIDER=docker")
	cmd.Stdin = bytes.NewReader(stdin)
	return b.docker.Attend(ctx, cmd, func(line string) {
		if step := kindStep(line); step != "" {
			task.Note("%s", step)
		}
	})
}

// kindStep is what kind says that it is at, without its ornaments: " • Preparing nodes 📦 ..."
// is "preparing nodes".
func kindStep(line string) string {
	rest, ok := strings.CutPrefix(strings.TrimSpace(line), "•")
	if !ok {
		return ""
	}
	words := strings.TrimFunc(rest, func(r rune) bool { return r > 0x7e || r == ' ' || r == '.' })
	if words == "" {
		return ""
	}
	return strings.ToLower(words[:1]) + words[1:]
}

// loadImages brings the images of pods to the node, where they are not in a store that it mounts.
func (b *builder) loadImages(ctx context.Context) error {
	if b.set.Kind.Store != "" {
		return nil
	}
	task := b.p.Start("Loading images into the node")
	err := b.importImages(ctx)
	task.Done(err)
	return err
}

// importImages streams the images into the node's containerd, as kind load image-archive does after
// it has written them to a file.
func (b *builder) importImages(ctx context.Context) error {
	archive := func(w io.Writer) error {
		buffered := bufio.NewWriterSize(w, 1<<20)
		return errors.Join(b.set.Archive(buffered), buffered.Flush())
	}
	return b.docker.Feed(ctx, archive, "exec", "--privileged", "-i", nodeName(b.lab),
		"ctr", "--namespace=k8s.io", "images", "import", "--local", "--digests", "--snapshotter=overlayfs", "-")
}
