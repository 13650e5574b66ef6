package infer

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/flowproof/lab/harness/flow"
)

// maxRequest bounds one line of a batch.
const maxRequest = 1 << 20

// batchSize is how many requests one worker takes at a time.
const batchSize = 64

// Batch reads requests, one JSON object a line, decides each, and writes each decision with write, in the order of the
// requests. Blank lines are passed over. An error names the line; decisions of the lines before it have been written.
func (e *Engine) Batch(r io.Reader, w io.Writer, opts Options, write func(io.Writer, flow.Decision) error) error {
	type job struct {
		first int
		lines [][]byte
		out   bytes.Buffer
		err   error
		ready chan struct{}
	}
	queue := make(chan *job, 2*runtime.GOMAXPROCS(0))
	order := make(chan *job, 2*runtime.GOMAXPROCS(0))
	stop := make(chan struct{})
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for j := range queue {
				for i, line := range j.lines {
					if j.err = e.line(line, &j.out, opts, write); j.err != nil {
						j.err = fmt.Errorf("line %d: %w", j.first+i, j.err)
						break
					}
				}
				close(j.ready)
			}
		})
	}
	var readErr error
	go func() {
		defer close(order)
		defer close(queue)
		readErr = eachBatch(r, func(first int, lines [][]byte) bool {
			j := &job{first: first, lines: lines, ready: make(chan struct{})}
			select {
			case order <- j:
				queue <- j
				return true
			case <-stop:
				return false
			}
		})
	}()
	var err error
	for j := range order {
		<-j.ready
		if err == nil {
			if _, werr := w.Write(j.out.Bytes()); werr != nil {
				err = werr
			} else {
				err = j.err
			}
			if err != nil {
				close(stop)
			}
		}
	}
	workers.Wait()
	if err == nil {
		err = readErr
	}
	return err
}

// line decides one request.
func (e *Engine) line(line []byte, out *bytes.Buffer, opts Options, write func(io.Writer, flow.Decision) error) error {
	if len(bytes.TrimSpace(line)) == 0 {
		return nil
	}
	var req flow.Request
	if err := json.Unmarshal(line, &req); err != nil {
		return fmt.Errorf("read request: %w", err)
	}
	d, err := e.decide(req, opts)
	if err != nil {
		return err
	}
	return write(out, d)
}

// eachBatch reads lines in groups until the end or until next says to stop. The first line is 1.
func eachBatch(r io.Reader, next func(first int, lines [][]byte) bool) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxRequest)
	number, first := 0, 1
	var lines [][]byte
	for s.Scan() {
		number++
		lines = append(lines, bytes.Clone(s.Bytes()))
		if len(lines) == batchSize {
			if !next(first, lines) {
				return nil
			}
			first, lines = number+1, nil
		}
	}
	if len(lines) > 0 && !next(first, lines) {
		return nil
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("line %d: read request: %w (a line may have %d KB)", number+1, err, maxRequest>>10)
	}
	return nil
}
