package cluster

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
)

func TestLock(t *testing.T) {
	silent := func(string) { t.Error("it waited") }
	first, err := Lock(t.Context(), "lock-test", silent)
	if err != nil {
		t.Fatal(err)
	}
	other, err := Lock(t.Context(), "lock-test-other", silent)
	if err != nil {
		t.Fatal(err)
	}
	_ = other.Close()

	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Lock(ended, "lock-test", silent); !errors.Is(err, context.Canceled) {
		t.Errorf("%v, want the context's end", err)
	}

	told := ""
	second, err := Lock(t.Context(), "lock-test", func(holder string) {
		told = holder
		_ = first.Close()
	})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if want := fmt.Sprintf("process %d", os.Getpid()); told != want {
		t.Errorf("it waited for %q, want %q", told, want)
	}
}
