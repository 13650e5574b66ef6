package bundle

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/internal/strict"
)

// mutantsInShort is how many mutants are tried where FLOWPROOF_MUTANTS says no other number.
const mutantsInShort = 150

// A forgery changes documents of a bundle; checksums are made to fit afterwards.
type forgery struct {
	name   string
	change func(documents map[string]any)
}

// forged are the documents of which forgeries are made: all that a bundle says in
// JSON beside its dumps.
var forged = []string{runFile, verdictFile, questionFile, recordingFile}

// TestForgeries changes what a bundle says of itself, with checksums that fit: each value, each
// member of each list and object, and each name in several documents alike, while the raw texts and
// the dumps stay. A forgery that decodes to what was there before says the same; each other one
// says something untrue of the run, and none may be verified or consistent.
func TestForgeries(t *testing.T) {
	n := mutantsInShort
	if text := os.Getenv("FLOWPROOF_MUTANTS"); text != "" {
		var err error
		if n, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	t.Run("verified", func(t *testing.T) { forgeOf(t, "outbound", flow.Verified, n-n/5) })
	t.Run("consistent", func(t *testing.T) { forgeOf(t, "open", flow.Consistent, n/5) })
}

// forgeOf makes n forgeries of a run that has a result.
func forgeOf(t *testing.T, name string, result flow.Result, n int) {
	t.Helper()
	seed := rand.Uint64()
	if text := os.Getenv("FLOWPROOF_SEED"); text != "" {
		var err error
		if seed, err = strconv.ParseUint(text, 10, 64); err != nil {
			t.Fatal(err)
		}
	}
	t.Logf("FLOWPROOF_SEED=%d", seed)
	random := rand.New(rand.NewPCG(seed, 1))
	base := kept(t, name)
	files, err := base.files()
	if err != nil {
		t.Fatal(err)
	}
	whole, err := fromFiles(base, files)
	if err != nil {
		t.Fatal(err)
	}
	seen := whole.evidence()
	if _, v := whole.judge(whole.inferred(), seen); v.Result != result {
		t.Fatalf("the run itself is %s: %q", v.Result, v.Problems)
	}
	families := forgeries(t, files, random)
	tried, refused, same := map[string]int{}, 0, 0
	names := slices.Sorted(maps.Keys(families))
	for k := range n {
		family := names[k%len(names)]
		f := families[family][random.IntN(len(families[family]))]
		mutant, err := apply(base, files, f)
		if err != nil {
			refused++
			continue
		}
		if says(mutant, whole) {
			same++
			continue
		}
		tried[family]++
		shown := seen
		if !reflect.DeepEqual(claimsOf(mutant), claimsOf(whole)) {
			shown = mutant.evidence()
		}
		if _, v := mutant.judge(mutant.inferred(), shown); v.Result == flow.Verified || v.Result == flow.Consistent {
			t.Errorf("%s: %s, and the run is still %s", family, f.name, v.Result)
		}
	}
	t.Logf("%d forgeries: %d refused, %d say the same, judged %v", n, refused, same, tried)
	if n >= mutantsInShort/2 && len(tried) < len(families) {
		t.Errorf("only of %d of %d families was one judged", len(tried), len(families))
	}
}

// claimsOf is what a recording says of itself, without its texts.
func claimsOf(c Contents) any {
	if c.Recording == nil {
		return nil
	}
	return plain(*c.Recording)
}

// says reports whether two bundles say the same: the same documents, once they are decoded.
func says(a, b Contents) bool {
	return reflect.DeepEqual(plain(a.Run), plain(b.Run)) && reflect.DeepEqual(plain(a.Verdict), plain(b.Verdict)) &&
		reflect.DeepEqual(plain(a.Question), plain(b.Question)) && reflect.DeepEqual(claimsOf(a), claimsOf(b)) &&
		reflect.DeepEqual(a.told, b.told)
}

// apply makes a forgery of files. The error is why a bundle of it is refused.
func apply(base Contents, files map[string][]byte, f forgery) (Contents, error) {
	documents := map[string]any{}
	for _, name := range forged {
		var value any
		if err := json.Unmarshal(files[name], &value); err != nil {
			return Contents{}, err
		}
		documents[name] = value
	}
	f.change(documents)
	mutated := maps.Clone(files)
	for name, value := range documents {
		text, err := json.Marshal(value)
		if err != nil {
			return Contents{}, err
		}
		mutated[name] = text
	}
	return fromFiles(base, mutated)
}

// fromFiles is what Read would make of files, with the raw texts of base as far as the
// recording names their pods.
func fromFiles(base Contents, files map[string][]byte) (Contents, error) {
	c := Contents{Dumps: base.Dumps, After: base.After}
	var kept recorded
	var question asked
	for name, into := range map[string]any{runFile: &c.Run, verdictFile: &c.Verdict, recordingFile: &kept,
		questionFile: &question} {
		if err := strict.JSON(files[name], into); err != nil {
			return c, fmt.Errorf("%s: %w", name, err)
		}
	}
	if c.Run.Schema != flow.RunSchema {
		return c, fmt.Errorf("schema %q", c.Run.Schema)
	}
	var err error
	if c.Question, err = decodeQuestion(files); err != nil {
		return c, err
	}
	recording := kept.Recording
	recording.Curl, recording.Trace = base.Recording.Curl, base.Recording.Trace
	for _, pod := range []*observe.Pod{&recording.Client, &recording.Server} {
		for _, from := range []*observe.Pod{&base.Recording.Client, &base.Recording.Server} {
			if pod.Name != from.Name {
				continue
			}
			pod.Parts = from.Parts
		}
	}
	c.Recording, c.told = &recording, kept.Run
	return c, nil
}

// forgeries are all of them, by family.
func forgeries(t *testing.T, files map[string][]byte, random *rand.Rand) map[string][]forgery {
	t.Helper()
	families := map[string][]forgery{}
	values := map[string]bool{}
	for _, name := range forged {
		var document any
		if err := json.Unmarshal(files[name], &document); err != nil {
			t.Fatal(err)
		}
		visit(document, nil, func(path []any, value any) {
			if skipped(name, path) {
				return
			}
			at := func(change func(value any) any) func(map[string]any) {
				return func(documents map[string]any) { documents[name] = replaced(documents[name], path, change) }
			}
			add := func(family, what string, change func(value any) any) {
				families[family] = append(families[family],
					forgery{fmt.Sprintf("%s%v %s", name, path, what), at(change)})
			}
			switch v := value.(type) {
			case string:
				add(name+" values", "altered", func(any) any { return v + "x" })
				add(name+" emptied", "emptied", func(any) any { return "" })
				if len(v) > 3 && !anObject(path, v) {
					values[v] = true
				}
			case float64:
				add(name+" values", "raised", func(any) any { return v + 1 })
			case bool:
				add(name+" values", "turned", func(any) any { return !v })
			case []any:
				if len(v) == 0 {
					return
				}
				i := random.IntN(len(v))
				add(name+" lists", "without a member", func(value any) any {
					return slices.Delete(slices.Clone(value.([]any)), i, i+1)
				})
				add(name+" lists", "with a member twice", func(value any) any {
					return slices.Insert(slices.Clone(value.([]any)), i, value.([]any)[i])
				})
				add(name+" lists", "cut", func(value any) any { return value.([]any)[:i] })
				add(name+" lists", "reversed", func(value any) any {
					turned := slices.Clone(value.([]any))
					slices.Reverse(turned)
					return turned
				})
			case map[string]any:
				for member := range v {
					add(name+" objects", "without "+member, func(value any) any {
						left := maps.Clone(value.(map[string]any))
						delete(left, member)
						return left
					})
				}
			}
		})
	}
	for _, value := range slices.Sorted(maps.Keys(values)) {
		families["alike in all documents"] = append(families["alike in all documents"],
			forgery{fmt.Sprintf("%.60q altered everywhere", value), func(documents map[string]any) {
				for name, document := range documents {
					documents[name] = everywhere(document, value, value+"x")
				}
			}})
	}
	return families
}

// anObject is the name of an object that a run made: it is said twice, and no evidence has it.
func anObject(path []any, value string) bool {
	return slices.Contains(path, any("touched")) && touchForms[flow.TouchObjects].MatchString(value)
}

// skipped are the places that are no claims about the run: checksums, which fit by themselves.
func skipped(name string, path []any) bool {
	return len(path) > 0 && (name == questionFile && path[0] == "dumps" || name == recordingFile && path[0] == "parts")
}

// visit calls tell for each value of a document, with its path.
func visit(value any, path []any, tell func(path []any, value any)) {
	tell(slices.Clone(path), value)
	switch v := value.(type) {
	case map[string]any:
		for _, name := range slices.Sorted(maps.Keys(v)) {
			visit(v[name], append(path, name), tell)
		}
	case []any:
		for i := range v {
			visit(v[i], append(path, i), tell)
		}
	}
}

// replaced is a document with one value changed.
func replaced(value any, path []any, change func(value any) any) any {
	if len(path) == 0 {
		return change(value)
	}
	switch v := value.(type) {
	case map[string]any:
		other := maps.Clone(v)
		other[path[0].(string)] = replaced(v[path[0].(string)], path[1:], change)
		return other
	case []any:
		other := slices.Clone(v)
		other[path[0].(int)] = replaced(v[path[0].(int)], path[1:], change)
		return other
	}
	return value
}

// everywhere is a document in which one text stands for another, wherever it stands.
func everywhere(value any, old, new string) any {
	switch v := value.(type) {
	case map[string]any:
		other := map[string]any{}
		for name, member := range v {
			other[name] = everywhere(member, old, new)
		}
		return other
	case []any:
		other := make([]any, len(v))
		for i := range v {
			other[i] = everywhere(v[i], old, new)
		}
		return other
	case string:
		return strings.ReplaceAll(v, old, new)
	}
	return value
}
