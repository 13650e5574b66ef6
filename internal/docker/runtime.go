//go:build linux

package docker

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// runtimeWord is the word after the hidden verb by which this program is Docker's OCI runtime.
const runtimeWord = "runc"

// missing is the capability that some roots lack, virtual machines' and containers'
// ones. A privileged container asks for all there are, and runc then fails where Docker
// could have done without.
const missing = "CAP_SYS_RESOURCE"

// runtimeMain hands its arguments on to runc, after taking out of the container's description what
// this root cannot give, and putting in what guards the machine's kernel from it. It returns only
// when that failed.
func runtimeMain(args []string) int {
	err := describe(args, !hasCapability(unix.CAP_SYS_RESOURCE))
	if err == nil {
		var path string
		if path, err = lookPath("runc"); err == nil {
			err = syscall.Exec(path, append([]string{path}, args...), os.Environ())
		}
	}
	fmt.Fprintln(os.Stderr, "lab", Verb, runtimeWord+":", err)
	return 1
}

// describe edits the description that a runc command line names: the bundle's config.json of create
// and run, the file of exec's --process. strips says that this root lacks the capability.
func describe(args []string, strips bool) error {
	word, option := runcCommand(args)
	switch word {
	case "create", "run":
		bundle := option("bundle", "b")
		if bundle == "" {
			bundle = "."
		}
		return editJSON(filepath.Join(bundle, "config.json"), func(spec map[string]any) {
			if process, ok := spec["process"].(map[string]any); ok && strips {
				stripProcess(process)
			}
			if writesKernel(spec) {
				addGuard(spec)
			}
		})
	case "exec":
		if path := option("process", "p"); path != "" && strips {
			return editJSON(path, stripProcess)
		}
	}
	return nil
}

// runcCommand finds runc's command among its arguments, and how its options are read.
func runcCommand(args []string) (word string, option func(long, short string) string) {
	for _, known := range []string{"create", "run", "exec"} {
		if slices.Contains(args, known) {
			word = known
			break
		}
	}
	return word, func(long, short string) string {
		for i, arg := range args {
			name, value, has := strings.Cut(arg, "=")
			if name != "--"+long && name != "-"+short {
				continue
			}
			if has {
				return value
			}
			if i+1 < len(args) {
				return args[i+1]
			}
		}
		return ""
	}
}

// stripProcess takes the capability out of every set of a process, and a negative score for the
// out-of-memory killer, which needs it. Source: the OCI runtime specification, config.md, process.
func stripProcess(process map[string]any) {
	if sets, ok := process["capabilities"].(map[string]any); ok {
		for name, set := range sets {
			if all, ok := set.([]any); ok {
				sets[name] = slices.DeleteFunc(all, func(c any) bool { return c == missing })
			}
		}
	}
	if score, ok := process["oomScoreAdj"].(json.Number); ok && strings.HasPrefix(score.String(), "-") {
		delete(process, "oomScoreAdj")
	}
}

// editJSON rewrites a file of one JSON object. Numbers keep their digits.
func editJSON(path string, edit func(map[string]any)) error {
	f, err := os.Open(path)
	if errors.Is(err, os.ErrNotExist) {
		return nil // runc says it better
	}
	if err != nil {
		return err
	}
	defer f.Close()
	decoder := json.NewDecoder(f)
	decoder.UseNumber()
	var object map[string]any
	if err := decoder.Decode(&object); err != nil {
		return fmt.Errorf("read %s: %w", path, err)
	}
	edit(object)
	data, err := json.Marshal(object)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return err
	}
	return os.WriteFile(path, data, info.Mode().Perm())
}

// hasCapability says whether this process may give a capability to others: whether it
// is in the bounding set.
func hasCapability(capability uintptr) bool {
	has, err := unix.PrctlRetInt(unix.PR_CAPBSET_READ, capability, 0, 0, 0)
	return err == nil && has == 1
}
