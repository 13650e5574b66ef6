package components

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
)

// importNamespace is containerd's namespace of the kubelet's images.
const importNamespace = "k8s.io"

// pinned keeps the kubelet from removing an image when the disk fills: nothing could bring it back.
const pinned = "io.cri-containerd.pinned=pinned"

// socket is short wherever the cache lies: a socket's path has room for 108 bytes only. containerd
// and ctr both run in the scratch directory, which goes with the entry if they are killed.
const socket = "/proc/self/cwd/containerd.sock"

// importConfig is a containerd that does nothing but keep images. Paths are quoted as
// TOML strings by %q.
const importConfig = `version = 3
root = %q
state = %q
temp = %q
disabled_plugins = ["io.containerd.cri.v1.images", "io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri",
  "io.containerd.nri.v1.nri", "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.blockfile",
  "io.containerd.snapshotter.v1.btrfs", "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.erofs",
  "io.containerd.snapshotter.v1.zfs"]
[grpc]
  address = %q
[ttrpc]
  address = %q
`

// A store is made by a containerd of our own, which is gone with all its mounts
// when makeStore returns.
type store struct {
	containerd, ctr string // programs
	root            string // the file system that has the libraries which they may need
	layout          string // the images
}

// make imports the layout's images into w's content directory as a containerd root,
// and unpacks them.
func (s store) make(ctx context.Context, w work) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("import images: containerd needs root (run: sudo lab build)")
	}
	blobs := filepath.Join(w.content, "io.containerd.content.v1.content", "blobs", "sha256")
	if err := linkBlobs(filepath.Join(s.layout, "blobs", "sha256"), blobs); err != nil {
		return fmt.Errorf("import images: %w", err)
	}
	config := filepath.Join(w.scratch, "config.toml")
	text := fmt.Sprintf(importConfig, w.content, filepath.Join(w.scratch, "state"),
		filepath.Join(w.scratch, "temp"), socket, socket+".ttrpc")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		return explain(err, "")
	}
	name, args, err := withLibraries(s.root, s.containerd, "--config", config)
	if err != nil {
		return fmt.Errorf("import images: %w", err)
	}
	daemon, err := start(ctx, command{name: name, args: args, dir: w.scratch})
	if err != nil {
		return err
	}
	err = s.load(ctx, w)
	return errors.Join(err, daemon.stop(err))
}

// load streams the layout into ctr's import.
func (s store) load(ctx context.Context, w work) error {
	r, pipe := io.Pipe()
	go func() { pipe.CloseWithError(tarTree(pipe, s.layout)) }()
	defer r.Close()
	name, args, err := withLibraries(s.root, s.ctr, "--address", socket, "--namespace", importNamespace,
		"images", "import", "--local", "--snapshotter", "overlayfs", "--label", pinned, "-")
	if err != nil {
		return fmt.Errorf("import images: %w", err)
	}
	ctr := command{name: name, dir: w.scratch, stdin: r, args: args,
		line: func(line string) { w.task.Note("%s", line) }}
	if err := ctr.run(ctx); err != nil {
		return fmt.Errorf("import images: %w", err)
	}
	return nil
}

// tarTree writes dir as a tar stream.
func tarTree(out io.Writer, dir string) error {
	w := tar.NewWriter(out)
	return errors.Join(tree(dir)(w), w.Close())
}

// A daemon is a containerd that has booted.
type daemon struct {
	process *os.Process
	ended   chan error
	kill    context.CancelFunc
}

// start runs a containerd in namespaces of its own and returns when it says that it has booted.
func start(ctx context.Context, cmd command) (*daemon, error) {
	ctx, kill := context.WithCancel(ctx)
	d := &daemon{ended: make(chan error, 1), kill: kill}
	running, booted := make(chan *os.Process, 1), make(chan struct{})
	cmd.private, cmd.started = true, func(p *os.Process) { running <- p }
	once := sync.OnceFunc(func() { close(booted) })
	cmd.line = func(line string) {
		if strings.Contains(line, "containerd successfully booted") {
			once()
		}
	}
	go func() { d.ended <- cmd.run(ctx) }()
	select {
	case <-booted:
		d.process = <-running
		return d, nil
	case err := <-d.ended:
		kill()
		if err == nil {
			err = errors.New("it ended at once")
		}
		return nil, fmt.Errorf("start containerd: %w", err)
	}
}

// stop ends the daemon: politely after success, so that its databases are closed in order, at
// once after a failure.
func (d *daemon) stop(failed error) error {
	defer d.kill()
	if failed != nil {
		d.kill()
		<-d.ended
		return nil
	}
	d.process.Signal(syscall.SIGTERM)
	if err := <-d.ended; err != nil {
		return fmt.Errorf("end containerd: %w", err)
	}
	return nil
}

// linkBlobs adds the blobs of one folder to another, which may have some of them: a blob's name
// says what is in it.
func linkBlobs(dir, dest string) error {
	if err := os.MkdirAll(dest, 0o755); err != nil {
		return err
	}
	blobs, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, b := range blobs {
		if err := linkFile(filepath.Join(dir, b.Name()), filepath.Join(dest, b.Name())); err != nil &&
			!errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// linkTree makes dest a copy of dir that shares its files' blocks.
func linkTree(dir, dest string) error {
	if err := os.MkdirAll(dest, 0o755); err != nil {
		return err
	}
	files, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := linkFile(filepath.Join(dir, f.Name()), filepath.Join(dest, f.Name())); err != nil {
			return err
		}
	}
	return nil
}

// linkFile makes dest another name of path; a symbolic link is made anew.
func linkFile(path, dest string) error {
	if target, err := os.Readlink(path); err == nil {
		return os.Symlink(target, dest)
	}
	return os.Link(path, dest)
}
