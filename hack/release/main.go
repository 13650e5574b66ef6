// Command release makes what a version of lab is published as: an archive for each platform
// with the command, its manual pages and shell completions, checksums, a list of what each
// binary is made of, an OCI image, and the manifest of a kubectl plugin. Two runs on the same
// source make the same bytes.
//
//	go run ./hack/release -version v0.1.0 -out out/release
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"

	"github.com/flowproof/lab/internal/removal"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	r := release{}
	platforms := flag.String("platforms", strings.Join(allPlatforms, ","), "for which machines, as GOOS/GOARCH")
	flag.StringVar(&r.version, "version", "v0.0.0-devel", "what lab calls itself, and what the archives are called by")
	flag.StringVar(&r.dir, "out", "out/release", "folder for the result; it is made, and what is in it is replaced")
	flag.Parse()
	r.platforms = strings.Split(*platforms, ",")
	if err := r.make(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// allPlatforms are the machines that people have. What Linux alone can do says so on the others.
var allPlatforms = []string{"linux/amd64", "linux/arm64", "darwin/amd64", "darwin/arm64", "windows/amd64"}

// A release is one version in one folder.
type release struct {
	version   string
	dir       string
	platforms []string // GOOS/GOARCH
	source    string   // the checkout; empty for the working directory
}

// epoch stands in every archive and image for when a file was made: the bytes follow
// from the source alone.
var epoch = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

// make replaces r.dir by the whole release.
func (r release) make(ctx context.Context) error {
	if err := removal.All(r.dir); err != nil {
		return err
	}
	scratch, err := os.MkdirTemp("", "lab-release-")
	if err != nil {
		return err
	}
	defer removal.All(scratch)
	if err := os.MkdirAll(r.dir, 0o755); err != nil {
		return err
	}
	pages, err := r.documents(ctx, scratch)
	if err != nil {
		return err
	}
	var made []built
	for _, platform := range r.platforms {
		start := time.Now()
		b, err := r.build(ctx, scratch, platform)
		if err != nil {
			return err
		}
		if err := r.pack(b, pages); err != nil {
			return fmt.Errorf("pack %s: %w", platform, err)
		}
		made = append(made, b)
		fmt.Fprintf(os.Stderr, " • %s (%.0f s)\n", b.archive, time.Since(start).Seconds())
	}
	if err := r.image(made); err != nil {
		return fmt.Errorf("make image: %w", err)
	}
	if err := r.plugin(made); err != nil {
		return fmt.Errorf("write plugin manifest: %w", err)
	}
	return r.checksums()
}

// A built is lab for one platform.
type built struct {
	os, arch string
	program  string // path
	archive  string // file name in the release's folder
}

func (b built) exe() string {
	if b.os == "windows" {
		return "lab.exe"
	}
	return "lab"
}

// build compiles lab for a platform.
func (r release) build(ctx context.Context, scratch, platform string) (built, error) {
	goos, arch, ok := strings.Cut(platform, "/")
	if !ok {
		return built{}, fmt.Errorf("read platform %q: it is no GOOS/GOARCH", platform)
	}
	b := built{os: goos, arch: arch, archive: fmt.Sprintf("lab_%s_%s_%s.tar.gz", r.version, goos, arch)}
	if goos == "windows" {
		b.archive = strings.TrimSuffix(b.archive, ".tar.gz") + ".zip"
	}
	b.program = filepath.Join(scratch, goos+"-"+arch, b.exe())
	err := r.goBuild(ctx, b.program, "GOOS="+goos, "GOARCH="+arch)
	return b, err
}
