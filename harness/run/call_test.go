package run

import (
	"strings"
	"testing"
)

func TestNewRequestIDIsAUUID(t *testing.T) {
	id := newRequestID()
	if len(id) != 36 || id[14] != '4' || !strings.ContainsRune("89ab", rune(id[19])) || id == newRequestID() {
		t.Errorf("%q is no UUID of version 4", id)
	}
}
