package components

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
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
		if root, ok := checkout(dir); ok {
			return filepath.Join(root, toolchain), nil
		}
	}
	return "", fmt.Errorf("find %s: no checkout of %s around %s (run in the checkout)", toolchain, module, wd)
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
