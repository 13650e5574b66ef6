package bundle

import (
	"encoding/json"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"unicode/utf8"

	"github.com/flowproof/lab/harness/flow"
)

// A difference is a place where two JSON documents are not the same.
type difference struct {
	at             string // JSON pointer (RFC 6901)
	written, found string
}

// mostDifferences bounds how many are told of one pair of documents.
const mostDifferences = 5

// differences compares two decoded JSON documents and returns the first places where they are not
// the same, in order.
func differences(at string, written, found any) []difference {
	var all []difference
	walk(at, written, found, func(d difference) bool {
		all = append(all, d)
		return len(all) < mostDifferences
	})
	return all
}

// walk calls tell for each difference until that returns false.
func walk(at string, written, found any, tell func(difference) bool) bool {
	switch w := written.(type) {
	case map[string]any:
		f, ok := found.(map[string]any)
		if !ok {
			break
		}
		names := maps.Clone(w)
		maps.Copy(names, f)
		for _, name := range slices.Sorted(maps.Keys(names)) {
			wv, inW := w[name]
			fv, inF := f[name]
			if inW != inF {
				if !tell(difference{at + "/" + name, shown(wv, inW), shown(fv, inF)}) {
					return false
				}
				continue
			}
			if !walk(at+"/"+name, wv, fv, tell) {
				return false
			}
		}
		return true
	case []any:
		f, ok := found.([]any)
		if !ok || len(w) != len(f) {
			break
		}
		for i := range w {
			if !walk(at+"/"+strconv.Itoa(i), w[i], f[i], tell) {
				return false
			}
		}
		return true
	}
	if reflect.DeepEqual(written, found) {
		return true
	}
	return tell(difference{at, shown(written, true), shown(found, true)})
}

// shown is a value in a sentence, cut where it is long.
func shown(value any, there bool) string {
	const most = 80
	switch v := value.(type) {
	case []any:
		return fmt.Sprintf("has %d members", len(v))
	case map[string]any:
		return "is an object"
	}
	if !there {
		return "has nothing"
	}
	text, err := json.Marshal(value)
	if err != nil {
		return "is unreadable"
	}
	if cut := string(text); utf8.RuneCountInString(cut) > most {
		return "is " + string([]rune(cut)[:most]) + "…"
	}
	return "is " + string(text)
}

// words are the members of a hop that say in words what others decide.
var words = []string{"decision", "why", "source", "field", "object", "rejected", "conditions"}

// decisiveDifferences are the differences of two paths in what decides: not in the request and not
// in the words about a hop.
func decisiveDifferences(a, b flow.Path) []difference {
	return differences("/path", decisive(a), decisive(b))
}

func decisive(path flow.Path) any {
	path.Call = flow.Call{}
	value, ok := plain(path).(map[string]any)
	if !ok {
		return value
	}
	hops, _ := value["hops"].([]any)
	for _, hop := range hops {
		if members, ok := hop.(map[string]any); ok {
			for _, word := range words {
				delete(members, word)
			}
		}
	}
	return value
}
