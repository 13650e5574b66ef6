package docker

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
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
				if err := strip(args); err != nil {
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
	if err := strip([]string{"state", "id"}); err != nil {
		t.Errorf("state: %v", err)
	}
	if err := strip([]string{"create", "--bundle", t.TempDir(), "id"}); err != nil {
		t.Errorf("no config.json: %v (runc says it)", err)
	}
}

func TestRuntimeIsOursOnlyWhereTheCapabilityIsMissing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "daemon.json")
	if err := writeConfig(path); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var got map[string]any
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	if hasCapability(24) == (len(got) > 0) { // 24 is CAP_SYS_RESOURCE
		t.Errorf("this root has the capability: %v; configuration %v", hasCapability(24), got)
	}
	if reflect.DeepEqual(got["default-runtime"], "runc") {
		t.Errorf("configuration %v", got)
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
