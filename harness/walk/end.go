package walk

import (
	"fmt"
	"strings"

	"github.com/mattn/go-runewidth"

	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/internal/screen"
)

// answers shows what was said, what was inferred and what was seen, in one table, and
// how the lesson ended.
func (w *Walker) answers(result *script.Result) {
	if len(result.Answers) > 0 {
		rows := [][]string{
			{
				w.Language.Say("end.question"),
				w.Language.Say("end.guess"),
				w.Language.Say("end.inferred"),
				w.Language.Say("end.seen"),
			},
		}
		for _, a := range result.Answers {
			rows = append(rows, []string{
				subjectText(w.Language, a.Question), guessText(w.Language, a), a.Question.Answer,
				seenText(w.Language, a),
			})
		}
		right, skipped, unasked := tally(result.Answers)
		w.blank()
		w.para("", bold, w.Language.Say("end.title"))
		w.table(rows)
		w.say("end.score", right, len(result.Answers), skipped, unasked)
	}
	if result.Status == script.Passed {
		w.blank()
		w.para("", green, "✓ "+w.Language.Say("done", w.lesson.Name))
	}
}

// tally counts the answers that were right, were skipped, and were never asked for.
func tally(answers []lesson.Answer) (right, skipped, unasked int) {
	for _, a := range answers {
		switch {
		case a.Right:
			right++
		case a.Skipped:
			skipped++
		case a.Guess == "":
			unasked++
		}
	}
	return right, skipped, unasked
}

// subjectText is what a question was about, as hop and fact.
func subjectText(language lesson.Language, q lesson.Question) string {
	switch {
	case q.File != "":
		return language.Say("end.after", q.After)
	case q.Lost:
		return language.Say("end.lost", q.Subject.String())
	}
	return q.Subject.String()
}

// guessText is what a learner has said, in words.
func guessText(language lesson.Language, a lesson.Answer) string {
	switch {
	case a.Skipped:
		return "· " + language.Say("skipped")
	case a.Guess == "":
		return "· " + language.Say("end.unasked")
	case a.Right:
		return "✓ " + a.Guess
	}
	return "✗ " + a.Guess
}

// seenText is what was seen of a question's subject, and by which instruments, in words.
func seenText(language lesson.Language, a lesson.Answer) string {
	seen := a.Seen
	if seen == "" {
		return language.Say("end.none")
	}
	if text := language.Say("state." + seen); text != "state."+seen {
		seen = text
	}
	if a.By == "" {
		return seen
	}
	return language.Say("end.by", seen, a.By)
}

// table prints rows whose cells are wrapped in their columns, so that no name is cut. On a narrow
// screen, and where a cell is a long word, each row is a block of lines.
func (w *Walker) table(rows [][]string) {
	const gap = 2
	columns := len(rows[0])
	width := (w.Width - gap*columns) / columns
	narrow := width < 18
	for _, row := range rows[1:] {
		for _, cell := range row {
			narrow = narrow || screen.Longest(cell) > width
		}
	}
	if narrow {
		w.blocks(rows)
		return
	}
	for n, row := range rows {
		cells, height := make([][]string, columns), 0
		for i, cell := range row {
			cells[i] = folded(cell, width)
			height = max(height, len(cells[i]))
		}
		for line := range height {
			text := ""
			for _, cell := range cells {
				part := ""
				if line < len(cell) {
					part = cell[line]
				}
				text += "  " + part + strings.Repeat(" ", max(0, width-runewidth.StringWidth(part)))
			}
			text = strings.TrimRight(text, " ")
			if n == 0 {
				text = screen.SGR(bold, text)
			}
			fmt.Fprintln(w.Out, text)
		}
	}
}

// blocks prints each row under its first cell, with the names of its columns.
func (w *Walker) blocks(rows [][]string) {
	label := 0
	for _, name := range rows[0][1:] {
		label = max(label, runewidth.StringWidth(name))
	}
	for n, row := range rows[1:] {
		w.para("  ", bold, fmt.Sprintf("%d. %s", n+1, row[0]))
		for i, cell := range row[1:] {
			name := rows[0][i+1]
			lead := "     " + name + strings.Repeat(" ", label-runewidth.StringWidth(name)) + "  "
			for j, line := range folded(cell, w.Width-runewidth.StringWidth(lead)) {
				if j > 0 {
					lead = strings.Repeat(" ", runewidth.StringWidth(lead))
				}
				fmt.Fprintln(w.Out, lead+line)
			}
		}
	}
}
