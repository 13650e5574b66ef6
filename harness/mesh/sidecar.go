package mesh

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/bytesize"
)

// AdminPort is where Envoy's admin interface listens inside the pod, on loopback only.
const AdminPort = 15000

// maxAnswer bounds what is read from an admin interface. A dump of ten thousand
// clusters has about 100 MB.
const maxAnswer = 512 << 20

// ErrNoSidecar is in the chain of the error about a pod without a sidecar.
var ErrNoSidecar = errors.New("the pod has none")

// A Sidecar is the Envoy beside an application, reached through its admin interface. Close it
// after use. The paths and their answers are described in Envoy's documentation under
// "Administration interface".
type Sidecar struct {
	pod     *Pod
	forward *forwarder
	client  *http.Client
	mu      sync.Mutex
	reads   []Read
}

// Sidecar prepares the pod's sidecar for use. A pod without one gives an error that says so, of the
// kind fault.Usage.
func (p *Pod) Sidecar() (*Sidecar, error) {
	if !slices.Contains(p.Containers(), SidecarContainer) {
		return nil, fault.Usagef("reach sidecar of %s: %w, its containers are: %s (label its namespace "+
			"istio-injection=enabled and start the pod again)",
			p.Ref(), ErrNoSidecar, strings.Join(p.Containers(), ", "))
	}
	forward := &forwarder{pod: p, port: AdminPort}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) { return forward.dial(ctx) },
		// One connection an answer: an idle one would stand in the pod's socket table,
		// which the lab reads.
		DisableKeepAlives:  true,
		DisableCompression: true,
	}
	return &Sidecar{pod: p, forward: forward, client: &http.Client{Transport: transport}}, nil
}

// Pod is the pod that the sidecar belongs to.
func (s *Sidecar) Pod() *Pod { return s.pod }

// Close ends the tunnel to the admin interface.
func (s *Sidecar) Close() error { return s.forward.close() }

// Stats returns the lines "name: value" of the statistics whose names match the regular expression
// filter; all when it is empty.
func (s *Sidecar) Stats(ctx context.Context, filter string) ([]byte, error) {
	path := "/stats"
	if filter != "" {
		path += "?filter=" + url.QueryEscape(filter)
	}
	return s.get(ctx, path)
}

// Runtime returns the runtime values of all layers, as JSON (GET /runtime). A dump has those of the
// bootstrap's static layers alone.
func (s *Sidecar) Runtime(ctx context.Context) ([]byte, error) { return s.get(ctx, "/runtime") }

// Quit ends Envoy (POST /quitquitquit). The agent beside it ends with it, and the kubelet starts
// both again in the same pod.
func (s *Sidecar) Quit(ctx context.Context) error {
	_, err := s.call(ctx, http.MethodPost, "/quitquitquit")
	return err
}

func (s *Sidecar) get(ctx context.Context, path string) ([]byte, error) {
	return s.call(ctx, http.MethodGet, path)
}

// call makes one call of the admin interface and returns its whole answer. Anything but 200 is an
// error with the first line of the answer.
func (s *Sidecar) call(ctx context.Context, method, path string) (body []byte, err error) {
	err = s.stream(ctx, method, path, maxAnswer, func(answer io.Reader) error {
		body, err = io.ReadAll(answer)
		return err
	})
	if err != nil {
		return nil, err
	}
	return body, nil
}

// errTooLarge says that an answer was longer than it may be.
var errTooLarge = errors.New("the answer is larger than it may be")

// stream makes one call of the admin interface, lets read have the answer, of most bytes at most,
// and notes its size and how long it took.
func (s *Sidecar) stream(ctx context.Context, method, path string, most int64, read func(io.Reader) error) error {
	ctx, cancel := context.WithTimeoutCause(ctx, adminTimeout, fault.Environmentf("no answer within %s", adminTimeout))
	defer cancel()
	start := time.Now()
	fail := func(err error) error {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return environment(err, "ask Envoy of %s for %s %s", s.pod.Ref(), path, errSince(start))
	}
	request, err := http.NewRequestWithContext(ctx, method, "http://localhost"+path, nil)
	if err != nil {
		return fail(err)
	}
	answer, err := s.client.Do(request)
	if err != nil {
		if outer, ok := errors.AsType[*url.Error](err); ok {
			err = outer.Err // it repeats the method and a host that is not one
		}
		return fail(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(io.LimitReader(answer.Body, 1<<16))
		line, _, _ := strings.Cut(string(text), "\n")
		return fail(fmt.Errorf("%s: %s", answer.Status, line))
	}
	body := &bounded{from: answer.Body, most: most}
	err = read(body)
	s.noteRead(Read{Path: path, Bytes: body.read, Took: time.Since(start)})
	switch {
	case body.over:
		return fail(fmt.Errorf("%w: %s", errTooLarge, bytesize.Text(most)))
	case body.err != nil:
		return fail(fmt.Errorf("the answer broke off after %d bytes: %w", body.read, body.err))
	case err != nil:
		return fail(err)
	}
	return nil
}

// environment wraps err as one of the kind fault.Environment, except when the caller gave up: then
// its own reason stays visible.
func environment(err error, format string, args ...any) error {
	if fault.Of(err) == fault.Interrupted {
		return fmt.Errorf(format+": %w", append(args, err)...)
	}
	return fault.Environmentf(format+": %w", append(args, err)...)
}
