package trust

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
)

// homes are variables that lead programs to a person's own settings and files, many of which name
// programs to run: plugins of docker and kubectl, start-up files of Python, flags of Go.
var homes = []string{"XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"}

// SettleHome keeps root out of a home that another user can write to, as HOME is after some uses of
// sudo: HOME becomes root's own, and variables beside it that lead to such places go. For other
// users nothing changes.
func SettleHome() error {
	if os.Geteuid() != 0 {
		return nil
	}
	for _, variable := range homes {
		if dir := os.Getenv(variable); dir != "" && !good(dir) {
			if err := os.Unsetenv(variable); err != nil {
				return err
			}
		}
	}
	if home := os.Getenv("HOME"); home != "" && good(home) {
		return nil
	}
	root, err := user.LookupId("0")
	if err != nil {
		return fmt.Errorf("find root's home: %w", err)
	}
	return os.Setenv("HOME", root.HomeDir)
}

// plainPath is where root's programs are when no directory of PATH is good.
const plainPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// SettlePath takes off PATH what another user can write to, and what depends on the working
// directory: programs that root starts, and those that they start by themselves, are found by it.
// For other users nothing changes.
func SettlePath() error {
	if os.Geteuid() != 0 {
		return nil
	}
	var kept []string
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if filepath.IsAbs(dir) && Path(dir) == nil {
			kept = append(kept, dir)
		}
	}
	path := strings.Join(kept, string(filepath.ListSeparator))
	if path == "" {
		path = plainPath
	}
	return os.Setenv("PATH", path)
}

// good says whether no other user has a hand in a directory. One that is not there yet has to be
// made in a good one.
func good(dir string) bool {
	err := Path(dir)
	for errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
		dir = filepath.Dir(dir)
		err = Path(dir)
	}
	return err == nil
}

// UserCache is this user's cache directory of the project: $FLOWPROOF_CACHE, else flowproof
// in the user's cache directory. Root has to be the only one who can write there, since
// root runs what lies in it.
func UserCache() (string, error) {
	dir := os.Getenv("FLOWPROOF_CACHE")
	if dir == "" {
		all, err := os.UserCacheDir()
		if err != nil {
			return "", fmt.Errorf("find cache directory: %w (set FLOWPROOF_CACHE)", err)
		}
		dir = filepath.Join(all, "flowproof")
	}
	return filepath.Abs(dir)
}

// Cache returns an error with ErrUntrusted when root would use a cache that others can write to.
func Cache(dir string) error {
	if os.Geteuid() != 0 || good(dir) {
		return nil
	}
	return fmt.Errorf("use cache %s as root: %w (choose another place with FLOWPROOF_CACHE)", dir, Path(dir))
}

// LookPath is exec.LookPath, which for root passes over what others can write to.
func LookPath(program string) (string, error) {
	if os.Geteuid() != 0 {
		return exec.LookPath(program)
	}
	if strings.Contains(program, "/") {
		path, err := exec.LookPath(program)
		if err == nil {
			err = Path(path)
		}
		return path, err
	}
	var passed error
	for _, dir := range filepath.SplitList(os.Getenv("PATH")) {
		if !filepath.IsAbs(dir) {
			continue // it depends on where we are
		}
		path, err := exec.LookPath(filepath.Join(dir, program))
		if err != nil {
			continue
		}
		if err = Path(path); err == nil {
			return path, nil
		}
		passed = errors.Join(passed, err)
	}
	if passed != nil {
		return "", fmt.Errorf("find %s for root: %w (install it where only root writes, or run as that user)",
			program, passed)
	}
	return "", &exec.Error{Name: program, Err: exec.ErrNotFound}
}
