package site

import (
	"github.com/flowproof/lab/harness/lesson"
	"github.com/flowproof/lab/harness/page"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/harness/walk"
)

// A Lesson is a lesson of the site.
type Lesson struct {
	*walk.Lesson
	Namespace string
	Result    *script.Result  // of a recorded run; nil: there is none
	Asked     []lesson.Answer // what can be asked without one
	Run       string          // name of that run in Site.Runs; "": it has no page
}

// names are what a language calls itself.
var names = map[string]string{"en": "English", "zh": "中文"}

// File is the name of the lesson's page in a language.
func (l Lesson) File(language string) string {
	if language == lesson.Languages[0] {
		return l.Name + ".html"
	}
	return l.Name + "." + language + ".html"
}

// Tongues are the languages that the lesson has words in, its own first.
func (l Lesson) Tongues() []string {
	all := lesson.Languages[:1:1]
	for _, code := range lesson.Languages[1:] {
		if l.Sentences[code] != nil {
			all = append(all, code)
		}
	}
	return all
}

// Tongue is what a language calls itself.
func (Lesson) Tongue(code string) string { return names[code] }

// lesson keeps the pages of one lesson, one a language.
func (w *writer) lesson(l Lesson) {
	for _, code := range l.Tongues() {
		language, _ := lesson.Speak(code)
		links := []page.Link{{To: "../index.html", Text: "All pages"}}
		if l.Run != "" {
			links = append(links, page.Link{To: "../" + runDir + "/" + l.Run + ".html", Text: "The recorded run"})
		}
		for _, other := range l.Tongues() {
			if other != code {
				links = append(links, page.Link{To: l.File(other), Text: names[other]})
			}
		}
		p := walk.Page{
			Lesson:    l.Lesson,
			Language:  language,
			Namespace: l.Namespace,
			Result:    l.Result,
			Asked:     l.Asked,
			Links:     links,
			Term:      hop(code),
		}
		w.put(lessonDir+"/"+l.File(code), p.Write)
	}
}
