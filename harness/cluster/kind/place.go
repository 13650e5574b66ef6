package kind

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/removal"
	"github.com/flowproof/lab/internal/trust"
)

// stateDir holds the kubeconfig of a lab of this user's in another's Docker.
func stateDir(lab string) string { return filepath.Join(trust.Base(), lab+".kind") }

// kubeconfigPath is where keep writes.
func kubeconfigPath(lab string) string { return filepath.Join(stateDir(lab), "kubeconfig") }

// makeStateDir makes it, where no other user can write or read.
func makeStateDir(lab string) error { return advise(trust.MakeDir(stateDir(lab))) }

// checkKept refuses a kubeconfig that another user may have put there, as can be where everybody
// may write: who can do that chooses with which cluster this user speaks, and which programs run to
// log in to it. It is content with none.
func checkKept(lab string) error { return adviseKept(trust.File(kubeconfigPath(lab))) }

func adviseKept(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return advise(err)
}

func advise(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, trust.ErrUntrusted) && os.Geteuid() != 0:
		return fault.Environmentf("keep the lab's kubeconfig in %s: %w (remove it, or set XDG_RUNTIME_DIR to a "+
			"directory of your own)", trust.Base(), err)
	}
	return fault.Environmentf("keep the lab's kubeconfig in %s: %w", trust.Base(), err)
}

// keep writes the kubeconfig of a lab in another's Docker.
func keep(lab string, data []byte) (string, error) {
	if err := makeStateDir(lab); err != nil {
		return "", err
	}
	path := kubeconfigPath(lab)
	if err := trust.WritePrivate(path, data); err != nil {
		return "", fault.Environmentf("keep the lab's kubeconfig: %w", err)
	}
	return path, nil
}

// forget removes it.
func forget(lab string) error {
	dir := stateDir(lab)
	if err := adviseKept(trust.Path(dir)); err != nil { // another user's link would lead elsewhere
		return err
	}
	if err := removal.All(dir); err != nil {
		return fault.Environmentf("remove the lab's kubeconfig: %w", err)
	}
	_ = os.Remove(filepath.Dir(dir)) // the directory of all labs, when this was the last
	return nil
}
