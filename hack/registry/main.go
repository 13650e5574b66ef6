// Command registry serves images on loopback that have the layout of the published ones, assembled
// from the lab's own parts, and runs a command for which no other images and no packages exist:
//
//	registry [-dir DIR] [-older] COMMAND [ARGUMENT...]
//
// With -older it serves an older Istio too, as a release of its own: $OLDER_ISTIO is its version.
// It shows that --images registry compiles nothing, on machines that no registry of images answers.
// What only the real images have (Istio's own filters, programs of other builds) it cannot show.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"log"
	"net/http/httptest"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/layout"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/removal"
)

func main() {
	dir := flag.String("dir", "out/registry",
		"new folder for the registry and for the command's caches; emptied if it is a registry's")
	withOlder := flag.Bool("older", false, "build an older Istio and serve it too, as release "+olderTag)
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *dir, *withOlder, flag.Args()); err != nil {
		fmt.Fprintln(os.Stderr, "registry:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, dir string, withOlder bool, command []string) error {
	if len(command) == 0 {
		return errors.New("name a command to run (such as: bin/lab --name registry run inbound --images registry)")
	}
	dir, err := filepath.Abs(dir)
	if err != nil {
		return err
	}
	if err := makeAnew(dir); err != nil {
		return err
	}
	for _, folder := range []string{"blobs", "scratch", "cache", "go"} {
		if err := os.MkdirAll(filepath.Join(dir, folder), 0o755); err != nil {
			return err
		}
	}
	defer removal.All(dir)
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0)),
		registry.WithBlobHandler(registry.NewDiskBlobHandler(filepath.Join(dir, "blobs")))))
	defer server.Close()
	p := &publisher{registry: strings.TrimPrefix(server.URL, "http://"), scratch: filepath.Join(dir, "scratch"),
		kept: dir + "-older"}
	node, err := p.publish(ctx, withOlder)
	if err != nil {
		return err
	}
	if err := removal.All(p.scratch); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	goDir := filepath.Join(dir, "go")
	cmd.Env = append(os.Environ(), "FLOWPROOF_REGISTRY="+p.registry, "FLOWPROOF_NODE_IMAGE="+node,
		"FLOWPROOF_CACHE="+filepath.Join(dir, "cache"), "GOPROXY=off", "GOCACHE="+goDir, "GOMODCACHE="+goDir,
		"PIP_NO_INDEX=1", "OLDER_ISTIO="+olderTag)
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("run %s: %w", command[0], err)
	}
	left, err := os.ReadDir(goDir)
	if err == nil && len(left) > 0 {
		err = fmt.Errorf("something was compiled: Go's caches have %s", left[0].Name())
	}
	return err
}

// marker says that a folder was made by this command, so that it may be removed.
const marker = ".flowproof-registry"

// makeAnew makes a folder, in the place of one that this command made before. It leaves one alone
// that holds anything else.
func makeAnew(dir string) error {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(entries) > 0 {
		if _, err := os.Lstat(filepath.Join(dir, marker)); err != nil {
			return fmt.Errorf("use folder %s: it holds something else (name a new one with -dir)", dir)
		}
	}
	if err := removal.All(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, marker), nil, 0o644)
}

// A publisher fills a registry.
type publisher struct {
	registry string // host and port
	scratch  string // a directory
	kept     string // one that stays
}

// publish puts every image into the registry, and returns the node image's name with its digest.
func (p *publisher) publish(ctx context.Context, withOlder bool) (string, error) {
	o := components.Options{}.WithValues()
	set, err := components.Find(o)
	if err != nil {
		return "", err
	}
	istioctl, err := components.Istioctl(ctx, o, progress.Quiet)
	if err != nil {
		return "", err
	}
	refs := components.PublishedRefs("")
	for _, i := range set.Images {
		image, err := imageOf(set, i)
		if err != nil {
			return "", err
		}
		if _, err := p.push(ctx, refs[i.Ref], image); err != nil {
			return "", err
		}
	}
	if err := p.publishIstioctl(ctx, "", istioctl); err != nil {
		return "", err
	}
	if withOlder {
		parts, err := olderParts(ctx, p.kept)
		if err == nil {
			err = p.publishOlder(ctx, set, parts)
		}
		if err != nil {
			return "", err
		}
	}
	node, err := p.node(set)
	if err != nil {
		return "", err
	}
	return p.push(ctx, "docker.io/kindest/node:"+components.KubernetesVersion, node)
}

// imageOf is an image of a set.
func imageOf(set *components.Set, i components.Image) (v1.Image, error) {
	hash, err := v1.NewHash(i.Digest)
	if err != nil {
		return nil, err
	}
	return layout.Path(set.Layout).Image(hash)
}

// publishIstioctl puts a program into the registry as the istioctl of a release.
func (p *publisher) publishIstioctl(ctx context.Context, release, program string) error {
	image, err := p.image(v1.Config{}, false, tree{{path: "usr/local/bin/istioctl", from: program}})
	if err != nil {
		return err
	}
	_, err = p.push(ctx, components.IstioctlRef(release), image)
	return err
}

// push puts an image under the path of a published one, and returns that one's name with the
// digest.
func (p *publisher) push(ctx context.Context, ref string, image v1.Image) (string, error) {
	published, err := name.ParseReference(ref)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(os.Stderr, " • serving %s\n", ref)
	moved, err := name.ParseReference(p.registry + "/" + published.Context().RepositoryStr() + ":" +
		published.Identifier())
	if err != nil {
		return "", err
	}
	if err := remote.Write(moved, image, remote.WithContext(ctx)); err != nil {
		return "", err
	}
	digest, err := image.Digest()
	return ref + "@" + digest.String(), err
}
