package mesh

import (
	"strings"
	"testing"
)

func TestHead(t *testing.T) {
	h := head{most: 7}
	for _, text := range []string{"hello", " ", "world", strings.Repeat("x", 1<<20)} {
		if n, err := h.Write([]byte(text)); n != len(text) || err != nil {
			t.Errorf("%d bytes of %d, %v", n, len(text), err)
		}
	}
	if h.text.String() != "hello w" {
		t.Errorf("kept %q", h.text.String())
	}
}
