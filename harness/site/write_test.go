package site

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWriteIsVisible writes names that would command a terminal or turn a line: they are seen in
// the pages, and nothing obeys them.
func TestWriteIsVisible(t *testing.T) {
	const hostile = "a\x1b]0;title\x07\u009b2J\u202ecod\u200b\r\x00é"
	dir := t.TempDir()
	s := &Site{Version: hostile, Articles: []Article{{Name: "log", Title: hostile, Body: "<p>" + hostile + "</p>"}}}
	if err := s.Write(dir); err != nil {
		t.Fatal(err)
	}
	pages, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(pages) == 0 {
		t.Fatal(pages, err)
	}
	shown := false
	for _, file := range pages {
		text, err := os.ReadFile(file)
		if err != nil {
			continue // a folder
		}
		if strings.ContainsAny(string(text), "\x1b\x07\u009b\u202e\u200b\r\x00") {
			t.Errorf("%s has a character that commands", filepath.Base(file))
		}
		shown = shown || strings.Contains(string(text), `a\x1b]0;title\x07\u009b2J\u202ecod\u200b`)
	}
	if !shown {
		t.Error("the names are in no page")
	}
}
