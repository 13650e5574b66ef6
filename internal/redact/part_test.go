package redact

import (
	"strings"
	"testing"
)

// TestPart hides in a part of a document what only stands above it says to be a secret.
func TestPart(t *testing.T) {
	const document = `{"filters":[{"name":"envoy.filters.http.basic_auth","typed_config":{
"@type":"type.googleapis.com/envoy.extensions.filters.http.basic_auth.v3.BasicAuth",
"users":{"inline_string":"bob:{SHA}hunter2="},"plain":7}}]}`
	for name, c := range map[string]struct {
		tokens []string
		want   string // begins so; empty: there is no such part
	}{
		"below the type":      {[]string{"filters", "0", "typed_config", "users"}, `{ "inline_string": "«redacted`},
		"the secret itself":   {[]string{"filters", "0", "typed_config", "users", "inline_string"}, `"«redacted`},
		"what is none":        {[]string{"filters", "0", "typed_config", "plain"}, "7"},
		"an element too many": {[]string{"filters", "1"}, ""},
		"no number":           {[]string{"filters", "x"}, ""},
		"below a string":      {[]string{"filters", "0", "name", "x"}, ""},
		"no such key":         {[]string{"routes"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			part, ok := Part([]byte(document), c.tokens...)
			got := strings.Join(strings.Fields(string(part)), " ")
			if ok != (c.want != "") || !strings.HasPrefix(got, c.want) || strings.Contains(got, "hunter2") {
				t.Errorf("%q, %t; want %q", got, ok, c.want)
			}
		})
	}
	if _, ok := Part([]byte("{")); ok {
		t.Error("what is no JSON has a part")
	}
}
