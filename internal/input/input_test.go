package input

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"

	"github.com/flowproof/lab/internal/bytesize"
)

// kinds puts one of each thing that a path can name into a folder, and returns what
// is refused of them.
func kinds(t *testing.T) (dir string, refused map[string]string) {
	t.Helper()
	dir = t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	err := errors.Join(os.WriteFile(at("file"), []byte("text"), 0o600), os.Mkdir(at("folder"), 0o700),
		syscall.Mkfifo(at("pipe"), 0o600), os.Symlink("pipe", at("link-to-pipe")), os.Symlink("file", at("link")))
	if err != nil {
		t.Fatal(err)
	}
	socket, err := net.Listen("unix", at("socket"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = socket.Close() })
	return dir, map[string]string{"folder": "it is a directory", "pipe": "it is a pipe", "socket": "it is a socket",
		"link-to-pipe": "it is a "}
}

// TestOpenRefuses opens what would wait or act when it is opened: no writer has the pipe open, so
// an opening would hang this test.
func TestOpenRefuses(t *testing.T) {
	dir, refused := kinds(t)
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for name, want := range refused {
		for how, read := range map[string]func() ([]byte, error){
			"by path": func() ([]byte, error) { return ReadFile(t.Context(), filepath.Join(dir, name), 100) },
			"below":   func() ([]byte, error) { return ReadIn(t.Context(), root, name, 100) },
		} {
			if _, err := read(); !errors.Is(err, ErrNotRegular) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s %s: %v, want %q", name, how, err, want)
			}
		}
	}
	if _, err := ReadFile(t.Context(), os.DevNull, 100); runtime.GOOS != "windows" && !errors.Is(err, ErrNotRegular) {
		t.Errorf("a device: %v", err)
	}
	if _, err := ReadIn(t.Context(), root, "link", 100); !errors.Is(err, ErrNotRegular) {
		t.Errorf("a link below a folder: %v", err)
	}
	for _, name := range []string{"file", "link"} {
		if text, err := ReadFile(t.Context(), filepath.Join(dir, name), 4); err != nil || string(text) != "text" {
			t.Errorf("%s: %q, %v", name, text, err)
		}
	}
	if _, err := ReadFile(t.Context(), filepath.Join(dir, "file"), 3); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a file of 4 bytes where 3 are read: %v", err)
	}
}

// TestExchanged exchanges a file for a pipe after it was looked at: it is opened without
// waiting, and refused.
func TestExchanged(t *testing.T) {
	dir, _ := kinds(t)
	path := filepath.Join(dir, "file")
	_, err := open(path, os.Stat, func() (*os.File, error) {
		if err := errors.Join(os.Remove(path), syscall.Mkfifo(path, 0o600)); err != nil {
			t.Fatal(err)
		}
		return os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	})
	if !errors.Is(err, ErrNotRegular) {
		t.Errorf("error %v", err)
	}
}

// TestInterrupted ends the context of a read that waits for a writer.
func TestInterrupted(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	defer reader.Close()
	stop := errors.New("stop")
	ctx, cancel := context.WithCancelCause(t.Context())
	begun := make(chan struct{})
	done := make(chan error, 1)
	go func() {
		close(begun)
		_, err := ReadAll(ctx, reader, 1<<20)
		done <- err
	}()
	<-begun
	cancel(stop)
	select {
	case err := <-done:
		if !errors.Is(err, stop) {
			t.Errorf("error %v", err)
		}
	case <-time.After(time.Minute):
		t.Fatal("the read goes on")
	}
}

func TestReadAllStream(t *testing.T) {
	reader, writer, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.Repeat([]byte("0123456789abcdef"), 64<<10)
	go func() {
		_, _ = writer.Write(text)
		_ = writer.Close()
	}()
	if got, err := ReadAll(t.Context(), reader, int64(len(text))); err != nil || !bytes.Equal(got, text) {
		t.Errorf("%d bytes of %d, %v", len(got), len(text), err)
	}
}

func TestDo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	begun := make(chan struct{})
	done := make(chan error, 1)
	go func() { done <- Do(ctx, func() error { close(begun); <-release; return nil }) }()
	<-begun
	cancel()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
	if err := Do(t.Context(), func() error { return io.EOF }); !errors.Is(err, io.EOF) {
		t.Errorf("error %v", err)
	}
}

// compressors compress a text.
var compressors = map[string]func(io.Writer) io.WriteCloser{
	"gzip": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
	"zstd": func(w io.Writer) io.WriteCloser {
		z, err := zstd.NewWriter(w, zstd.WithEncoderConcurrency(1))
		if err != nil {
			panic(err)
		}
		return z
	},
}

// compressed is a text that is n times a piece.
func compressed(t *testing.T, name string, piece []byte, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	w := compressors[name](&b)
	for range n {
		if _, err := w.Write(piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDecompress(t *testing.T) {
	piece := []byte(strings.Repeat(`{"configs":[]}`, 1000))
	for name := range compressors {
		data := compressed(t, name, piece, 10)
		if text, err := Decompress(t.Context(), data, 1<<30); err != nil ||
			!bytes.Equal(text, bytes.Repeat(piece, 10)) {
			t.Errorf("%s: %d bytes, %v", name, len(text), err)
		}
		if _, err := Decompress(t.Context(), data, 1000); !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s beyond its limit: %v", name, err)
		}
		if _, err := Decompress(t.Context(), data[:len(data)/2], 1<<30); err == nil {
			t.Errorf("%s cut off is read", name)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := Decompress(ctx, data, 1<<30); !errors.Is(err, context.Canceled) {
			t.Errorf("%s after the end of its context: %v", name, err)
		}
		if text, err := Decompress(t.Context(), compressed(t, name, nil, 1), 1<<30); err != nil || len(text) != 0 {
			t.Errorf("%s of nothing: %q, %v", name, text, err)
		}
	}
	if text, err := Decompress(t.Context(), piece, 10); err != nil || !bytes.Equal(text, piece) {
		t.Errorf("plain text is not left as it is: %v", err)
	}
}

// TestBomb decompresses texts that are out of proportion. What that takes of memory is a bounded
// multiple of what is allowed.
func TestBomb(t *testing.T) {
	zeros := make([]byte, 4<<20)
	for name := range compressors {
		data := compressed(t, name, zeros, 64)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decompress(t.Context(), data, 4<<30)
		runtime.ReadMemStats(&after)
		if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "it holds more than ") {
			t.Errorf("%s: 256 MiB in %d bytes: %v", name, len(data), err)
		}
		most := max(freeText, mostRatio*int64(len(data)))
		if took := int64(after.TotalAlloc - before.TotalAlloc); took > most+(64<<20) {
			t.Errorf("%s: %s were allocated, and %s are allowed", name, bytesize.Text(took), bytesize.Text(most))
		}
	}
}

func FuzzDecompress(f *testing.F) {
	for name := range compressors {
		var b bytes.Buffer
		w := compressors[name](&b)
		_, _ = w.Write([]byte(`{"configs":[]}`))
		_ = w.Close()
		f.Add(b.Bytes())
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		const limit = 1 << 20
		if text, err := Decompress(t.Context(), data, limit); err == nil && Compressed(data) && len(text) > limit {
			t.Errorf("%d bytes are more than the limit", len(text))
		}
	})
}
