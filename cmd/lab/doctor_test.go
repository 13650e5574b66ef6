package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestKubeconfigVariable holds which cluster is meant where the variable KUBECONFIG names one.
func TestKubeconfigVariable(t *testing.T) {
	dir := t.TempDir()
	one := filepath.Join(dir, "one")
	const text = `{apiVersion: v1, kind: Config, current-context: away,
contexts: [{name: away, context: {cluster: away, user: u}}],
clusters: [{name: away, cluster: {server: "http://127.0.0.1:1"}}], users: [{name: u, user: {}}]}`
	if err := os.WriteFile(one, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "none") + string(os.PathListSeparator) + one
	for name, c := range map[string]struct {
		variable string
		args     []string
		existing bool
	}{
		"a file":           {one, []string{"status"}, true},
		"a list of files":  {list, []string{"status"}, true},
		"none":             {"", []string{"status", "--name", "no-such-lab"}, false},
		"another lab":      {one, []string{"status", "--name", "no-such-lab"}, false},
		"another backend":  {one, []string{"status", "--backend", "node", "--name", "no-such-lab"}, false},
		"the flag as well": {"/nowhere", []string{"status", "--kubeconfig", one}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("KUBECONFIG", c.variable)
			_, out, errs := run(t, append(c.args, "-o", "json")...)
			if is := strings.Contains(out, `"backend": "existing"`); is != c.existing {
				t.Errorf("existing: %v\n%s%s", is, out, errs)
			}
			if told := strings.Contains(errs, "the cluster of $KUBECONFIG"); told != (c.existing && len(c.args) == 1) {
				t.Errorf("said of $KUBECONFIG: %v: %s", told, errs)
			}
		})
	}
	t.Setenv("KUBECONFIG", one)
	if code, _, errs := run(t, "doctor"); code != 3 || !strings.Contains(errs, "reach") {
		t.Errorf("doctor of a cluster that does not answer: exit code %d: %s", code, errs)
	}
}
