package kind

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/internal/exit"
	"github.com/flowproof/lab/internal/removal"
)

// baseDir holds the directories of this user's labs in somebody else's Docker.
func baseDir() string {
	if os.Geteuid() == 0 {
		return "/run/flowproof"
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = os.TempDir()
	}
	return filepath.Join(dir, "flowproof-"+strconv.Itoa(os.Geteuid()))
}

// stateDir holds the kubeconfig of a lab in somebody else's Docker.
func stateDir(lab string) string { return filepath.Join(baseDir(), lab+".kind") }

// kubeconfigPath is where keep writes.
func kubeconfigPath(lab string) string { return filepath.Join(stateDir(lab), "kubeconfig") }

// makeStateDir makes it, where nobody else can write or read.
func makeStateDir(lab string) error {
	if err := os.MkdirAll(baseDir(), 0o700); err != nil {
		return exit.Environmentf("make the labs' directory: %w", err)
	}
	if err := checkBase(); err != nil {
		return err
	}
	if err := os.MkdirAll(stateDir(lab), 0o700); err != nil {
		return exit.Environmentf("make the lab's directory: %w", err)
	}
	return nil
}

// checkBase refuses a directory that another user may have made beforehand, as can be where everybody may write: who can
// write there chooses with which cluster this user speaks. It is content with none.
func checkBase() error {
	if os.Geteuid() == 0 {
		return nil // only root writes to /run
	}
	return checkOwn(baseDir(), os.Geteuid())
}

func checkOwn(dir string, uid int) error {
	info, err := os.Lstat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return exit.Environmentf("look at the labs' directory: %w", err)
	}
	why := ""
	stat, known := info.Sys().(*syscall.Stat_t)
	switch {
	case !info.IsDir():
		why = "it is not a directory"
	case !known || int(stat.Uid) != uid:
		why = "it belongs to another user"
	case info.Mode().Perm()&0o077 != 0:
		why = fmt.Sprintf("others may use it (its mode is %04o)", info.Mode().Perm())
	default:
		return nil
	}
	return exit.Environmentf("keep the lab's kubeconfig in %s: %s (remove it, or set XDG_RUNTIME_DIR to a directory of your own)", dir, why)
}

// keep writes the kubeconfig of a lab in somebody else's Docker.
func keep(lab string, data []byte) (string, error) {
	if err := makeStateDir(lab); err != nil {
		return "", err
	}
	path := kubeconfigPath(lab)
	if err := cluster.WritePrivate(path, data); err != nil {
		return "", exit.Environmentf("keep the lab's kubeconfig: %w", err)
	}
	return path, nil
}

// forget removes it.
func forget(lab string) error {
	dir := stateDir(lab)
	if err := removal.All(dir); err != nil {
		return exit.Environmentf("remove the lab's kubeconfig: %w", err)
	}
	_ = os.Remove(filepath.Dir(dir)) // the directory of all labs, when this was the last
	return nil
}
