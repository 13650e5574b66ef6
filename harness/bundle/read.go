package bundle

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/trace"
	"github.com/flowproof/lab/internal/input"
	"github.com/flowproof/lab/internal/strict"
)

// Limits of what is read of one file: a dump or a text of an instrument, and what curl
// printed of one request.
const (
	maxFile = 256 << 20
	maxCurl = 16 << 20
)

// Read reads a bundle. What is damaged, missing or more than bundle.json names is one error, which
// names the file and, where there is one, the line. A file that reads but is not as it was written
// is named in Changed. It ends when ctx does.
func Read(ctx context.Context, dir string) (Contents, error) {
	c, err := read(ctx, dir)
	switch {
	case err != nil && ctx.Err() != nil:
		return Contents{}, context.Cause(ctx)
	case err != nil:
		return Contents{}, fault.Usagef("read bundle %s: %w", dir, err)
	}
	return c, nil
}

func read(ctx context.Context, dir string) (Contents, error) {
	description, text, err := readManifest(dir)
	if err != nil {
		return Contents{}, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Contents{}, err
	}
	defer root.Close()
	if err := whole(root, description); err != nil {
		return Contents{}, err
	}
	r := &reader{ctx: ctx, root: root, description: description, seen: map[string]bool{manifestFile: true}}
	c := Contents{Old: description.Schema == oldSchema, written: description.Written, manifest: text}
	if c.signature, err = input.ReadIn(ctx, root, signatureFile, maxKey); err != nil &&
		!errors.Is(err, fs.ErrNotExist) {
		return Contents{}, err
	}
	if err := r.json(runFile, &c.Run); err != nil {
		return Contents{}, err
	}
	if c.Run.Schema != flow.RunSchema {
		return Contents{}, fmt.Errorf("%s: schema %q is not %s (it was written by another release)", runFile,
			c.Run.Schema, flow.RunSchema)
	}
	if err := r.json(verdictFile, &c.Verdict); err != nil {
		return Contents{}, err
	}
	if err := r.question(&c); err != nil {
		return Contents{}, err
	}
	if err := r.recording(&c); err != nil {
		return Contents{}, err
	}
	if err := r.unread(); err != nil {
		return Contents{}, err
	}
	slices.Sort(r.changed)
	c.Changed = r.changed
	return c, nil
}

// readManifest reads the file that makes a directory a bundle, and returns its text too.
func readManifest(dir string) (m manifest, text []byte, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return m, nil, err
	}
	defer root.Close()
	text, err = input.ReadIn(context.Background(), root, manifestFile, maxFile)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return m, nil, fmt.Errorf("there is no %s in it, so it is not a bundle", manifestFile)
	case err != nil:
		return m, nil, err
	}
	if err := strict.JSON(text, &m); err != nil {
		return m, nil, fmt.Errorf("%s: %w", manifestFile, err)
	}
	if m.Schema != Schema && m.Schema != oldSchema {
		return m, nil, fmt.Errorf("%s: schema %q is neither %s nor the one before it, %s", manifestFile,
			m.Schema, Schema, oldSchema)
	}
	return m, text, nil
}

// whole compares the files that are there with those that the description names.
func whole(root *os.Root, description manifest) error {
	if len(description.Files) == 0 {
		return fmt.Errorf("%s: it names no files, so nothing says what belongs to the bundle", manifestFile)
	}
	there := map[string]bool{}
	err := fs.WalkDir(root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir(), name == manifestFile, name == signatureFile:
			return nil
		}
		there[name] = true
		if _, named := description.Files[name]; !named {
			return fmt.Errorf("%s: %s does not name it", name, manifestFile)
		}
		return nil
	})
	if err != nil {
		return err
	}
	for name := range description.Files {
		if !there[name] {
			return fmt.Errorf("%s: %s names it, and it is not there", name, manifestFile)
		}
	}
	return nil
}

// reader reads the files of a bundle and compares them with its description. It follows no link.
type reader struct {
	ctx         context.Context
	root        *os.Root
	description manifest
	seen        map[string]bool
	changed     []string
}

// file reads one file; a file that is not there is fs.ErrNotExist.
func (r *reader) file(name string) ([]byte, error) {
	limit := int64(maxFile)
	if name == curlFile {
		limit = maxCurl
	}
	text, err := input.ReadIn(r.ctx, r.root, name, limit)
	if err != nil {
		return nil, err
	}
	r.seen[name] = true
	if want := r.description.Files[name]; name != manifestFile && want != checksum(text) {
		r.changed = append(r.changed, name+" was changed after it was written")
	}
	return text, nil
}

