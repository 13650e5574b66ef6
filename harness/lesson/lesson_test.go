package lesson

import (
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
)

// path is a way whose hops lost what the names say.
var path = flow.Path{Hops: []flow.Hop{
	{Kind: flow.Redirect, Side: flow.Client, Proxy: "a.mark", Decision: "REDIRECT 10.0.0.1:80 to port 15001",
		Why: "REDIRECT", Source: "/node", Expect: []flow.Fact{{Name: flow.FactRedirectPort, Value: "15001"}}},
	{Kind: flow.ListenerFilters, Side: flow.Server, Proxy: "b.mark", Decision: "original_dst, tls_inspector",
		Source:   "/lf",
		Rejected: []flow.Alternative{{Name: "http_inspector", Source: "/lf/2", Why: "filter_disabled holds"}}},
	{Kind: flow.FilterChain, Side: flow.Server, Proxy: "b.mark", Decision: "0.0.0.0_8080 [3]",
		Why: "matched by port", Source: "/3", Rejected: []flow.Alternative{
			{Name: "blackhole [0]", Source: "/0", Why: "needs port 15006"}, {Name: "catchall [1]", Source: "/1",
				Why: "no port"},
			{Name: "other [2]", Source: "/2", Why: "no port"}, {Name: "0.0.0.0_8080 [4]", Source: "/4",
				Why: "needs raw_buffer"},
			{Name: "not there", Why: "there is none in the dump"}}},
	{Kind: flow.DownstreamTLS, Side: flow.Client, Proxy: "a.mark", Decision: "clear text", Why: "no transport socket"},
	{Kind: flow.DownstreamTLS, Side: flow.Server, Proxy: "b.mark", Decision: "mutual TLS terminated",
		Why: "transport socket"},
	{Kind: flow.Route, Side: flow.Client, Proxy: "a.mark", Decision: "cluster x", Why: "domain b",
		Source: "/vh/1/routes/1/route",
		Expect: []flow.Fact{{Name: flow.FactVirtualHost, Value: "b:80"}, {Name: flow.FactRoute, Value: "blue"}},
		Rejected: []flow.Alternative{{Name: "virtual host c:80", Source: "/vh/2", Why: "no domain matches"},
			{Name: "route red [0]", Source: "/vh/1/routes/0/match", Why: "header x-team is not there"},
			{Name: "7 more virtual hosts", Source: "/vh", Why: "no domain matches"}}},
	{Kind: flow.Endpoint, Side: flow.Client, Proxy: "a.mark", Decision: "10.0.0.2:80 or 10.0.0.3:80",
		Choices: []flow.Choice{{Name: "10.0.0.2:80"}, {Name: "10.0.0.3:80"}}},
	{Kind: flow.Connect, Side: flow.Server, Proxy: "b.mark", Decision: "127.0.0.6:* → 10.0.0.2:80",
		Expect: []flow.Fact{{Name: flow.FactUpstreamLocal, Value: "127.0.0.6:*"},
			{Name: flow.FactUpstreamReused, Value: "true", Absent: true},
			{Name: flow.FactHeader, Value: "x-*", May: true}}},
}}

func TestAsk(t *testing.T) {
	for _, tc := range []struct {
		hop, fact string
		lost      bool
		answer    string
		wrong     string // names of the wrong choices, sorted
		refused   string
	}{
		{hop: "server/filter-chain", answer: "0.0.0.0_8080 [3]", wrong: "0.0.0.0_8080 [4] blackhole [0] other [2]"},
		{hop: "client/route", answer: "route blue [1]", wrong: "route red [0]"},
		{hop: "client/downstream-tls", answer: "clear text", wrong: "mutual TLS terminated"},
		{hop: "server/listener-filters", lost: true, answer: "http_inspector", wrong: "original_dst tls_inspector"},
		{hop: "client/redirect", fact: "redirect.port", answer: "15001"},
		{hop: "server/connect", fact: "upstream.local", answer: "127.0.0.6:*"},
		{hop: "client/redirect", refused: "nothing lost at client/redirect"},
		{hop: "client/endpoint", refused: "client/endpoint is open"},
		{hop: "server/connect", fact: "upstream.reused", refused: "has 0 values"},
		{hop: "server/route", refused: "the way has no hop server/route"},
		{hop: "server/filter-chain", lost: true, refused: "4 alternatives of server/filter-chain were left out"},
	} {
		t.Run(strings.TrimSpace(tc.hop+" "+tc.fact), func(t *testing.T) {
			s, err := ParseSubject(tc.hop, tc.fact)
			if err != nil {
				t.Fatal(err)
			}
			ask := Ask
			if tc.lost {
				ask = AskLost
			}
			q, err := ask(path, s)
			if tc.refused != "" {
				if err == nil || !strings.Contains(err.Error(), tc.refused) {
					t.Fatalf("%v, want %s", err, tc.refused)
				}
				return
			}
			var wrong []string
			right := 0
			for _, c := range q.Choices {
				if c.Right {
					right++
				} else {
					wrong = append(wrong, c.Name)
				}
			}
			slices.Sort(wrong)
			if err != nil || q.Answer != tc.answer || strings.Join(wrong, " ") != tc.wrong ||
				len(q.Choices) > 0 && right != 1 {
				t.Errorf("%q, wrong %v, %d right, %v", q.Answer, wrong, right, err)
			}
		})
	}
}

