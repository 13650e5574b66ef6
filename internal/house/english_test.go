package house

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// avoided are words that readers with English as a second language stumble over. A sentence without
// them names its subject, and so does a function's name. A line break and the mark of a comment may
// stand between two words.
var avoided = regexp.MustCompile(`(?i)whoever|whatever|somebody|nobody|\bfor[\s/#*]+want[\s/#*]+of\b`)

// exempt are the files that may have these words, each with the reason.
var exempt = map[string]string{
	"internal/house/english_test.go": "it lists them",
}

// texts are the endings of the files whose sentences are the project's own.
var texts = []string{".go", ".md", ".txtar", ".sh"}

// TestPlainEnglish holds comments, messages and documents to plain words. What is recorded lies in
// testdata and is left as it was said.
func TestPlainEnglish(t *testing.T) {
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && path != root &&
			(slices.Contains([]string{"testdata", "out", "bin"}, d.Name()) || strings.HasPrefix(d.Name(), ".")) {
			return fs.SkipDir
		}
		if d.IsDir() || !slices.Contains(texts, filepath.Ext(path)) {
			return nil
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		if _, may := exempt[filepath.ToSlash(name)]; may {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		for _, at := range avoided.FindAllIndex(text, -1) {
			line := 1 + bytes.Count(text[:at[0]], []byte("\n"))
			t.Errorf("%s:%d: say it without %q", name, line, text[at[0]:at[1]])
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// TestAvoidedWords finds the words in what people write, and leaves other words alone.
func TestAvoidedWords(t *testing.T) {
	for text, found := range map[string]bool{
		"// Nobody knows.":                      true,
		"it is somebody's own":                  true,
		"stopped for want\n\t// of a witness":   true,
		"Whatever it is, whoever it was":        true,
		"func TestNobodyWaits(t *testing.T) {}": true,
		"everybody wants of it what he can":     false,
	} {
		if avoided.MatchString(text) != found {
			t.Errorf("%q: found %v, want %v", text, !found, found)
		}
	}
}
