package components

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/flowproof/lab/internal/removal"
)

// A baseSystem is a file system made of Debian packages.
type baseSystem struct {
	name     string
	title    string   // of its making
	packages []string // beside a minimal Debian
	dropped  []string // removed beside what is removed from every base
}

// nodeBase is what the embedded node and the workshop's images stand on.
var nodeBase = baseSystem{name: "base", title: "Making the base file system", packages: []string{
	"bind9-dnsutils", "ca-certificates", "conntrack", "containernetworking-plugins", "curl", "iproute2", "iptables",
	"netcat-openbsd", "procps", "runc",
}}

// key does not hold the mirror's state: a base stays until it is asked to go (lab
// cache prune --all).
func (b baseSystem) key(d distribution) (key, error) {
	k := newKey(b.name).add("distribution", d.id+" "+d.suite+" "+d.components).add("platform", runtime.GOARCH).
		add("packages", strings.Join(b.packages, " "))
	if len(b.dropped) > 0 {
		k.add("dropped", strings.Join(b.dropped, " "))
	}
	return k.key()
}

// bootstrap makes the base file system with debootstrap, in namespaces of its own: it mounts proc
// into the new root, and a killed run must not leave that behind.
func (b baseSystem) bootstrap(ctx context.Context, d distribution, w work) error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("make base file system: debootstrap needs root (run: sudo lab build)")
	}
	mirror := d.mirror(ctx)
	args := []string{"--variant=minbase", "--force-check-gpg", "--components=" + d.components,
		"--include=" + strings.Join(b.packages, ","), d.suite, w.content}
	if mirror != "" {
		args = append(args, mirror)
	}
	cmd := command{name: "debootstrap", args: args, env: append(aptProxy(ctx), "TMPDIR="+w.scratch), private: true,
		line: debootstrapNote(w)}
	if err := cmd.run(ctx); err != nil {
		from := "debootstrap's own mirror"
		if mirror != "" {
			from = redactURL(mirror)
		}
		return fmt.Errorf("make %s base from %s: %w", d.suite, from, err)
	}
	w.task.Note("removing what belongs to one machine")
	return normalise(w.content, b.dropped)
}

// debootstrapNote shows what debootstrap is at; its lines begin with "I: ".
func debootstrapNote(w work) func(string) {
	return func(line string) {
		if what, ok := strings.CutPrefix(line, "I: "); ok {
			w.task.Note("%s", strings.ToLower(what[:1])+what[1:])
		}
	}
}

// machineFiles are emptied: they say something about the machine or the moment, or are
// only of use to apt.
var machineFiles = []string{"etc/machine-id", "etc/hostname", "etc/resolv.conf", "etc/apt/sources.list"}

// dropped are removed with everything below; a pattern's directory itself stays.
var dropped = []string{
	"dev/*", "run/*", "tmp/*", "var/log/*", "var/cache/*", "var/lib/apt/lists/*", "var/lib/dpkg/*-old", "etc/*-",
	"usr/share/doc/*", "usr/share/man/*", "usr/share/locale/*", "usr/share/info/*", "usr/share/lintian",
	"var/lib/systemd/random-seed", "var/lib/dbus/machine-id", "debootstrap", "etc/.pwd.lock",
}

// normalise takes out of a fresh root what differs from machine to machine or from day to day, what
// is never read, and set-user-ID bits, which have no business in a cache directory.
func normalise(root string, more []string) error {
	for _, pattern := range append(slices.Clone(dropped), more...) {
		found, err := filepath.Glob(filepath.Join(root, pattern))
		if err != nil {
			return err
		}
		for _, path := range found {
			if err := removal.All(path); err != nil {
				return err
			}
		}
	}
	for _, name := range machineFiles {
		path := filepath.Join(root, name)
		os.Remove(path)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			return err
		}
	}
	if err := resetPasswordDays(filepath.Join(root, "etc/shadow")); err != nil {
		return err
	}
	return filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		info, err := d.Info()
		if err != nil || info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) == 0 {
			return err
		}
		return os.Chmod(path, info.Mode().Perm())
	})
}

// resetPasswordDays sets shadow(5)'s third field, the day of the last change, to the first day.
func resetPasswordDays(shadow string) error {
	data, err := os.ReadFile(shadow)
	if err != nil {
		return err
	}
	var out bytes.Buffer
	for line := range strings.Lines(string(data)) {
		fields := strings.Split(line, ":")
		if len(fields) > 2 {
			fields[2] = "1"
		}
		out.WriteString(strings.Join(fields, ":"))
	}
	return os.WriteFile(shadow, out.Bytes(), 0o640)
}
