// Package bundle keeps everything about one run in a directory: what was inferred and from which dumps, the raw evidence
// and what was seen in it, and the verdict. A bundle is what is handed on when a run is not understood; it can be judged
// again without the cluster. Nothing of it is written before the secrets are taken out.
package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/internal/exit"
	"github.com/flowproof/lab/internal/redact"
	"github.com/flowproof/lab/internal/removal"
)

// Schema is the version of a bundle's layout; it changes only with that layout.
const Schema = "flowproof.dev/bundle/v1"

// The files of a bundle. Dumps, logs and socket tables are named after their pods.
const (
	manifestFile  = "bundle.json"
	runFile       = "run.json"
	verdictFile   = "verdict.json"
	recordingFile = "recording.json"
	curlFile      = "curl.txt"
	traceFile     = "trace.jsonl"
	dumpDir       = "dumps"
	dumpAfterDir  = "dumps-after"
	logDir        = "logs"
	socketDir     = "sockets"
	statsDir      = "stats"
	netfilterDir  = "netfilter"
	conntrackDir  = "conntrack"
)

// Contents are what a bundle holds.
type Contents struct {
	Run       flow.Run
	Verdict   flow.RunVerdict
	Recording *observe.Recording // raw evidence; nil: it was not kept
	Dumps     map[string][]byte  // config dumps in JSON that inference read, by "pod.namespace"
	After     map[string][]byte  // config dumps of the same proxies after the request
	Changed   []string           // by Read: the files that are not as they were written, with how they differ
}

// manifest is the bundle's own description.
type manifest struct {
	Schema  string            `json:"schema"`
	Written time.Time         `json:"written"`
	Files   map[string]string `json:"files"` // SHA-256 of each file by its name
}

// Write makes the bundle in dir, whose parent must exist. It is written beside dir under a temporary name and renamed
// when it is whole. A bundle that is there is replaced; anything else that is there is an error. All files are for their
// owner alone.
func Write(dir string, c Contents) error {
	if err := replaceable(dir); err != nil {
		return fmt.Errorf("write bundle %s: %w", dir, err)
	}
	files, err := c.files()
	if err != nil {
		return fmt.Errorf("write bundle %s: %w", dir, err)
	}
	temporary, err := os.MkdirTemp(filepath.Dir(filepath.Clean(dir)), "."+filepath.Base(filepath.Clean(dir))+"-*")
	if err != nil {
		return exit.Environmentf("write bundle %s: %w", dir, err)
	}
	if err := errors.Join(writeAll(temporary, files), replace(temporary, dir)); err != nil {
		return exit.Environmentf("write bundle %s: %w", dir, errors.Join(err, removal.All(temporary)))
	}
	return nil
}

// Writable says, before there is anything to write, why a bundle cannot be written to dir; nil where it can.
func Writable(dir string) error {
	if err := replaceable(dir); err != nil {
		return fmt.Errorf("write bundle %s: %w", dir, err)
	}
	parent := filepath.Dir(filepath.Clean(dir))
	if info, err := os.Stat(parent); err != nil {
		return exit.Usagef("write bundle %s: %w (make that directory first)", dir, err)
	} else if !info.IsDir() {
		return exit.Usagef("write bundle %s: %s is no directory", dir, parent)
	}
	trial, err := os.MkdirTemp(parent, ".bundle-*")
	if err != nil {
		return exit.Usagef("write bundle %s: %w (choose a place where you may write)", dir, err)
	}
	return os.Remove(trial)
}

// replaceable reports why dir may not be written to.
func replaceable(dir string) error {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist), err == nil && len(entries) == 0:
		return nil
	case err != nil:
		return exit.Usagef("%w (choose another directory)", err)
	}
	if _, err := readManifest(dir); err != nil {
		return exit.Usagef("the directory holds something else than a bundle (choose another one): %w", err)
	}
	return nil
}

// replace puts a whole directory in the place of dir.
func replace(temporary, dir string) error {
	if err := os.Remove(dir); err == nil || errors.Is(err, fs.ErrNotExist) { // nothing or an empty directory
		return os.Rename(temporary, dir)
	}
	old := temporary + ".old"
	if err := os.Rename(dir, old); err != nil {
		return err
	}
	if err := os.Rename(temporary, dir); err != nil {
		return errors.Join(err, os.Rename(old, dir))
	}
	return removal.All(old)
}