// TestAskNext asks for the next event of a pattern: the wrong answers are what must not come there,
// and its other events.
func TestAskNext(t *testing.T) {
	events := []Event{{Text: "accept"}, {Text: "getsockopt"}, {Text: "read", Absent: true},
		{Text: "write", Absent: true}, {Text: "peek"}, {Text: "chain"}, {Text: "accept"}, {Text: "close"}}
	for _, tc := range []struct{ after, answer, wrong, refused string }{
		{after: "accept", answer: "getsockopt", wrong: "chain close peek"},
		{after: "getsock", answer: "peek", wrong: "chain read write"},
		{after: "chain", answer: "accept", wrong: "close getsockopt peek"},
		{after: "close", refused: "o.events ends with the event"},
		{after: "read", refused: `no event of o.events has "read"`},
	} {
		q, err := AskNext("o.events", events, tc.after)
		if tc.refused != "" {
			if err == nil || !strings.Contains(err.Error(), tc.refused) {
				t.Errorf("%s: %v, want %s", tc.after, err, tc.refused)
			}
			continue
		}
		var wrong []string
		for _, c := range q.Choices {
			if c.Right != (c.Name == q.Answer) || !c.Right && c.Why == "" {
				t.Errorf("%s: %+v", tc.after, c)
			}
			if !c.Right {
				wrong = append(wrong, c.Name)
			}
		}
		slices.Sort(wrong)
		if err != nil || q.Answer != tc.answer || strings.Join(wrong, " ") != tc.wrong {
			t.Errorf("%s: %q, not %v, %v", tc.after, q.Answer, wrong, err)
		}
	}
	if _, err := AskNext("o.events", []Event{{Text: "a"}, {Text: "b"}}, "a"); err == nil {
		t.Error("there is nothing to choose from, and it is asked")
	}
}

func TestParseSubjectRefuses(t *testing.T) {
	for hop, want := range map[string]string{"left/route": "left is not a side", "client/rote": "there is no hop rote",
		"": "there is no hop"} {
		if _, err := ParseSubject(hop, ""); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", hop, err, want)
		}
	}
	if _, err := ParseSubject("client/route", "colour"); err == nil {
		t.Error("a fact that there is none of is taken")
	}
}

func TestRight(t *testing.T) {
	for _, tc := range []struct {
		answer, typed string
		right         bool
	}{
		{"15001", " 15001 ", true}, {"15001", "15006", false}, {"127.0.0.6:*", "127.0.0.6", true},
		{"127.0.0.6:*", "127.0.0.6:4711", true},
		{"127.0.0.6:*", "127.0.0.1", false}, {"127.0.0.6:*", "", false}, {"TLS*", "TLSv1.3", true},
		{"http1", "HTTP1", true}, {"", "x", false}, {"a*b*c", "a1b2c", true}, {"a*b*c", "ac", false},
	} {
		if q := (Question{Answer: tc.answer}); q.Right(tc.typed) != tc.right {
			t.Errorf("%q of %q: %v", tc.typed, tc.answer, !tc.right)
		}
	}
}

func TestChoose(t *testing.T) {
	q := Question{Choices: []Choice{{Name: "virtualInbound [3]"}, {Name: "virtualInbound [4]"}, {Name: "clear text"}}}
	for typed, want := range map[string]string{"1": "virtualInbound [3]", "3": "clear text", "Clear Text": "clear text",
		"clear": "clear text", "virtualInbound": "", "4": "", "0": "", "-1": "", "": "", "x": ""} {
		if c, ok := q.Choose(typed); ok != (want != "") || ok && c.Name != want {
			t.Errorf("%q: %v, %v, want %q", typed, c, ok, want)
		}
	}
}

