package redact

import (
	"reflect"
	"testing"
)

// TestMemo holds a value whose strings are remembered against one that is judged anew, for every
// spelling, wherever it stands, the first time and again.
func TestMemo(t *testing.T) {
	type pair struct {
		Name  string `json:"name"`
		Value string `json:"value"`
		plain string
	}
	type value struct {
		pair
		Why     string            `json:"why"`
		Path    string            `json:"path"`
		Token   string            `json:"clientToken"`
		Cluster string            `json:"cluster"`
		Headers map[string]string `json:"request_headers"`
		Env     map[string]string `json:"env"`
		Facts   []pair            `json:"facts"`
		Below   *value            `json:"below"`
		Any     any               `json:"any"`
		Count   int               `json:"count"`
	}
	var all []value
	for _, name := range []string{"secret-texts.txt", "secret-documents.txt", "harmless.txt",
		"harmless-documents.txt"} {
		for _, line := range corpus(t, name) {
			text := secrets.Replace(line)
			v := value{pair: pair{Name: "a", Value: text, plain: text}, Why: text, Path: "/" + text, Token: text,
				Cluster: text, Count: 3,
				Headers: map[string]string{"x-a": text, "user-agent": text, text: "b"},
				Env:     map[string]string{"A": text},
				Facts:   []pair{{"DB_PASSWORD", text, ""}, {"stat.prefix", text, ""}, {text, text, ""}},
				Any:     []string{text, "\x1b" + text}}
			below := v
			v.Below = &below
			all = append(all, v)
		}
	}
	memo := NewMemo(Printable)
	for round := range 3 {
		for _, v := range all {
			want := Strings(Value(v), Printable)
			if got := Remembered(memo, v); !reflect.DeepEqual(got, want) {
				t.Fatalf("round %d: %q is shown as\n%+v, and without a memory as\n%+v", round, v.Why, got, want)
			}
		}
	}
}

// TestMemoForgets holds a memory to its bound, and to none of what it hides.
func TestMemoForgets(t *testing.T) {
	m := newMemory(func(text string) string { return text })
	p := place{memo: m, change: m.change}
	remembered := func() (n int) {
		for _, s := range m.spots {
			n += len(s.shownAs)
		}
		return n
	}
	for n := range maxRemembered + 2 {
		p.shown(string([]rune{'a', rune(0x4e00 + n/1000), rune(0x4e00 + n%1000)}))
	}
	if n := remembered(); n > maxRemembered {
		t.Errorf("%d strings are remembered", n)
	}
	m = newMemory(m.change)
	p.memo = m
	if got := p.shown("password=S3cr3t-hunter2"); remembered() != 0 || !Hidden(got) {
		t.Errorf("%q is shown, and %d strings are remembered", got, remembered())
	}
}

// FuzzForm holds that which digits a short number has does not change whether a text is shown as it
// is: a Memo asks once for all texts of one form.
func FuzzForm(f *testing.F) {
	for _, name := range []string{"secret-texts.txt", "secret-documents.txt", "harmless.txt",
		"harmless-documents.txt"} {
		for _, line := range corpus(f, name) {
			f.Add(secrets.Replace(line), "why", "hops")
		}
	}
	for _, text := range []string{"outbound|8080||svc-00012.mark.svc.cluster.local", "pin: 1234", "10.96.0.1:8080",
		"/p/17?q=1", "id-1-2-3-4-5-6-7-8-9-0", "scram-sha-256 12345678"} {
		f.Add(text, "token", "headers")
	}
	f.Fuzz(func(t *testing.T, text, key, above string) {
		form := string(formOf(nil, text))
		for _, p := range []place{{}, {key: key, above: above}, {key: key, hide: true}, {key: "path"}, {key: "name"},
			{header: key}} {
			if shown, other := p.text(text) == text, p.text(form) == form; shown != other {
				t.Errorf("%+v: %q is shown: %v, and its form %q: %v", p, text, shown, form, other)
			}
		}
	})
}
