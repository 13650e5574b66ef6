package bundle

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"path"
	"slices"
	"time"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/internal/redact"
)

// files makes the content of every file, without secrets.
func (c Contents) files() (map[string][]byte, error) {
	files := map[string][]byte{}
	if err := c.addQuestion(files); err != nil {
		return nil, err
	}
	run := c.Run
	if c.Recording != nil {
		if err := addRecording(files, *c.Recording, circumstancesOf(run)); err != nil {
			return nil, err
		}
		run.Sent, run.Answered, run.Pools = c.Recording.Sent, c.Recording.Answered, pools(*c.Recording)
	}
	run.Path = c.pathOf(files)
	for name, value := range map[string]any{runFile: run, verdictFile: c.Verdict} {
		if err := addJSON(files, name, value); err != nil {
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
	if c.Signer != nil {
		files[signatureFile] = c.Signer.sign(files[manifestFile])
	}
	return files, nil
}

// addQuestion adds what inference was asked, with the dumps and the netfilter rules
// that it was given.
func (c Contents) addQuestion(files map[string][]byte) error {
	kept := asked{Question: c.Question, Dumps: map[string]string{}}
	for dir, dumps := range map[string]map[string][]byte{dumpDir: c.Dumps, dumpAfterDir: c.After} {
		for pod, dump := range dumps {
			name, err := podFile(dir, pod, ".json")
			if err != nil {
				return err
			}
			if files[name], err = redact.JSON(dump); err != nil {
				return fmt.Errorf("redact the config dump of %s: %w", pod, err)
			}
			kept.Dumps[name] = checksum(files[name])
		}
	}
	for _, given := range rules(&kept.Question) {
		if given.pod == "" || *given.text == "" {
			continue
		}
		name, err := podFile(ruleDir, given.pod, ".txt")
		if err != nil {
			return err
		}
		files[name] = []byte(redact.Text(*given.text))
		kept.Dumps[name] = checksum(files[name])
	}
	return addJSON(files, questionFile, kept)
}

// givenRules are the netfilter rules of one pod that inference was given.
type givenRules struct {
	pod  string
	text *string
}

func rules(q *infer.Question) []givenRules {
	return []givenRules{{q.Client, &q.Options.ClientRules}, {q.Server, &q.Options.ServerRules}}
}

// pathOf is the path as the bundle keeps it: inferred once more, from the dumps and the request as
// they are kept. So there can be no secret in its words, and inferring it again comes to the same
// words. Where what was taken out would change a decision, the path stays as it is; then it cannot
// be inferred again, and Judge says so.
func (c Contents) pathOf(files map[string][]byte) flow.Path {
	kept, err := decodeQuestion(files)
	if err != nil {
		return c.Run.Path
	}
	again, err := kept.Path(dumpsIn(files))
	if err != nil || len(decisiveDifferences(c.Run.Path, again)) > 0 {
		return c.Run.Path
	}
	return again
}

func decodeQuestion(files map[string][]byte) (infer.Question, error) {
	var kept asked
	if err := json.Unmarshal(files[questionFile], &kept); err != nil {
		return kept.Question, err
	}
	for _, given := range rules(&kept.Question) {
		if name, err := podFile(ruleDir, given.pod, ".txt"); err == nil {
			*given.text = string(files[name])
		}
	}
	return kept.Question, nil
}

// dumpsIn are the config dumps among files, by pod.
func dumpsIn(files map[string][]byte) map[string][]byte {
	dumps := map[string][]byte{}
	for name, text := range files {
		if pod, ok := podOf(name, dumpDir, ".json"); ok {
			dumps[pod] = text
		}
	}
	return dumps
}

// addJSON adds a value as JSON, without the secrets that a call's headers or an
// observed line may hold.
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

// addRecording adds the texts of a recording, and the recording with the names and
// checksums of its texts.
func addRecording(files map[string][]byte, r observe.Recording, run circumstances) error {
	r.Redact()
	kept := recorded{Recording: r, Run: run, Parts: map[string]string{}}
	add := func(name string, text []byte) {
		files[name] = text
		kept.Parts[name] = checksum(text)
	}
	if r.Curl != nil {
		add(curlFile, r.Curl)
	}
	if r.Trace != nil {
		var events bytes.Buffer
		if err := r.Trace.Write(&events); err != nil {
			return fmt.Errorf("write %s: %w", traceFile, err)
		}
		add(traceFile, events.Bytes())
	}
	for _, pod := range r.Pods() {
		for part, text := range pod.Parts {
			if text == nil {
				continue
			}
			if !slices.Contains(observe.Parts(), part) {
				return fmt.Errorf("keep %s of %s: no instrument names it among its parts", part, pod.Name)
			}
			dir, suffix := place(part)
			name, err := podFile(dir, pod.Name, suffix)
			if err != nil {
				return err
			}
			add(name, text)
		}
	}
	return addJSON(files, recordingFile, kept)
}

func podFile(dir, pod, suffix string) (string, error) {
	if len(pod) > longestPodName || !podName.MatchString(pod) {
		return "", fmt.Errorf("name a file after pod %q: it is no name of a pod", pod)
	}
	return path.Join(dir, pod+suffix), nil
}

// podOf is the pod that a file of a directory is named after.
func podOf(name, dir, suffix string) (string, bool) {
	in, file := path.Split(name)
	if in != dir+"/" || len(file) <= len(suffix) || file[len(file)-len(suffix):] != suffix {
		return "", false
	}
	return file[:len(file)-len(suffix)], true
}

func checksum(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
