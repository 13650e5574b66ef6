package components

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"github.com/flowproof/lab/internal/exit"
	"github.com/flowproof/lab/internal/trust"
)

const (
	module    = "github.com/flowproof/lab"
	toolchain = "toolchain" // folder in the checkout
)

// sourceDir finds the toolchain folder: where o says, else in the checkout around the working directory, else in the
// checkout that this binary was built from.
func (o Options) sourceDir() (string, error) {
	if o.Source != "" {
		return filepath.Abs(o.Source)
	}
	wd, err := os.Getwd()
	if err != nil {
		return "", err
	}
	starts := []string{wd}
	if _, file, _, ok := runtime.Caller(0); ok && filepath.IsAbs(file) {
		starts = append(starts, filepath.Dir(file))
	}
	for _, dir := range starts {
		root, ok := checkout(dir)
		if !ok {
			continue
		}
		source := filepath.Join(root, toolchain)
		if err := trust.Path(source); err != nil && os.Geteuid() == 0 && !builtFrom(root) {
			return "", exit.Environmentf("build from the checkout around %s as root: %w (use the lab of that checkout, or run elsewhere)", dir, err)
		}
		return source, nil
	}
	return "", fmt.Errorf("find %s: no checkout of %s around %s (run in the checkout)", toolchain, module, wd)
}

// builtFrom says whether this program lies in a checkout or was built from it: who runs it trusts whoever can write there.
func builtFrom(root string) bool {
	self, err := os.Executable()
	_, file, _, ok := runtime.Caller(0)
	return err == nil && within(root, self) || ok && within(root, file)
}

func within(root, path string) bool {
	rel, err := filepath.Rel(root, path)
	return err == nil && filepath.IsLocal(rel)
}

// checkout goes up from dir to the folder whose go.mod names our module.
func checkout(dir string) (string, bool) {
	for {
		if moduleName(filepath.Join(dir, "go.mod")) == module {
			return dir, true
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", false
		}
		dir = parent
	}
}

func moduleName(gomod string) string {
	f, err := os.Open(gomod)
	if err != nil {
		return ""
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		var name string
		if _, err := fmt.Sscanf(lines.Text(), "module %s", &name); err == nil {
			return name
		}
	}
	return ""
}
