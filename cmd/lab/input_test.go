//go:build unix

package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/flowproof/lab/cmd/lab/internal/exit"
)

// TestNoPipeIsOpened hands a pipe without a writer to every flag and argument that names a file: an
// opening would never end.
func TestNoPipeIsOpened(t *testing.T) {
	const dump = "../../scenarios/dumps/netshoot.json.gz"
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	to := []string{"--to", "http://fortio-server:8080/"}
	for name, args := range map[string][]string{
		"a dump":              {"infer", "--dump", pipe, "--address", "10.0.0.1", "--port", "80"},
		"the client's dump":   append([]string{"infer", "--client-dump", pipe}, to...),
		"the server's dump":   append([]string{"infer", "--client-dump", dump, "--server-dump", pipe}, to...),
		"requests":            {"infer", "--dump", dump, "--requests", pipe},
		"rules":               append([]string{"infer", "--client-dump", dump, "--iptables", pipe}, to...),
		"a dump of a change":  {"diff", pipe, dump, "--requests", "-"},
		"requests to compare": {"diff", dump, dump, "--requests", pipe},
		"a scenario":          {"run", pipe},
		"a kubeconfig":        {"status", "--kubeconfig", pipe},
	} {
		t.Run(name, func(t *testing.T) {
			var out, errout bytes.Buffer
			code := Run(t.Context(), args, Streams{In: strings.NewReader(""), Out: &out, Err: &errout})
			if code != exit.Usage || !strings.Contains(errout.String(), "it is a pipe") {
				t.Errorf("code %d: %s", code, errout.String())
			}
		})
	}
}

// TestWaitingEnds interrupts verbs that wait for standard input, whose writer says nothing.
func TestWaitingEnds(t *testing.T) {
	const dump = "../../scenarios/dumps/netshoot.json.gz"
	for name, args := range map[string][]string{
		"a dump":              {"infer", "--dump", "-", "--address", "10.0.0.1", "--port", "80"},
		"the client's dump":   {"infer", "--client-dump", "-", "--to", "http://fortio-server:8080/"},
		"requests":            {"infer", "--dump", dump, "--requests", "-"},
		"requests to compare": {"diff", dump, dump, "--requests", "-"},
	} {
		t.Run(name, func(t *testing.T) {
			reader, writer, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer writer.Close()
			defer reader.Close()
			ctx, cancel := context.WithCancel(t.Context())
			in := &told{Reader: reader, begun: make(chan struct{})}
			var out, errout bytes.Buffer
			ended := make(chan int, 1)
			go func() { ended <- Run(ctx, args, Streams{In: in, Out: &out, Err: &errout}) }()
			<-in.begun
			cancel()
			select {
			case code := <-ended:
				if code != exit.Interrupted {
					t.Errorf("code %d: %s", code, errout.String())
				}
			case <-time.After(time.Minute):
				t.Fatal("it reads on")
			}
		})
	}
}

// told is a reader that says when the first read begins.
type told struct {
	io.Reader
	once  sync.Once
	begun chan struct{}
}

func (r *told) Read(p []byte) (int, error) {
	r.once.Do(func() { close(r.begun) })
	return r.Reader.Read(p)
}
