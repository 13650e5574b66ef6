package redact

import (
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// blank writes every mark as Envoy writes its own, so that a table need not count.
func blank(text string) string { return aMark.ReplaceAllString(text, Masked) }

// TestMarks holds marks to what may be compared by them: equal values have equal marks, and
// different values never.
func TestMarks(t *testing.T) {
	one, two := strings.Repeat("a", 271), strings.Repeat("b", 271)
	first, second, other := Mark(one), Mark(two), Mark(strings.Repeat("a", 293))
	if first != "«redacted 271 B»" || second != "«redacted 271 B, 2»" || other != "«redacted 293 B»" {
		t.Errorf("marks %s, %s, %s", first, second, other)
	}
	if Mark(two) != second || Mark(second) != second || Mark("") != "" || Mark(Masked) != Masked {
		t.Error("a mark changed")
	}
	for _, escaped := range []string{"/x?token=«redacted%2012%20B,%202»&a=1",
		"/x?token=%C2%ABredacted%2012%20B,%202%C2%BB&a=1"} {
		if got := Text(escaped); got != "/x?token=«redacted 12 B, 2»&a=1" || Path(escaped) != got ||
			Value(escaped) != got {
			t.Errorf("%s is read as %s", escaped, got)
		}
	}
	if !Hidden("a "+first) || Hidden("redacted 12 B") {
		t.Error("what is hidden is not known")
	}
}

// TestStems holds what is looked for at a glance to every name of a secret: one without a stem
// would never be looked at.
func TestStems(t *testing.T) {
	for _, words := range []map[string]bool{secretWords, lastWords} {
		for word := range words {
			if !mayName(word + ":") {
				t.Errorf("%s has no stem", word)
			}
		}
	}
}

// TestValue holds a deep copy to leaving what it was made of as it was.
func TestValue(t *testing.T) {
	type pair struct {
		Name  string `json:"name"`
		Value string `json:"value"`
	}
	type call struct {
		URL     string            `json:"url"`
		Headers map[string]string `json:"headers"`
		Facts   []pair            `json:"facts"`
		Next    *call             `json:"next"`
		At      time.Time         `json:"at"`
		Raw     []byte            `json:"-"`
	}
	was := call{URL: "http://u:S3cr3t@h/?token=S3cr3t", Headers: map[string]string{"x-a": "S3cr3t", "accept": "*/*"},
		At:    time.Unix(7, 0),
		Facts: []pair{{"path", "/?key=S3cr3t"}, {"api_token", "S3cr3t"}}, Next: &call{URL: "/?sig=S3cr3t"},
		Raw: []byte("raw")}
	is := Value(was)
	text, err := json.Marshal(is)
	if err != nil || strings.Contains(string(text), "S3cr3t") || is.Headers["accept"] != "*/*" ||
		!is.At.Equal(was.At) || string(is.Raw) != "raw" {
		t.Errorf("%s, %v", text, err)
	}
	if was.Headers["x-a"] != "S3cr3t" || was.Facts[1].Value != "S3cr3t" || was.Next.URL != "/?sig=S3cr3t" {
		t.Errorf("the original was changed: %+v", was)
	}
}

func TestText(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"envoy header", "x\n'authorization', 'Bearer abc.secret'\n'accept', '*/*'\n",
			"x\n'authorization', '[redacted]'\n'accept', '*/*'\n"},
		{"envoy cookie", "'set-cookie', 'sid=it''s'", "'set-cookie', '[redacted]'"},
		{"curl request", "> Authorization: Basic dXNlcjpwdw==\n> Host: x\n",
			"> Authorization: [redacted]\n> Host: x\n"},
		{"curl response", "< Set-Cookie: sid=1; Path=/\r\n< ", "< Set-Cookie: [redacted]\r\n< "},
		{"curl http2", "* h2h3 [cookie: a=b]", "* h2h3 [cookie: [redacted]]"},
		{"curl http2, newer", "* [HTTP/2] [1] [authorization: Bearer xyzxyz]",
			"* [HTTP/2] [1] [authorization: [redacted]]"},
		{"query", "match for URL '/x?access_token=abc&y=1'", "match for URL '/x?access_token=[redacted]&y=1'"},
		{"bearer anywhere", `value: "Bearer abcdefgh"`, `value: "Bearer [redacted]"`},
		{"web token", "tok eyJhbGciOi.eyJzdWIiOiIx.c2ln end", "tok [redacted] end"},
		{"private key", "a\n-----BEGIN EC PRIVATE KEY-----\nMHc\n-----END EC PRIVATE KEY-----\nb", "a\n[redacted]\nb"},
		{"private key of an unknown kind", "-----BEGIN " + strings.Repeat("X9 ", 40) + "PRIVATE KEY-----\nMHc",
			"[redacted]"},
		{"what a matcher asks of a header", "by prefix /k, header x-api-key has to be *A9b C, d*; timeout 15s\n" +
			"header x-token has to be not present\n" +
			"route [0]: header x-token has to match a+b, and the request has none\n" +
			"header x-team has to be red", "by prefix /k, header x-api-key has to be [redacted]; timeout 15s\n" +
			"header x-token has to be not present\n" +
			"route [0]: header x-token has to match [redacted], and the request has none\n" +
			"header x-team has to be red"},
		{"what a policy asks of a header", "p (no principal; header x-api-key has to be (a|b)c, and it is none): " +
			"Envoy answers 403", "p (no principal; header x-api-key has to be [redacted], and it is none): " +
			"Envoy answers 403"},
		{"private key cut", "-----BEGIN PRIVATE KEY-----\nMHc", "[redacted]"},
		{"request id stays", "'x-request-id', '7d3a1b52-9c1e-4f0a-8d6b-0a1b2c3d4e5f'",
			"'x-request-id', '7d3a1b52-9c1e-4f0a-8d6b-0a1b2c3d4e5f'"},
		{"xfcc keeps the hash", `'x-forwarded-client-cert', 'By=spiffe://a;Hash=1dd5;Cert="abc";URI=spiffe://b'`,
			`'x-forwarded-client-cert', 'By=spiffe://a;Hash=1dd5;Cert="[redacted]";URI=spiffe://b'`},
	} {
		if got := blank(Text(c.in)); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain\ttext ✓":      "plain\ttext ✓",
		"\x1b[31mred\x1b[0m": `\x1b[31mred\x1b[0m`,
		"bad \xff byte":      `bad \xff byte`,
		"c1 \u009b":          `c1 \xc2\x9b`,
	} {
		if got := Printable(in); got != want {
			t.Errorf("Printable(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("'authorization', 'Bearer abc.secret'\n")
	f.Add("-----BEGIN PRIVATE KEY-----\n")
	f.Fuzz(func(t *testing.T, in string) {
		once := Text("'authorization', 'hunter2secret'\n" + in)
		if strings.Contains(once, "hunter2secret") && !strings.Contains(in, "hunter2secret") {
			t.Errorf("the secret survived: %q", once)
		}
		if twice := Text(once); twice != once {
			t.Errorf("redacting twice changes %q to %q", once, twice)
		}
		Printable(once)
	})
}

func TestJSON(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"private key inline", `{"private_key":{"inline_string":"abc"}}`,
			`{"private_key":{"inline_string":"[redacted]"}}`},
		{"private key by reference", `{"private_key":{"filename":"/etc/key.pem"}}`,
			`{"private_key":{"filename":"/etc/key.pem"}}`},
		{"masked by Envoy already", `{"private_key":{"inline_bytes":"W3JlZGFjdGVkXQ=="}}`,
			`{"private_key":{"inline_bytes":"W3JlZGFjdGVkXQ=="}}`},
		{"certificate stays", `{"certificate_chain":{"inline_bytes":"LS0t"}}`,
			`{"certificate_chain":{"inline_bytes":"LS0t"}}`},
		{"header to add", `{"header":{"key":"Authorization","value":"Basic eA=="},"append":true}`,
			`{"append":true,"header":{"key":"Authorization","value":"[redacted]"}}`},
		{"header match", `{"name":"cookie","string_match":{"exact":"sid=1"}}`,
			`{"name":"cookie","string_match":{"exact":"[redacted]"}}`},
		{"a header's matcher of a later Envoy", `{"headers":[{"name":"cookie","new_test":{"like":["sid=1"]}}]}`,
			`{"headers":[{"name":"cookie","new_test":{"like":["[redacted]"]}}]}`},
		{"a single one", `{"header":{"name":"x-tenant-word","newTest":"sid=1","invertMatch":true}}`,
			`{"header":{"invertMatch":true,"name":"x-tenant-word","newTest":"[redacted]"}}`},
		{"a parameter's", `{"queryParameters":[{"name":"token","new_test":"abcdefgh"}]}`,
			`{"queryParameters":[{"name":"token","new_test":"[redacted]"}]}`},
		{"a cookie's", `{"cookies":[{"name":"session","new_test":"abcdefgh"}]}`,
			`{"cookies":[{"name":"session","new_test":"[redacted]"}]}`},
		{"a header in the matcher API", `{"single_predicate":{"input":{"name":"i","typed_config":{"@type":` +
			`"type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput","header_name":"authorization"}},` +
			`"value_match":{"exact":"abcdefgh"}}}`,
			`{"single_predicate":{"input":{"name":"i","typed_config":{"@type":` +
				`"type.googleapis.com/envoy.type.matcher.v3.HttpRequestHeaderMatchInput",` +
				`"header_name":"authorization"}},"value_match":{"exact":"[redacted]"}}}`},
		{"a parameter in it", `{"singlePredicate":{"input":{"typedConfig":{"queryParam":"token"}},` +
			`"valueMatch":{"safeRegex":{"regex":"abc.*"}}}}`,
			`{"singlePredicate":{"input":{"typedConfig":{"queryParam":"token"}},` +
				`"valueMatch":{"safeRegex":{"regex":"[redacted]"}}}}`},
		{"the values of a header as keys", `{"matcher_tree":{"input":{"typed_config":{"header_name":"x-key"}},` +
			`"exact_match_map":{"map":{"abcdefgh":{"action":{"name":"route","typed_config":{"cluster":"a"}}}}}}}`,
			`{"matcher_tree":{"exact_match_map":{"map":{"[redacted]":{"action":{"name":"route",` +
				`"typed_config":{"cluster":"a"}}}}},"input":{"typed_config":{"header_name":"x-key"}}}}`},
		{"the keys of another map", `{"matcher_tree":{"input":{"name":"port"},` +
			`"exact_match_map":{"map":{"8080":{"action":{"name":"a"}}}}}}`,
			`{"matcher_tree":{"exact_match_map":{"map":{"8080":{"action":{"name":"a"}}}},"input":{"name":"port"}}}`},
		{"header object", `{"headers":{"authorization":"x","accept":"y"}}`,
			`{"headers":{"accept":"y","authorization":"[redacted]"}}`},
		{"cookie hash policy stays", `{"cookie":{"name":"JSESSIONID","ttl":"0s"}}`,
			`{"cookie":{"name":"JSESSIONID","ttl":"0s"}}`},
		{"token in a text", `{"inline_code":"h:add('x', 'Bearer abcdefgh')"}`,
			`{"inline_code":"h:add('x', 'Bearer [redacted]')"}`},
		{"list under a secret key", `{"session_ticket_keys":{"keys":[{"inline_bytes":"a"},{"filename":"f"}]}}`,
			`{"session_ticket_keys":{"keys":[{"inline_bytes":"[redacted]"},{"filename":"f"}]}}`},
		{"numbers keep their digits", `{"max":18446744073709551615,"x":1.10}`, `{"max":18446744073709551615,"x":1.10}`},
		{"nothing is escaped", `{"a":"<b>&"}`, `{"a":"<b>&"}`},
	} {
		got, err := JSON([]byte(c.in))
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var flat strings.Builder
		for _, line := range strings.Split(string(got), "\n") {
			flat.WriteString(strings.TrimLeft(line, " "))
		}
		if text := blank(strings.ReplaceAll(flat.String(), `": `, `":`)); text != c.want {
			t.Errorf("%s: got %s, want %s", c.name, text, c.want)
		}
	}
	for in, want := range map[string]string{"{\n\"a\": }": "line 2: ", "{\n\n": "line 3: the document is cut off",
		"{}\n{}": "line 2: more than one"} {
		if _, err := JSON([]byte(in)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: error %v, want %q", in, err, want)
		}
	}
}

