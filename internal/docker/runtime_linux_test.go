package docker

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStripTakesOutWhatThisRootCannotGive(t *testing.T) {
	const process = `{"args":["sh"],"oomScoreAdj":%s,"rlimits":[{"hard":18446744073709551615}],
		"capabilities":{"bounding":["CAP_CHOWN","CAP_SYS_RESOURCE"],"effective":["CAP_SYS_RESOURCE"]}}`
	for _, tt := range []struct {
		name, file string
		spec       string
		args       []string
		score      bool // the score is still there
	}{
		{"create", "config.json", `{"process":` + process + `}`,
			[]string{"--root", "/r", "create", "--bundle", "$DIR", "id"}, false},
		{"run with =", "config.json", `{"process":` + process + `}`, []string{"run", "-b=$DIR", "id"}, false},
		{"exec", "process.json", process, []string{"exec", "--process", "$DIR/process.json", "id"}, false},
		{"exec, short", "process.json", process, []string{"exec", "-p", "$DIR/process.json", "id"}, false},
	} {
		for _, score := range []string{"-500", "300"} {
			t.Run(tt.name+" "+score, func(t *testing.T) {
				dir := t.TempDir()
				path := filepath.Join(dir, tt.file)
				if err := os.WriteFile(path, []byte(fmt.Sprintf(tt.spec, score)), 0o600); err != nil {
					t.Fatal(err)
				}
				var args []string
				for _, a := range tt.args {
					args = append(args, strings.ReplaceAll(a, "$DIR", dir))
				}
				if err := describe(args, true); err != nil {
					t.Fatal(err)
				}
				data, err := os.ReadFile(path)
				if err != nil {
					t.Fatal(err)
				}
				if strings.Contains(string(data), missing) || !strings.Contains(string(data), "CAP_CHOWN") {
					t.Errorf("capabilities: %s", data)
				}
				if strings.Contains(string(data), "oomScoreAdj") != (score == "300") {
					t.Errorf("score %s: %s", score, data)
				}
				if !strings.Contains(string(data), "18446744073709551615") {
					t.Errorf("a number changed its digits: %s", data)
				}
			})
		}
	}
	if err := describe([]string{"state", "id"}, true); err != nil {
		t.Errorf("state: %v", err)
	}
	if err := describe([]string{"create", "--bundle", t.TempDir(), "id"}, true); err != nil {
		t.Errorf("no config.json: %v (runc says it)", err)
	}
}

// TestDescribeGuardsTheKernel puts the guard into the description of a container that could write
// to the kernel's files, behind hooks that are there, and into no other.
func TestDescribeGuardsTheKernel(t *testing.T) {
	for _, tt := range []struct {
		name, spec string
		hooks      int
	}{
		{"privileged", `{"linux":{"readonlyPaths":null}}`, 1},
		{"privileged, without the list", `{"linux":{}}`, 1},
		{"privileged, with a hook", `{"hooks":{"createContainer":[{"path":"/a"}],"poststop":[]}}`, 2},
		{"not privileged", `{"linux":{"readonlyPaths":["/proc/bus","/proc/sys"]}}`, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "config.json")
			if err := os.WriteFile(path, []byte(tt.spec), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := describe([]string{"create", "--bundle", dir, "id"}, false); err != nil {
				t.Fatal(err)
			}
			text, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			var spec struct {
				Hooks struct{ CreateContainer []struct{ Path string } }
			}
			if err := json.Unmarshal(text, &spec); err != nil {
				t.Fatal(err)
			}
			all := spec.Hooks.CreateContainer
			if len(all) != tt.hooks || tt.hooks > 0 && all[tt.hooks-1].Path != selfPath {
				t.Errorf("hooks %v, want %d", all, tt.hooks)
			}
		})
	}
}

// FuzzRuncCommand holds the reading of runc's command line against arguments of any form.
func FuzzRuncCommand(f *testing.F) {
	f.Add("--root /r create --bundle /b id")
	f.Add("exec -p=/p id")
	f.Add("create --bundle")
	f.Fuzz(func(t *testing.T, line string) {
		word, option := runcCommand(strings.Fields(line))
		if word != "" && !strings.Contains(line, word) {
			t.Errorf("command %q of %q", word, line)
		}
		if bundle := option("bundle", "b"); !strings.Contains(line, bundle) {
			t.Errorf("bundle %q of %q", bundle, line)
		}
	})
}

// TestSetupAsksForWhatADockerIsMadeOf keeps the script that installs it in step.
func TestSetupAsksForWhatADockerIsMadeOf(t *testing.T) {
	script, err := os.ReadFile("../../hack/setup.sh")
	if err != nil {
		t.Fatal(err)
	}
	if loop := "for program in " + strings.Join(programs, " ") + "; do"; !strings.Contains(string(script), loop) {
		t.Errorf("hack/setup.sh does not have %q", loop)
	}
}
