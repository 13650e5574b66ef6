package envoylog

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestWaitStream(t *testing.T) {
	whole, err := os.ReadFile(filepath.Join("testdata", "server-1.40.log"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(whole)
	last := strings.Index(text, "destroying stream")
	end := last + strings.Index(text[last:], "\n") + 1
	for _, c := range []struct{ name, text, want string }{
		{"complete", text[:end], ""},
		{"last line half written", text[:end-10], "the log ended (the last line seen is line"},
		{"last line missing", text[:strings.LastIndex(text[:end-1], "\n")+1], "the log ended (the last line seen is line"},
		{"another request", strings.ReplaceAll(text[:end], cold, warm), "the log ended"},
		{"empty", "", "the log ended (no line was seen: is the log level debug?)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := Follow(t.Context(), strings.NewReader(c.text)).WaitStream(t.Context(), cold)
			if (c.want == "") != (err == nil) || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

// TestFollow writes a log byte by byte: a wait must end with the stream's last line, not before and not later.
func TestFollow(t *testing.T) {
	for name, text := range map[string]string{"workshop": workshopLog(), "current": func() string {
		b, err := os.ReadFile(filepath.Join("testdata", "server-1.40-plain.log"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.ReplaceAll(string(b), cold, workshopRequestID)
	}()} {
		t.Run(name, func(t *testing.T) {
			r, w := io.Pipe()
			f := Follow(t.Context(), r)
			done := make(chan error, 1)
			go func() { done <- f.WaitStream(t.Context(), workshopRequestID) }()
			end := strings.Index(text, "destroying stream")
			end += strings.Index(text[end:], "\n")
			for i := range end {
				if _, err := w.Write([]byte{text[i]}); err != nil {
					t.Fatal(err)
				}
			}
			select {
			case err := <-done:
				t.Fatalf("the wait ended before the last line was complete: %v", err)
			default:
			}
			if _, err := w.Write([]byte{'\n'}); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestFollowDeadline(t *testing.T) {
	r, w := io.Pipe()
	defer w.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	err := Follow(ctx, r).WaitStream(ctx, cold)
	if err == nil || !strings.Contains(err.Error(), "no line was seen") {
		t.Errorf("error %v", err)
	}
	for err == nil || !errors.Is(err, io.ErrClosedPipe) { // the log is closed with its context
		_, err = w.Write([]byte("x\n"))
	}
}

// TestText writes a log that was read and reads it again: the same statements must come.
func TestText(t *testing.T) {
	names, err := filepath.Glob("testdata/*.log")
	if err != nil || len(names) == 0 {
		t.Fatal("no logs", err)
	}
	for _, name := range names {
		lines := read(t, filepath.Base(name))
		if text, err := os.ReadFile(name); err != nil || Text(lines) != string(text) {
			t.Errorf("%s changes when it is read and written", name)
		}
		again := parse(t, Text(lines))
		if len(again) != len(lines) {
			t.Errorf("%s: %d statements, read again %d", name, len(lines), len(again))
		}
	}
}
