package redact

import (
	"bufio"
	"os"
	"strings"
	"testing"
)

// corpus reads a file of spellings, one a line: \n, \r, \t and \\ are escapes, a line that begins
// with # is a comment.
func corpus(t testing.TB, name string) []string {
	t.Helper()
	file, err := os.Open("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	var all []string
	scanner := bufio.NewScanner(file)
	for scanner.Scan() {
		if line := scanner.Text(); line != "" && !strings.HasPrefix(line, "# ") {
			all = append(all, strings.NewReplacer(`\\`, `\`, `\n`, "\n", `\r`, "\r", `\t`, "\t").Replace(line))
		}
	}
	if err := scanner.Err(); err != nil {
		t.Fatal(err)
	}
	return all
}

// secrets are what the spellings of a secret have in its place: {} a password, {t} a token as
// programs make them, {w} a word of a password that a person chose.
var secrets = strings.NewReplacer("{}", "S3cr3t-hunter2", "{t}", "zX9qLm4TkP2vRw7YbN5cJd8H", "{w}",
	"correcthorse", "{b}", "UzNjcjN0LWh1bnRlcjI=")

var survivors = []string{"S3cr3t", "hunter2", "zX9qLm4TkP2vRw7YbN5cJd8H", "correcthorse", "UzNjcjN0LWh1bnRlcjI"}

// TestSecretSpellings holds every way in which a secret is written against what is shown of
// it: none may survive.
func TestSecretSpellings(t *testing.T) {
	texts, documents := corpus(t, "secret-texts.txt"), corpus(t, "secret-documents.txt")
	survived := 0
	check := func(line, got string) {
		t.Helper()
		for _, secret := range survivors {
			if strings.Contains(got, secret) {
				survived++
				t.Errorf("%q is shown as %q", line, got)
				break
			}
		}
	}
	for _, line := range texts {
		in := secrets.Replace(line)
		once := Text(in)
		check(line, once)
		if in == line {
			if !Hidden(once) {
				survived++
				t.Errorf("nothing of %q is hidden: %q", line, once)
			}
		}
		if twice := Text(once); twice != once {
			t.Errorf("%q is shown as %q, and that as %q", line, once, twice)
		}
		// The same in the middle of a sentence, and in a string of a document.
		check(line, Text("[warning] "+once+" (it failed)"))
	}
	for _, line := range documents {
		once, err := JSON([]byte(secrets.Replace(line)))
		if err != nil {
			t.Errorf("%s: %v", line, err)
			continue
		}
		check(line, string(once))
		if twice, err := JSON(once); err != nil || string(twice) != string(once) {
			t.Errorf("%s: twice is %s (%v)", line, twice, err)
		}
	}
	t.Logf("%d spellings in text and %d in documents, %d survived", len(texts), len(documents), survived)
	if len(texts)+len(documents) < 400 {
		t.Errorf("%d spellings are fewer than 400", len(texts)+len(documents))
	}
}

// TestHarmless holds what evidence is read from to being shown as it is.
func TestHarmless(t *testing.T) {
	lines := corpus(t, "harmless.txt")
	for _, line := range lines {
		if got := Text(line); got != line {
			t.Errorf("%q is shown as %q", line, got)
		}
	}
	for _, line := range corpus(t, "harmless-documents.txt") {
		got, err := JSON([]byte(line))
		if err != nil || Hidden(string(got)) {
			t.Errorf("%s is shown as %s (%v)", line, got, err)
		}
	}
	if len(lines) < 150 {
		t.Errorf("%d values are fewer than 150", len(lines))
	}
}
