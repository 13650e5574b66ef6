package early_test

import (
	"os"
	"strings"
	"testing"

	"github.com/testcontainers/testcontainers-go"

	_ "github.com/flowproof/lab/harness/cluster/outside"
)

// TestTheLibraryStartsFast holds that the library named its session without looking at every
// process, and that the environment is as it was: a random name is a UUID, that of a parent
// process a hash. To ask for it makes the library read its settings, so that it has a test
// program of its own.
func TestTheLibraryStartsFast(t *testing.T) {
	if id := testcontainers.SessionID(); !strings.Contains(id, "-") {
		t.Errorf("session %s: the order of initialisers is another one now", id)
	}
	if at, ok := os.LookupEnv("HOST_PROC"); ok {
		t.Errorf("HOST_PROC=%s was left behind", at)
	}
}
