package scenarios_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/scenarios"
)

// TestChapterIsAsked holds our lessons against the steps and inferences of the chapter: each is
// asked for or shown by the lesson that the list names, or the list says why it is no decision.
func TestChapterIsAsked(t *testing.T) {
	text, err := os.ReadFile("testdata/chapter-decisions.txt")
	if err != nil {
		t.Fatal(err)
	}
	questions := map[string][]string{} // by lesson
	lines := map[string][]string{}
	for _, name := range scenarios.Names() {
		s, err := scenarios.Find(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, p := range s.Phases() {
			for _, line := range p.Lines {
				lines[name] = append(lines[name], line.Text)
				if key, asks := line.Question(); asks {
					questions[name] = append(questions[name], key)
				}
			}
		}
	}
	rows, listed := 0, map[string]bool{}
	for row := range strings.Lines(string(text)) {
		cells := strings.Split(strings.TrimSpace(row), " | ")
		if len(cells) < 3 {
			continue
		}
		rows++
		switch kind, lesson, want := cells[0], cells[2], cells[len(cells)-1]; kind {
		case "asked":
			listed[lesson+" "+want] = true
			if !slices.Contains(questions[lesson], want) {
				t.Errorf("%s: the lesson %s does not ask %q, but %q", cells[1], lesson, want, questions[lesson])
			}
		case "shown":
			has := func(line string) bool { return strings.HasSuffix(line, want) }
			if !slices.ContainsFunc(lines[lesson], has) {
				t.Errorf("%s: the lesson %s has no line %q", cells[1], lesson, want)
			}
		}
	}
	if rows < 77 {
		t.Errorf("the list has %d rows, and the chapter has 77 steps and inferences", rows)
	}
	for _, lesson := range []string{"inbound", "outbound"} {
		asked := 0
		for row := range listed {
			if strings.HasPrefix(row, lesson+" ") {
				asked++
			}
		}
		if asked < 12 {
			t.Errorf("%d decisions of the chapter are asked for in %s, and 12 are wanted", asked, lesson)
		}
	}
}
