package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/exit"
	"github.com/flowproof/lab/internal/redact"
)

// maxFile bounds what is read of one file.
const maxFile = 512 << 20

// Read reads a bundle. What is damaged so that it cannot be read is one error, which names the file and the line; a file
// that reads but is not as it was written is named in Changed.
func Read(dir string) (Contents, error) {
	c, err := read(dir)
	if err != nil {
		return Contents{}, exit.Usagef("read bundle %s: %w", dir, err)
	}
	return c, nil
}

func read(dir string) (Contents, error) {
	description, err := readManifest(dir)
	if err != nil {
		return Contents{}, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Contents{}, err
	}
	defer root.Close()
	r := &reader{root: root, description: description, seen: map[string]bool{manifestFile: true}}
	var c Contents
	if err := r.json(runFile, &c.Run); err != nil {
		return Contents{}, err
	}
	if c.Run.Schema != flow.RunSchema {
		return Contents{}, fmt.Errorf("%s: schema %q is not %s (it was written by another release)", runFile, c.Run.Schema, flow.RunSchema)
	}
	if err := r.json(verdictFile, &c.Verdict); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return Contents{}, err
	}
	if c.Recording, err = r.recording(); err != nil {
		return Contents{}, err
	}
	if c.Dumps, err = r.dumps(dumpDir); err != nil {
		return Contents{}, err
	}
	if c.After, err = r.dumps(dumpAfterDir); err != nil {
		return Contents{}, err
	}
	c.Changed = r.differences()
	return c, nil
}

// readManifest reads the file that makes a directory a bundle.
func readManifest(dir string) (manifest, error) {
	var m manifest
	root, err := os.OpenRoot(dir)
	if err != nil {
		return m, err
	}
	defer root.Close()
	r := &reader{root: root, seen: map[string]bool{}}
	if err := r.json(manifestFile, &m); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return m, fmt.Errorf("there is no %s in it, so it is not a bundle", manifestFile)
		}
		return m, err
	}
	if m.Schema != Schema {
		return m, fmt.Errorf("%s: schema %q is not %s", manifestFile, m.Schema, Schema)
	}
	return m, nil
}

// reader reads the files of a bundle and compares them with its description. It follows no link out of the bundle.
type reader struct {
	root        *os.Root
	description manifest
	seen        map[string]bool
	changed     []string
}

// file reads one file; a file that is not there is fs.ErrNotExist.
func (r *reader) file(name string) ([]byte, error) {
	file, err := r.root.Open(name)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s: %w", name, err)
	case !info.Mode().IsRegular():
		return nil, fmt.Errorf("%s: it is not a regular file", name)
	case info.Size() > maxFile:
		return nil, fmt.Errorf("%s: %d bytes are more than a bundle's file may have", name, info.Size())
	}
	text, err := io.ReadAll(io.LimitReader(file, maxFile))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	r.seen[name] = true
	if want := r.description.Files[name]; r.description.Files != nil && want != checksum(text) {
		how := "was changed after it was written"
		if want == "" {
			how = "was added after the bundle was written"
		}
		r.changed = append(r.changed, name+" "+how)
	}
	return text, nil
}

func (r *reader) json(name string, into any) error {
	text, err := r.file(name)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", name, redact.Place(text, err))
	}
	return nil
}

// optional reads a file that may be missing; then it is nil, and differences tells.
func (r *reader) optional(name string) ([]byte, error) {
	text, err := r.file(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && text == nil {
		text = []byte{}
	}
	return text, err
}

func (r *reader) recording() (*observe.Recording, error) {
	var recording observe.Recording
	if err := r.json(recordingFile, &recording); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return nil, nil
		}
		return nil, err
	}
	var err error
	if recording.Curl, err = r.optional(curlFile); err != nil {
		return nil, err
	}
	if recording.Trace, err = r.trace(); err != nil {
		return nil, err
	}
	for _, pod := range []*observe.Pod{&recording.Client, &recording.Server} {
		if pod.Name == "" {
			continue // an end that was not recorded
		}
		for _, part := range parts(pod) {
			name, err := podFile(part.dir, pod.Name, part.suffix)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", recordingFile, err)
			}
			if *part.text, err = r.optional(name); err != nil {
				return nil, err
			}
		}
	}
	return &recording, nil
}

// trace reads what eBPF recorded; nil where nothing was.
func (r *reader) trace() (*trace.Recording, error) {
	events, err := r.optional(traceFile)
	if err != nil || events == nil {
		return nil, err
	}
	recording, err := trace.ReadRecording(bytes.NewReader(events))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", traceFile, err)
	}
	return recording, nil
}

func (r *reader) dumps(dir string) (map[string][]byte, error) {
	entries, err := fs.ReadDir(r.root.FS(), dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", dir, err)
	}
	dumps := map[string][]byte{}
	for _, entry := range entries {
		pod, ok := strings.CutSuffix(entry.Name(), ".json")
		if !ok {
			continue
		}
		if dumps[pod], err = r.file(path.Join(dir, entry.Name())); err != nil {
			return nil, err
		}
	}
	return dumps, nil
}

// differences lists the files that are not as they were written, and those that are gone.
func (r *reader) differences() []string {
	all := slices.Clone(r.changed)
	for name := range r.description.Files {
		if !r.seen[name] {
			all = append(all, name+" is missing")
		}
	}
	slices.Sort(all)
	return all
}
