//go:build linux

package docker

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"github.com/flowproof/lab/internal/enclosure"
)

// guardWord is the word after the hidden verb by which runc has this program guard the machine's
// kernel from a container that is being made.
const guardWord = "guard-kernel"

// sysctls is where the containers' own values of sysctls lie, a directory for each container.
const sysctls = logDir + "/sysctl"

// writesKernel says whether a container could write to files of the kernel's that have no
// namespace: of a privileged one Docker makes none read-only. spec is its description.
func writesKernel(spec map[string]any) bool {
	linux, _ := spec["linux"].(map[string]any)
	paths, _ := linux["readonlyPaths"].([]any)
	return !slices.Contains(paths, any("/proc/sys"))
}

// addGuard has runc call guardMain when the container's file systems are mounted and nothing of it
// runs yet. Source: the OCI runtime specification, config.md, createContainer hooks.
func addGuard(spec map[string]any) {
	hooks, _ := spec["hooks"].(map[string]any)
	if hooks == nil {
		hooks = map[string]any{}
	}
	before, _ := hooks["createContainer"].([]any)
	hook := map[string]any{"path": selfPath, "args": []string{selfPath, Verb, guardWord}}
	hooks["createContainer"] = append(before, hook)
	spec["hooks"] = hooks
}

// guardMain keeps a container, in whose mount namespace it is called, from writing to files of the
// kernel's that have no namespace: a kubelet in it would have this machine reboot after an oops.
// What a kubelet sets it finds set, in files of the container's own. in has the container's state.
func guardMain(in io.Reader) int {
	if err := guard(in); err != nil {
		fmt.Fprintln(os.Stderr, "lab", Verb, guardWord+":", err)
		return 1
	}
	return 0
}

func guard(in io.Reader) error {
	var state struct{ ID, Bundle string }
	if err := json.NewDecoder(in).Decode(&state); err != nil {
		return fmt.Errorf("read state of the container: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(state.Bundle, "config.json"))
	if err != nil {
		return err
	}
	var spec struct{ Root struct{ Path string } }
	if err := json.Unmarshal(text, &spec); err != nil {
		return fmt.Errorf("read description of container %s: %w", state.ID, err)
	}
	root := spec.Root.Path
	if !filepath.IsAbs(root) {
		root = filepath.Join(state.Bundle, root)
	}
	return enclosure.GuardKernel(root, filepath.Join(sysctls, filepath.Base(state.ID)), enclosure.KubeletSysctls)
}