func writeAll(dir string, files map[string][]byte) error {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		full := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(full), 0o700); err != nil {
			return err
		}
		if err := os.WriteFile(full, files[name], 0o600); err != nil {
			return err
		}
	}
	return nil
}

// files makes the content of every file, without secrets.
func (c Contents) files() (map[string][]byte, error) {
	files := map[string][]byte{}
	for name, value := range map[string]any{runFile: c.Run, verdictFile: c.Verdict} {
		if err := addJSON(files, name, value); err != nil {
			return nil, err
		}
	}
	for dir, dumps := range map[string]map[string][]byte{dumpDir: c.Dumps, dumpAfterDir: c.After} {
		for pod, dump := range dumps {
			name, err := podFile(dir, pod, ".json")
			if err != nil {
				return nil, err
			}
			if files[name], err = redact.JSON(dump); err != nil {
				return nil, fmt.Errorf("redact the config dump of %s: %w", pod, err)
			}
		}
	}
	if c.Recording != nil {
		if err := addRecording(files, *c.Recording); err != nil {
			return nil, err
		}
	}
	description := manifest{Schema: Schema, Written: time.Now().UTC().Truncate(time.Second), Files: map[string]string{}}
	for name, text := range files {
		description.Files[name] = checksum(text)
	}
	text, err := json.MarshalIndent(description, "", " ")
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", manifestFile, err)
	}
	files[manifestFile] = append(text, '\n')
	return files, nil
}

// addJSON adds a value as JSON, without the secrets that a call's headers or an observed line may hold.
func addJSON(files map[string][]byte, name string, value any) error {
	text, err := json.Marshal(value)
	if err == nil {
		files[name], err = redact.JSON(text)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", name, err)
	}
	return nil
}

func addRecording(files map[string][]byte, r observe.Recording) error {
	r.Redact()
	if err := addJSON(files, recordingFile, r); err != nil {
		return err
	}
	if r.Curl != nil {
		files[curlFile] = r.Curl
	}
	if r.Trace != nil {
		var events bytes.Buffer
		if err := r.Trace.Write(&events); err != nil {
			return fmt.Errorf("write %s: %w", traceFile, err)
		}
		files[traceFile] = events.Bytes()
	}
	for _, pod := range []observe.Pod{r.Client, r.Server} {
		for _, part := range parts(&pod) {
			if *part.text == nil {
				continue
			}
			name, err := podFile(part.dir, pod.Name, part.suffix)
			if err != nil {
				return err
			}
			files[name] = *part.text
		}
	}
	return nil
}

// part is one text of a recorded pod and where it is kept.
type part struct {
	dir, suffix string
	text        *[]byte
}

func parts(pod *observe.Pod) []part {
	return []part{{logDir, ".log", &pod.Log}, {socketDir, ".before.txt", &pod.Before}, {socketDir, ".after.txt", &pod.After},
		{statsDir, ".before.txt", &pod.StatsBefore}, {statsDir, ".after.txt", &pod.StatsAfter},
		{netfilterDir, ".before.txt", &pod.NetfilterBefore.Rules}, {netfilterDir, ".after.txt", &pod.NetfilterAfter.Rules},
		{conntrackDir, ".before.txt", &pod.NetfilterBefore.Conntrack}, {conntrackDir, ".after.txt", &pod.NetfilterAfter.Conntrack}}
}

// podName is what Kubernetes allows in names, so that no name leads out of the bundle. Its length is not in the expression: a count
// is compiled by repetition, and that at each start of the command.
var podName = regexp.MustCompile(`^[a-z0-9]([a-z0-9.-]*[a-z0-9])?$`)

// longestPodName is a pod's, a dot, and a namespace's.
const longestPodName = 253 + 1 + 63

func podFile(dir, pod, suffix string) (string, error) {
	if len(pod) > longestPodName || !podName.MatchString(pod) {
		return "", fmt.Errorf("name a file after pod %q: it is no name of a pod", pod)
	}
	return path.Join(dir, pod+suffix), nil
}

func checksum(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
