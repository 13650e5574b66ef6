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

// A job is a group of requests in a batch and what was written for them.
type job struct {
	first int // number of its first line
	text  []byte
	ends  []int // of the lines in text
	out   bytes.Buffer
	err   error
	ready chan struct{}
}

// jobs are kept for their buffers: a batch writes a hundred times what a request takes.
var jobs = sync.Pool{New: func() any { return new(job) }}

// Batch reads requests, one JSON object a line, decides each, and writes each decision with write, in the order of the
// requests. Blank lines are passed over. An error names the line; decisions of the lines before it have been written.
func (e *Engine) Batch(r io.Reader, w io.Writer, opts Options, write func(io.Writer, flow.Decision) error) error {
	queue := make(chan *job, 2*runtime.GOMAXPROCS(0))
	order := make(chan *job, 2*runtime.GOMAXPROCS(0))
	stop := make(chan struct{})
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		workers.Go(func() {
			for j := range queue {
				j.decide(e, opts, write)
				close(j.ready)
			}
		})
	}
	var readErr error
	go func() {
		defer close(order)
		defer close(queue)
		readErr = eachJob(r, func(j *job) bool {
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
		jobs.Put(j)
	}
	workers.Wait()
	if err == nil {
		err = readErr
	}
	return err
}

// decide answers the requests of a job, up to the first that is none.
func (j *job) decide(e *Engine, opts Options, write func(io.Writer, flow.Decision) error) {
	start := 0
	for i, end := range j.ends {
		if err := e.line(j.text[start:end], &j.out, opts, write); err != nil {
			j.err = fmt.Errorf("line %d: %w", j.first+i, err)
			return
		}
		start = end
	}
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

// eachJob reads lines in groups until the end or until next says to stop. The first line is 1.
func eachJob(r io.Reader, next func(*job) bool) error {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), maxRequest)
	number := 0
	var j *job
	for s.Scan() {
		if j == nil {
			j = jobs.Get().(*job)
			j.first, j.text, j.ends, j.err, j.ready = number+1, j.text[:0], j.ends[:0], nil, make(chan struct{})
			j.out.Reset()
		}
		number++
		j.text = append(j.text, s.Bytes()...)
		j.ends = append(j.ends, len(j.text))
		if len(j.ends) == batchSize {
			if !next(j) {
				return nil
			}
			j = nil
		}
	}
	if j != nil && !next(j) {
		return nil
	}
	if err := s.Err(); err != nil {
		return fmt.Errorf("line %d: read request: %w (a line may have %d KB)", number+1, err, maxRequest>>10)
	}
	return nil
}