func (r *reader) json(name string, into any) error {
	text, err := r.file(name)
	if err != nil {
		return err
	}
	if err := strict.JSON(text, into); err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return nil
}

// optional reads a file that may be missing; then it is nil.
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

// question reads what inference was asked, and what it was given.
func (r *reader) question(c *Contents) error {
	files := map[string][]byte{}
	for dir, dumps := range map[string]*map[string][]byte{dumpDir: &c.Dumps, dumpAfterDir: &c.After} {
		if err := r.dumps(dir, dumps, files); err != nil {
			return err
		}
	}
	var kept asked
	if err := r.json(questionFile, &kept); errors.Is(err, fs.ErrNotExist) {
		return nil // an old one; of another Judge says so
	} else if err != nil {
		return err
	}
	c.Question = kept.Question
	for _, given := range rules(&c.Question) {
		if given.pod == "" {
			continue
		}
		name, err := podFile(ruleDir, given.pod, ".txt")
		if err != nil {
			return fmt.Errorf("%s: %w", questionFile, err)
		}
		text, err := r.optional(name)
		if err != nil {
			return err
		}
		if text != nil {
			*given.text, files[name] = string(text), text
		}
	}
	return r.bound(questionFile, kept.Dumps, files)
}

// dumps reads the config dumps of a directory, by pod, and adds them to files.
func (r *reader) dumps(dir string, into *map[string][]byte, files map[string][]byte) error {
	for name := range r.description.Files {
		pod, ok := podOf(name, dir, ".json")
		if !ok {
			continue
		}
		text, err := r.file(name)
		if err != nil {
			return err
		}
		if err := strict.Message(text); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if *into == nil {
			*into = map[string][]byte{}
		}
		(*into)[pod], files[name] = text, text
	}
	return nil
}

// recording reads the raw evidence.
func (r *reader) recording(c *Contents) error {
	var kept recorded
	if err := r.json(recordingFile, &kept); errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	recording, files := kept.Recording, map[string][]byte{}
	var err error
	read := func(name string) (text []byte) {
		if err != nil {
			return nil
		}
		if text, err = r.optional(name); text != nil {
			files[name] = text
		}
		if wrong := once(text); err == nil && wrong != nil && name != traceFile {
			err = fmt.Errorf("%s: %w", name, wrong)
		}
		return text
	}
	recording.Curl = read(curlFile)
	if events := read(traceFile); err == nil && events != nil {
		if recording.Trace, err = trace.ReadRecording(bytes.NewReader(events)); err != nil {
			err = fmt.Errorf("%s: %w", traceFile, err)
		}
	}
	for _, pod := range recording.Pods() {
		if pod.Name == "" {
			continue // an end that was not recorded
		}
		pod.Parts = map[string][]byte{}
		for _, part := range observe.Parts() {
			dir, suffix := place(part)
			name, wrong := podFile(dir, pod.Name, suffix)
			if wrong != nil {
				return fmt.Errorf("%s: %w", recordingFile, wrong)
			}
			if text := read(name); text != nil {
				pod.Parts[part] = text
			}
		}
	}
	if err != nil {
		return err
	}
	c.Recording, c.told = &recording, kept.Run
	if c.Old {
		c.told = circumstancesOf(c.Run) // which it does not keep
		return nil
	}
	return r.bound(recordingFile, kept.Parts, files)
}

// once refuses a text of an instrument in which JSON has a member twice: an answer in JSON, or a
// line of one.
func once(text []byte) error {
	if bytes.HasPrefix(bytes.TrimSpace(text), []byte("{")) && json.Valid(text) {
		return strict.Once(text)
	}
	return strict.Lines(text)
}

// bound compares the texts that were read with those that the file about them names. One that is
// there and not named, or named and not there, is an error; one that is another text is a change.
func (r *reader) bound(owner string, named map[string]string, read map[string][]byte) error {
	for name, text := range read {
		sum, ok := named[name]
		switch {
		case !ok:
			return fmt.Errorf("%s: %s does not name it", name, owner)
		case sum != checksum(text):
			r.changed = append(r.changed, name+" is not the one that "+owner+" is about")
		}
	}
	for name := range named {
		if read[name] == nil {
			return fmt.Errorf("%s: %s names it, and it is not there", name, owner)
		}
	}
	return nil
}

// unread refuses a file that no part of a bundle is read from.
func (r *reader) unread() error {
	for name := range r.description.Files {
		if !r.seen[name] {
			return fmt.Errorf("%s: it is no part of a bundle", name)
		}
	}
	return nil
}
