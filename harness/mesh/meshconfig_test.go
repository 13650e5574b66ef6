package mesh

import "testing"

func TestDeclaredAccessLog(t *testing.T) {
	for _, c := range []struct{ name, text, want, problem string }{
		{name: "none", text: "defaultConfig: {}\n"},
		{name: "empty"},
		{name: "default form", text: "accessLogFile: /dev/stdout\n", want: "TEXT"},
		{name: "JSON", text: "accessLogFile: /dev/stdout\naccessLogEncoding: JSON\n", want: "JSON"},
		{name: "a file in the container", text: "accessLogFile: /tmp/access.log\naccessLogEncoding: JSON\n"},
		{name: "no YAML", text: "accessLogFile: [", problem: "ConfigMap istio.istio-system, key mesh: "},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := declaredAccessLog(c.text)
			if (err != nil) != (c.problem != "") || got != c.want {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}
