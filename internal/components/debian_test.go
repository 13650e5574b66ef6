package components

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestReadDistribution(t *testing.T) {
	for name, c := range map[string]struct {
		release string
		want    distribution
	}{
		"Debian": {"ID=debian\nVERSION_CODENAME=trixie\n", distribution{"debian", "trixie", "main"}},
		"Ubuntu": {"ID=ubuntu\nVERSION_CODENAME=\"noble\"\nUBUNTU_CODENAME=noble\n",
			distribution{"ubuntu", "noble", "main,universe"}},
		"Mint": {"ID=linuxmint\nVERSION_CODENAME=wilma\nUBUNTU_CODENAME=noble\n",
			distribution{"ubuntu", "noble", "main,universe"}},
		"Debian's Mint": {"ID=linuxmint\nVERSION_CODENAME=faye\nDEBIAN_CODENAME=bookworm\n",
			distribution{"debian", "bookworm", "main"}},
		"Fedora":  {"ID=fedora\nVERSION_ID=42\n", fallback},
		"nothing": {"", fallback},
	} {
		if got := readDistribution(strings.NewReader(c.release)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestPickMirror(t *testing.T) {
	const targets = `Packages Docker bookworm stable https://docker.example/debian/
Packages Debian bookworm-updates main http://updates.example/debian/
Packages Debian bookworm contrib http://contrib.example/debian/
DEP-11 Debian bookworm main http://dep11.example/debian/
Packages Debian bookworm main http://mirror.example/debian/
Packages Ubuntu noble main http://mirror.example/ubuntu/
not five fields
`
	for suite, want := range map[distribution]string{
		{"debian", "bookworm", "main"}:        "http://mirror.example/debian/",
		{"ubuntu", "noble", "main,universe"}:  "http://mirror.example/ubuntu/",
		{"debian", "trixie", "main"}:          "",
		{"debian", "bookworm-updates", "..."}: "http://updates.example/debian/",
	} {
		if got := suite.pickMirror(strings.NewReader(targets)); got != want {
			t.Errorf("%v: %q, want %q", suite, got, want)
		}
	}
}

func TestRedactURL(t *testing.T) {
	for in, want := range map[string]string{
		"http://user:secret@mirror.example/debian": "http://user:xxxxx@mirror.example/debian",
		"http://mirror.example/debian":             "http://mirror.example/debian",
		"http://[bad:secret@x":                     "(unreadable, 20 characters)",
	} {
		if got := redactURL(in); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func FuzzReadDistribution(f *testing.F) {
	f.Add("ID=debian\nVERSION_CODENAME=trixie\n")
	f.Fuzz(func(t *testing.T, release string) {
		d := readDistribution(strings.NewReader(release))
		if d.suite == "" || d.components == "" {
			t.Errorf("%q gives %+v", release, d)
		}
	})
}

func FuzzPickMirror(f *testing.F) {
	f.Add("Packages Debian bookworm main http://mirror.example/debian/\n")
	f.Fuzz(func(t *testing.T, targets string) { fallback.pickMirror(strings.NewReader(targets)) })
}

// fakeRoot is a file system as debootstrap leaves it, as far as normalising is concerned.
func fakeRoot(t *testing.T, machine string) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range map[string]string{
		"etc/machine-id": machine, "etc/hostname": machine, "etc/resolv.conf": "nameserver " + machine,
		"etc/apt/sources.list": "deb http://user:" + machine + "@mirror.example/debian bookworm main\n",
		"etc/passwd":           "root:x:0:0:root:/root:/bin/bash\n", "etc/passwd-": machine,
		"etc/group":                        "root:x:0:\n",
		"etc/shadow":                       "root:*:" + machine + ":0:99999:7:::\n",
		"var/log/bootstrap.log":            machine,
		"var/cache/ldconfig/aux-cache":     machine,
		"var/lib/apt/lists/mirror_Release": machine,
		"usr/share/doc/curl/copyright":     "text",
		"usr/bin/su":                       "ELF",
		"dev/null":                         "",
	} {
		mustWrite(t, filepath.Join(root, name), content)
	}
	if err := os.Chmod(filepath.Join(root, "usr/bin/su"), 0o755|os.ModeSetuid); err != nil {
		t.Fatal(err)
	}
	return root
}

func TestNormaliseForgetsTheMachine(t *testing.T) {
	var digests []string
	for _, machine := range []string{"20781", "20782"} {
		root := fakeRoot(t, machine)
		if err := normalise(root, nil); err != nil {
			t.Fatal(err)
		}
		content, err := scan(root)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range content {
			if f.Mode&os.ModeSetuid != 0 {
				t.Errorf("%s is set-user-ID", f.Path)
			}
		}
		for _, gone := range []string{"var/log/bootstrap.log", "var/cache/ldconfig", "usr/share/doc/curl", "dev/null",
			"etc/passwd-"} {
			mustNotExist(t, filepath.Join(root, gone))
		}
		digests = append(digests, digest(content))
	}
	if digests[0] != digests[1] {
		t.Error("two machines give two bases")
	}
}
