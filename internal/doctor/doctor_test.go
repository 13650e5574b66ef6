package doctor

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/flowproof/lab/internal/components"
)

// TestTable holds every check to what the report needs.
func TestTable(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range append(append([]check(nil), table...), prerequisites()...) {
		switch {
		case c.name == "" || c.why == "" || c.mend == "" || c.find == nil:
			t.Errorf("%q lacks why, mend or find", c.name)
		case seen[c.name]:
			t.Errorf("%q is there twice", c.name)
		case c.purpose != Lab && c.purpose != Build && c.purpose != Instruments && c.purpose != Kind:
			t.Errorf("%q is for %q", c.name, c.purpose)
		}
		seen[c.name] = true
	}
}

func TestRequired(t *testing.T) {
	missing := func(context.Context) (string, error) { return "", errors.New("not there") }
	for _, tc := range []struct {
		purpose  string
		built    bool
		required bool
	}{
		{Lab, true, true},
		{Lab, false, true},
		{Build, true, false},
		{Build, false, true},
		{Instruments, false, false},
		{Kind, false, false},
	} {
		f := check{purpose: tc.purpose, name: "thing", mend: "get one", find: missing}.examine(t.Context(), tc.built)
		if f.Required != tc.required || f.OK || f.Detail != "not there" || f.Mend != "get one" {
			t.Errorf("%s, built %v: %+v", tc.purpose, tc.built, f)
		}
	}
}

// TestExamineChangesNothing tries everything for real, without a registry, and compares this
// process's namespaces.
func TestExamineChangesNothing(t *testing.T) {
	before := namespaces(t)
	report := Examine(t.Context(), components.Options{CacheDir: t.TempDir()}, Options{Offline: true})
	if after := namespaces(t); after != before {
		t.Errorf("namespaces were %s, now %s", before, after)
	}
	if report.Built {
		t.Error("an empty cache is said to hold the parts")
	}
	for _, f := range report.Checks {
		if f.Name == "" || !f.OK && !f.Untried && f.Mend == "" {
			t.Errorf("%+v", f)
		}
		if !f.Untried && f.OK == (f.Mend != "") {
			t.Errorf("%s is there and is to be mended by %q", f.Name, f.Mend)
		}
		if strings.Contains(f.Name, "proxy") || f.Name == "Python package index" {
			t.Errorf("%s was asked although offline", f.Name)
		}
	}
}

// namespaces are those of the thread that the test runs on.
func namespaces(t *testing.T) string {
	t.Helper()
	var all []string
	for _, kind := range []string{"net", "mnt", "pid", "uts"} {
		link, err := os.Readlink("/proc/thread-self/ns/" + kind)
		if err != nil {
			t.Skip("no /proc/thread-self: ", err)
		}
		all = append(all, link)
	}
	return strings.Join(all, " ")
}

func TestUnknownClientIsAFinding(t *testing.T) {
	if _, err := ask(t.Context(), t.TempDir(), nil, "no-such-client"); err == nil ||
		err.Error() != "no-such-client is not installed" {
		t.Errorf("ask: %v", err)
	}
	if _, err := ask(t.Context(), t.TempDir(), nil, "sh", "-c", "echo one >&2; echo two >&2; exit 1"); err == nil ||
		err.Error() != "sh: two" {
		t.Errorf("ask: %v, want the last line", err)
	}
}

// TestWithoutRoot holds that what only root can try is neither found nor missing for another
// user, and has no cure.
func TestWithoutRoot(t *testing.T) {
	was := isRoot
	t.Cleanup(func() { isRoot = was })
	isRoot = func() bool { return false }
	tried := false
	find := func(context.Context) (string, error) { tried = true; return "", errors.New("not permitted") }
	f := check{purpose: Lab, name: "thing", mend: "get one", root: true, find: find}.examine(t.Context(), true)
	if tried || f.OK || !f.Untried || f.Mend != "" {
		t.Errorf("tried %v: %+v", tried, f)
	}
}