// placeholder is one of the verbs of a text.
var placeholder = regexp.MustCompile(`%(?:\[\d\])?[sd]|\{proxy\}`)

// TestLanguagesSayTheSame holds that every language has a text for every key, with
// the same values in it.
func TestLanguagesSayTheSame(t *testing.T) {
	first, _ := Speak(Languages[0])
	verbs := func(text string) []string {
		found := placeholder.FindAllString(text, -1)
		for i := range found {
			found[i] = found[i][:1] + found[i][len(found[i])-1:]
		}
		slices.Sort(found)
		return found
	}
	for _, code := range Languages[1:] {
		other, ok := Speak(code)
		if !ok {
			t.Fatal(code)
		}
		for key, text := range first.words {
			if !slices.Equal(verbs(text), verbs(other.words[key])) {
				t.Errorf("%s: %s = %s, want the values of %s", code, key, other.words[key], text)
			}
		}
		for key := range other.words {
			if _, there := first.words[key]; !there {
				t.Errorf("%s has a text for %s, and %s has none", code, key, Languages[0])
			}
		}
	}
}

// TestEveryHopIsAskedFor holds that every kind of hop has its own question.
func TestEveryHopIsAskedFor(t *testing.T) {
	l, _ := Speak("en")
	for _, kind := range flow.HopKinds() {
		if _, ok := l.words["ask."+kind]; !ok {
			t.Errorf("there is no question about the hop %s", kind)
		}
	}
}

func TestSpeak(t *testing.T) {
	for name, want := range map[string]string{"zh_CN.UTF-8": "zh", "zh": "zh", "zh-Hans": "zh", "en_GB": "en",
		"C": "en", "POSIX": "en", "de_DE.UTF-8": "en", "": "en"} {
		if l, _ := Speak(name); l.Code != want {
			t.Errorf("%q: %s, want %s", name, l.Code, want)
		}
	}
}

func TestParseSentences(t *testing.T) {
	s, err := ParseSentences("# One.\nEins.\nNoch eins.\n\n? client/route\nWo?\nUnd warum?\n# Two.\nZwei.\n")
	if err != nil || strings.Join(s.Phase("One."), "|") != "Eins.|Noch eins." ||
		s.Question("One.", "client/route") != "Wo? Und warum?" ||
		s.Question("Two.", "client/route") != "" {
		t.Errorf("%+v, %v", s, err)
	}
	for text, want := range map[string]string{"Eins.\n": "line 1: it stands before",
		"# a\nx\n# a\n": "line 3: the phase"} {
		if _, err := ParseSentences(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %s", text, err, want)
		}
	}
}

func FuzzParseSentences(f *testing.F) {
	f.Add("# One.\nEins.\n? client/route\nWo?\n")
	f.Add("x")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := ParseSentences(text)
		if err == nil {
			s.Keys()
		}
	})
}

func TestProgress(t *testing.T) {
	state := t.TempDir()
	t.Setenv("XDG_STATE_HOME", state)
	store, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	p := store.Load(t.Context(), "inbound", "1")
	p.Step, p.Answers["2/1 client/route"] = 4, Answer{Guess: "x"}
	if err := store.Save(p); err != nil {
		t.Fatal(err)
	}
	if again := store.Load(t.Context(), "inbound", "1"); again.Step != 4 ||
		again.Answers["2/1 client/route"].Guess != "x" {
		t.Errorf("%+v", again)
	}
	if other := store.Load(t.Context(), "inbound", "2"); other.Step != 0 {
		t.Error("progress in another text of the lesson is taken for this one's")
	}
	if err := os.WriteFile(store.file("inbound"), []byte(`{"schema":"x`), 0o600); err != nil {
		t.Fatal(err)
	}
	if damaged := store.Load(t.Context(), "inbound", "1"); damaged.Step != 0 {
		t.Error("a damaged file is read")
	}
	if err := store.Save(&Progress{Lesson: "../../x"}); err == nil {
		t.Error("progress is kept outside of its folder")
	}
	if info, err := os.Stat(store.dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	for range 2 {
		if err := store.Forget("inbound"); err != nil {
			t.Error(err)
		}
	}
}