func FuzzJSON(f *testing.F) {
	f.Add([]byte(`{"private_key":{"inline_string":"abc"},"a":[1,null,{"key":"cookie","value":"x"}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		once, err := JSON(in)
		if err != nil {
			return
		}
		twice, err := JSON(once)
		if err != nil || string(twice) != string(once) {
			t.Errorf("redacting twice changes %q to %q (%v)", once, twice, err)
		}
	})
}

// TestURLIsAsItsPath holds that a URL and the path that is sent for it hide the same: what was
// expected is compared with what was seen after both were redacted.
func TestURLIsAsItsPath(t *testing.T) {
	for _, query := range []string{"x='1'", `x="1"`, "x=(1)", "x=<1>", "x=a'", "q=$HOME&x='1'#f", "x=[1]", "x=1)",
		"token='s3cr3t'&y=2"} {
		sent, _, _ := strings.Cut("/echo?"+query, "#")
		of := struct {
			URL string `json:"url"`
		}{"http://fortio-server:8080/echo?" + query}
		got, _, _ := strings.Cut(Value(of).URL, "#")
		if want := "http://fortio-server:8080" + Path(sent); got != want {
			t.Errorf("%s: the URL becomes %s, its path %s", query, got, Path(sent))
		}
		if got := Text(sent); got != Path(sent) {
			t.Errorf("%s: as text it becomes %s, as a path %s", query, got, Path(sent))
		}
		if again := Value(Value(of)); again != Value(of) {
			t.Errorf("%s: hidden twice, it is %s", query, again.URL)
		}
	}
}

func TestAuthorityHasNoUser(t *testing.T) {
	got, err := JSON([]byte(`{"request":{"authority":"me:hunter2@host:80"},"other":{"authority":"host:80"}}`))
	if err != nil || strings.Contains(string(got), "hunter2") || strings.Count(string(got), `host:80"`) != 2 {
		t.Errorf("%s, %v", got, err)
	}
}
