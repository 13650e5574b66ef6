package main

import (
	"bytes"
	"context"
	_ "embed"
	"os"
	"path/filepath"
	"strings"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/walk"
	"github.com/flowproof/lab/internal/lazyregexp"
	"github.com/flowproof/lab/internal/screen"
	"github.com/flowproof/lab/scenarios"
)

// skeleton is a lesson to begin with: it passes as it is.
//
//go:embed skeleton.txtar
var skeleton []byte

// skeletonWords are its words in Chinese.
//
//go:embed skeleton.zh.txt
var skeletonWords []byte

// lessonName is a name that a folder and a file can have everywhere.
var lessonName = lazyregexp.New(`^[a-z0-9][-_a-z0-9]{0,60}$`)

// lessonResult is the JSON form of `lab walk --new`.
type lessonResult struct {
	Schema string `json:"schema"` // lessonSchema
	File   string `json:"file"`   // the lesson that was made
}

const lessonSchema = "flowproof.dev/lesson/v1"

// newLesson makes a folder with a lesson in it: a copy of one of ours, or where none is named a
// short one to begin with. A folder that is there already is an error.
func (a *app) newLesson(name, of string) error {
	sources := map[string][]byte{".txtar": skeleton, ".zh.txt": skeletonWords}
	if of != "" {
		var err error
		if sources, err = scenarios.Sources(of); err != nil {
			return err
		}
	}
	if !lessonName.MatchString(filepath.Base(name)) {
		return fault.Usagef("make lesson %q: a name is of small letters, digits, - and _", filepath.Base(name))
	}
	if err := os.Mkdir(name, 0o755); err != nil {
		return fault.Usagef("make lesson: %w (give it another name)", err)
	}
	base := filepath.Join(name, filepath.Base(name))
	for end, text := range sources {
		if err := os.WriteFile(base+end, text, 0o644); err != nil {
			return fault.Environmentf("make lesson: %w", err)
		}
	}
	return a.print(lessonResult{lessonSchema, base + ".txtar"},
		printLine(base+".txtar   walk it: lab walk ./"+name+"   hold it: lab run ./"+base+".txtar"))
}

// handout writes the lesson's page, and that of its solutions beside it. What is asked comes from
// the recorded run, or from one on the lab.
func (w *walkOf) handout(ctx context.Context, c *course, file string, language lesson.Language) error {
	if len(c.lessons) != 1 {
		return fault.Usagef("write handout: it is of one lesson, and there are %d", len(c.lessons))
	}
	l := c.lessons[0]
	result, err := w.resultOf(ctx, c, l)
	if err != nil {
		return err
	}
	solutions := strings.TrimSuffix(file, filepath.Ext(file)) + ".solutions" + filepath.Ext(file)
	for path, solved := range map[string]bool{file: false, solutions: true} {
		var page bytes.Buffer
		if err := walk.Handout(&page, l, shown(w.app, result.Answers), language, mesh.Workshop, solved); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(screen.Visible(page.String())), 0o644); err != nil {
			return fault.Environmentf("write handout: %w", err)
		}
	}
	w.reporter().Say("The handout is %s; its solutions are %s.", file, solutions)
	return nil
}
