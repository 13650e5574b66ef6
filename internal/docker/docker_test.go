package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"

	"github.com/flowproof/lab/harness/fault"
)

func TestChoose(t *testing.T) {
	theirs := &Docker{Version: "27.0.1"}
	none := fmt.Errorf("find Docker: %w: the command docker is not installed", ErrNone)
	refused := fault.Environmentf("find Docker: permission denied")
	missing := errors.New("dockerd is not installed")
	for _, tt := range []struct {
		name     string
		found    *Docker
		err      error
		root     bool
		noDaemon error
		own      bool
		says     string
		refused  bool
	}{
		{name: "one runs", found: theirs, root: true, says: "Docker 27.0.1 runs here"},
		{name: "one runs, and this is no root", found: theirs, says: "Docker 27.0.1 runs here"},
		{name: "none runs, it is installed", err: none, root: true, own: true,
			says: "started in namespaces of its own"},
		{name: "none runs, none is installed", err: none, root: true, noDaemon: missing, says: "hack/setup.sh kind",
			refused: true},
		{name: "none runs, this is no root", err: none, says: "needs root", refused: true},
		{name: "one runs and refuses: no second is started beside it", err: refused, root: true,
			says: "permission denied", refused: true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := choose(tt.found, tt.err, tt.root, tt.noDaemon)
			said := c.Reason
			if c.Err != nil {
				said = c.Err.Error()
				if fault.Of(c.Err) != fault.Environment {
					t.Errorf("%v has kind %q", c.Err, fault.Of(c.Err))
				}
			}
			if c.Own != tt.own || (c.Err != nil) != tt.refused || !strings.Contains(said, tt.says) {
				t.Errorf("choose = %+v, want own %v, refused %v, %q", c, tt.own, tt.refused, tt.says)
			}
		})
	}
}

// TestNamedDockerIsNotReplaced looks for one that is named and is not there.
func TestNamedDockerIsNotReplaced(t *testing.T) {
	if _, err := exec.LookPath("docker"); err != nil {
		t.Skip("the command docker is not installed")
	}
	t.Setenv("DOCKER_HOST", "unix://"+filepath.Join(t.TempDir(), "docker.sock"))
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	_, err := Find(ctx)
	if err == nil || errors.Is(err, ErrNone) || fault.Of(err) != fault.Environment {
		t.Errorf("find: %v, want an error that lets no caller start another", err)
	}
}

func TestErrorSaysWhetherDockerIsGone(t *testing.T) {
	for said, gone := range map[string]bool{
		"Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon " +
			"running?": true,
		"error during connect: Get \"http://docker/v1.41/version\": read: connection reset by " +
			"peer": true,
		"Got permission denied while trying to connect to the Docker daemon socket at " +
			"unix:///var/run/docker.sock": false,
		"Error: No such container: " +
			"lab-control-plane": false,
		"WARNING: something\nError response from daemon: conflict: unable to remove repository reference (must " +
			"force)": false,
	} {
		err := &Error{Program: "docker rm", Said: said, Err: errors.New("exit status 1")}
		if IsGone(err) != gone {
			t.Errorf("%q: gone %v, want %v", said, !gone, gone)
		}
		if got := err.Error(); !strings.HasPrefix(got, "docker rm: ") || strings.Contains(got, "\n") {
			t.Errorf("error %q", got)
		}
	}
}

func TestHere(t *testing.T) {
	for _, tt := range []struct {
		host, system string
		here         bool
	}{
		{"", "Debian GNU/Linux 12 (bookworm)", true},
		{"unix:///var/run/docker.sock", "Ubuntu 24.04 LTS", true},
		{"unix:///run/user/1000/docker.sock", "Debian GNU/Linux 12 (bookworm)", true},
		{"unix:///home/me/.docker/desktop/docker.sock", "Docker Desktop", false},
		{"tcp://192.0.2.1:2376", "Debian GNU/Linux 12 (bookworm)", false},
		{"ssh://me@elsewhere", "Debian GNU/Linux 12 (bookworm)", false},
	} {
		if err := here(tt.host, tt.system); (err == nil) != tt.here {
			t.Errorf("%s, %s: %v, want here %v", tt.host, tt.system, err, tt.here)
		}
	}
}

func TestNoSuchName(t *testing.T) {
	question := dnsmessage.Message{Header: dnsmessage.Header{ID: 7, RecursionDesired: true},
		Questions: []dnsmessage.Question{
			{Name: dnsmessage.MustNewName("host.docker.internal."), Type: dnsmessage.TypeA,
				Class: dnsmessage.ClassINET}}}
	packed, err := question.Pack()
	if err != nil {
		t.Fatal(err)
	}
	answer, err := noSuchName(packed)
	if err != nil {
		t.Fatal(err)
	}
	var got dnsmessage.Message
	if err := got.Unpack(answer); err != nil {
		t.Fatal(err)
	}
	if got.ID != 7 || !got.Response || got.RCode != dnsmessage.RCodeNameError || len(got.Questions) != 1 ||
		len(got.Answers) != 0 {
		t.Errorf("answer %+v", got)
	}
	if _, err := noSuchName(answer); err == nil {
		t.Error("an answer is answered: two resolvers would talk for ever")
	}
}

func FuzzNoSuchName(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("\x00\x07\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x01a\x00\x00\x01\x00\x01"))
	f.Fuzz(func(t *testing.T, question []byte) {
		answer, err := noSuchName(question)
		if err == nil && len(answer) < 12 {
			t.Errorf("an answer of %d bytes has no header", len(answer))
		}
	})
}

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
