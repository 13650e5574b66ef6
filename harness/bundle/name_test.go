package bundle

import (
	"strings"
	"testing"
)

func TestPodFile(t *testing.T) {
	for _, c := range []struct {
		pod, want string
	}{
		{"a", "logs/a.log"},
		{"fortio-server.mark", "logs/fortio-server.mark.log"},
		{strings.Repeat("a", longestPodName), "logs/" + strings.Repeat("a", longestPodName) + ".log"},
		{strings.Repeat("a", longestPodName+1), ""},
		{"", ""}, {".", ""}, {"..", ""}, {"a/b", ""}, {"a.", ""}, {"-a", ""}, {"A", ""}, {"a\n", ""},
	} {
		if got, err := podFile(logDir, c.pod, ".log"); got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("pod %q: file %q, %v", c.pod, got, err)
		}
	}
}
