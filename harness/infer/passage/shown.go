package passage

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/say"
	"github.com/flowproof/lab/internal/redact"
)

// ComparedHeader shows the values of a header that the last condition was held against, and by
// which field the connection manager made them what they are.
func (w *Walk) ComparedHeader(name string) {
	if !w.Explain {
		return
	}
	var values []string
	for _, v := range w.Req.Header.Values(name) {
		if name == ":path" {
			v = redact.Path(v)
		} else {
			v = redact.Header(name, v)
		}
		values = append(values, v)
	}
	w.compared(values, w.Causes[strings.ToLower(name)])
}

// ComparedParameter is ComparedHeader for a parameter of the query.
func (w *Walk) ComparedParameter(name string) {
	if !w.Explain {
		return
	}
	path, _ := w.Req.Header.Get(":path")
	w.secret(match.QueryParams(path), name, redact.ShownParameter(name))
}

// ComparedCookie is ComparedHeader for a cookie, whose value is not shown.
func (w *Walk) ComparedCookie(name string) {
	if !w.Explain {
		return
	}
	header, _ := w.Req.Header.Get("cookie")
	w.secret(match.Cookies(header), name, false)
}

// secret shows a value, or where it may not be shown that there is one.
func (w *Walk) secret(all map[string]string, name string, shown bool) {
	value, given := all[name]
	switch {
	case !given:
		w.compared(nil, "")
	case shown:
		w.compared([]string{value}, "")
	default:
		w.compared([]string{redact.Mark(value)}, "")
	}
}

// ComparedMetadata shows what a metadata matcher finds at its path.
func (w *Walk) ComparedMetadata(of *match.Metadata, m configdump.Value) {
	if !w.Explain {
		return
	}
	var value any = of.Namespace(m.Get("filter").Text())
	for _, segment := range m.Get("path").Elements() {
		inner, _ := value.(map[string]any)
		value = inner[segment.Get("key").Text()]
	}
	w.any(value)
}

// ComparedState shows the filter state of a key.
func (w *Walk) ComparedState(key string) {
	if w.Explain {
		w.any(w.State.Namespace(key)[""])
	}
}

func (w *Walk) any(value any) {
	if value == nil {
		w.compared(nil, "")
		return
	}
	w.compared([]string{redact.Text(fmt.Sprint(value))}, "")
}

func (w *Walk) compared(values []string, cause string) {
	text := strings.Join(values, ", ")
	switch {
	case len(values) == 0:
		text = say.OrNone("")
	case text == "":
		text = `""`
	}
	if cause != "" {
		text += ", as " + cause
	}
	w.Compared(text)
}
