//go:build linux

package trust

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestRootStaysOutOfAStrangersHome is root with the environment of another user, as
// sudo may leave it.
func TestRootStaysOutOfAStrangersHome(t *testing.T) {
	dir := ground(t)
	must(t, os.Mkdir(dir+"/home", 0o755), theirs(dir+"/home"), os.Mkdir(dir+"/own", 0o755))
	t.Setenv("HOME", dir+"/home")
	t.Setenv("XDG_CACHE_HOME", dir+"/home/.cache")
	t.Setenv("XDG_CONFIG_HOME", dir+"/own/config")
	must(t, SettleHome())
	if home := os.Getenv("HOME"); home == dir+"/home" || home == "" {
		t.Errorf("HOME is %q", home)
	}
	if cache := os.Getenv("XDG_CACHE_HOME"); cache != "" {
		t.Errorf("XDG_CACHE_HOME is %q", cache)
	}
	if config := os.Getenv("XDG_CONFIG_HOME"); config != dir+"/own/config" {
		t.Errorf("XDG_CONFIG_HOME, which is good, became %q", config)
	}
	t.Setenv("HOME", dir+"/own")
	must(t, SettleHome())
	if home := os.Getenv("HOME"); home != dir+"/own" {
		t.Errorf("HOME, which is good, became %q", home)
	}
}

// TestRootTakesStrangersOffPath has what a program of root's starts by itself found by PATH.
func TestRootTakesStrangersOffPath(t *testing.T) {
	dir := ground(t)
	must(t, os.Mkdir(dir+"/theirs", 0o755), os.Mkdir(dir+"/own", 0o755), os.Mkdir(dir+"/open", 0o755),
		os.Chmod(dir+"/open", 0o777))
	must(t, theirs(dir+"/theirs"))
	for path, want := range map[string]string{
		dir + "/theirs:.::bin:" + dir + "/own:" + dir + "/none:" + dir + "/open:/usr/bin": dir + "/own:/usr/bin",
		dir + "/theirs": plainPath,
		"":              plainPath,
	} {
		t.Setenv("PATH", path)
		must(t, SettlePath())
		if got := os.Getenv("PATH"); got != want {
			t.Errorf("PATH %q became %q, want %q", path, got, want)
		}
	}
}

func TestRootUsesNoCacheOfAStranger(t *testing.T) {
	dir := ground(t)
	must(t, os.Mkdir(dir+"/theirs", 0o755), theirs(dir+"/theirs"), os.Mkdir(dir+"/open", 0o755),
		os.Chmod(dir+"/open", 0o777))
	for name, good := range map[string]bool{"new": true, "theirs": false, "theirs/new/one": false, "open/new": false} {
		err := Cache(filepath.Join(dir, name))
		if good && err != nil || !good && !errors.Is(err, ErrUntrusted) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRootRunsNoProgramOfAStranger puts a stranger's directory first on PATH.
func TestRootRunsNoProgramOfAStranger(t *testing.T) {
	dir := ground(t)
	must(t, os.Mkdir(dir+"/theirs", 0o755), os.Mkdir(dir+"/own", 0o755))
	for _, program := range []string{"theirs/docker", "own/docker", "theirs/go"} {
		must(t, os.WriteFile(filepath.Join(dir, program), []byte("#!/bin/sh\n"), 0o755))
	}
	must(t, theirs(dir+"/theirs"))
	t.Setenv("PATH", dir+"/theirs:.:"+dir+"/own")
	if path, err := LookPath("docker"); err != nil || path != dir+"/own/docker" {
		t.Errorf("docker is %q, %v; want root's", path, err)
	}
	if path, err := LookPath("go"); !errors.Is(err, ErrUntrusted) ||
		!strings.Contains(err.Error(), "belongs to user 65534") {
		t.Errorf("go is %q, %v; want a refusal", path, err)
	}
	if path, err := LookPath(dir + "/theirs/go"); !errors.Is(err, ErrUntrusted) {
		t.Errorf("by its path it is %q, %v; want a refusal", path, err)
	}
	if path, err := LookPath("no-such-program"); !errors.Is(err, exec.ErrNotFound) {
		t.Errorf("one that is not there is %q, %v", path, err)
	}
}
