package infer

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"runtime"
	"sync"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/proxy"
)

// batchSize is how many requests one worker takes at a time.
const batchSize = 64

// A job is a group of requests in a batch and what was written for them.
type job struct {
	first   int // number of its first line
	text    []byte
	ends    []int        // of the lines in text
	long    map[int]bool // lines that are too long, by their index
	out     bytes.Buffer
	err     error
	bad     int    // lines that are no requests
	problem string // error of the first
	ready   chan struct{}
}

// jobs are kept for their buffers: a batch writes a hundred times what a request takes.
var jobs = sync.Pool{New: func() any { return new(job) }}

// A BatchError says how many lines of a batch are no requests. Each has been answered by a
// Decision with an Error.
type BatchError struct {
	Bad, Lines int
	First      string // error of the first
}

func (e *BatchError) Error() string {
	return fmt.Sprintf("%d of %d lines are no request, the first: %s", e.Bad, e.Lines, e.First)
}

// Batch reads requests, one JSON object a line (see RequestKeys), decides each, and writes each
// decision with write, in the order of the requests. Blank lines are passed over. A line that is no
// request is answered by a Decision with its Error, and the others are answered; the error at the
// end is then a *BatchError.
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
	var bad BatchError
	for j := range order {
		<-j.ready
		if bad.Lines += len(j.ends); j.bad > 0 {
			bad.First = cmp.Or(bad.First, j.problem)
			bad.Bad += j.bad
		}
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
	switch {
	case err != nil:
		return err
	case readErr != nil:
		return readErr
	case bad.Bad > 0:
		return &bad
	}
	return nil
}

// decide answers the requests of a job.
func (j *job) decide(e *Engine, opts Options, write func(io.Writer, flow.Decision) error) {
	start := 0
	for i, end := range j.ends {
		line := j.text[start:end]
		if start = end; len(line) == 0 && !j.long[i] {
			continue
		}
		d, err := e.line(line, opts)
		if j.long[i] {
			err = errLong
		}
		if err != nil {
			text := fmt.Sprintf("line %d: %v", j.first+i, err)
			d = flow.Decision{Schema: flow.DecisionSchema, ID: d.ID, Error: text, FilterChainIndex: proxy.NoChain,
				RouteIndex: -1, Hops: []flow.Hop{}}
			if j.bad++; j.problem == "" {
				j.problem = text
			}
		}
		if err := write(&j.out, d); err != nil {
			j.err = err
			return
		}
	}
}

// line decides one request. With an error the decision has the request's id, where
// the line has one.
func (e *Engine) line(line []byte, opts Options) (flow.Decision, error) {
	req, err := e.ReadRequest(line)
	if err != nil {
		return flow.Decision{ID: req.ID}, err
	}
	decide := e.decide
	if opts.Explain {
		decide = e.DecideWith
	}
	d, err := decide(req, opts)
	if err != nil {
		d.ID = req.ID
	}
	return d, err
}

// eachJob reads lines in groups until the end or until next says to stop. The first line is 1.
func eachJob(r io.Reader, next func(*job) bool) error {
	in := newLines(r)
	var j *job
	for {
		line, err := in.next()
		if err != nil && !errors.Is(err, errLong) {
			if j != nil && !next(j) || errors.Is(err, io.EOF) {
				return nil
			}
			return fmt.Errorf("line %d: read request: %w", in.number+1, err)
		}
		if j == nil {
			j = jobs.Get().(*job)
			j.first, j.text, j.ends, j.err, j.ready = in.number, j.text[:0], j.ends[:0], nil, make(chan struct{})
			j.bad, j.problem = 0, ""
			j.out.Reset()
			clear(j.long)
		}
		if err != nil {
			if j.long == nil {
				j.long = map[int]bool{}
			}
			j.long[len(j.ends)] = true
		}
		j.text = append(j.text, line...)
		j.ends = append(j.ends, len(j.text))
		if len(j.ends) == batchSize {
			if !next(j) {
				return nil
			}
			j = nil
		}
	}
}
