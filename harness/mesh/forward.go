package mesh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
	"k8s.io/streaming/pkg/httpstream"
)

// A forwarder opens connections to a port inside a pod through the apiserver's portforward
// subresource. Unlike `kubectl port-forward` it listens nowhere: on a shared machine no other user
// can use it. The tunnel is opened by the first connection and shared by all.
type forwarder struct {
	pod    *Pod
	port   int
	mu     sync.Mutex
	tunnel httpstream.Connection
	serial int
}

// dial opens one connection to the port, as net.Dialer.DialContext would.
func (f *forwarder) dial(ctx context.Context) (net.Conn, error) {
	type result struct {
		conn net.Conn
		err  error
	}
	done := make(chan result, 1) // the protocol's own calls take no context
	go func() {
		conn, err := f.open()
		done <- result{conn, err}
	}()
	select {
	case r := <-done:
		return r.conn, r.err
	case <-ctx.Done():
		go func() {
			if r := <-done; r.conn != nil {
				_ = r.conn.Close()
			}
		}()
		return nil, context.Cause(ctx)
	}
}

// open makes the pair of streams that stands for one connection: one for data, one on which the
// kubelet says why the data ended.
func (f *forwarder) open() (net.Conn, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.connect(); err != nil {
		return nil, fmt.Errorf("forward port %d of %s: %w", f.port, f.pod.Ref(), err)
	}
	headers := http.Header{}
	headers.Set(v1.PortHeader, strconv.Itoa(f.port))
	headers.Set(v1.PortForwardRequestIDHeader, strconv.Itoa(f.serial))
	f.serial++
	headers.Set(v1.StreamType, v1.StreamTypeError)
	failure, err := f.tunnel.CreateStream(headers)
	if err != nil {
		return nil, fmt.Errorf("forward port %d of %s: %w", f.port, f.pod.Ref(), err)
	}
	_ = failure.Close() // nothing is written to it
	headers.Set(v1.StreamType, v1.StreamTypeData)
	data, err := f.tunnel.CreateStream(headers)
	if err != nil {
		f.tunnel.RemoveStreams(failure)
		return nil, fmt.Errorf("forward port %d of %s: %w", f.port, f.pod.Ref(), err)
	}
	return &forwarded{forwarder: f, data: data, failure: failure}, nil
}

// connect makes the tunnel when there is none, or the old one has ended.
func (f *forwarder) connect() error {
	if f.tunnel != nil {
		select {
		case <-f.tunnel.CloseChan():
		default:
			return nil
		}
	}
	target := f.pod.subresource("portforward").URL()
	websocket, err := portforward.NewSPDYOverWebsocketDialerForStreaming(target, f.pod.mesh.config)
	if err != nil {
		return err
	}
	transport, upgrader, err := spdy.RoundTripperFor(f.pod.mesh.config)
	if err != nil {
		return err
	}
	plain := spdy.NewDialerForStreaming(upgrader, &http.Client{Transport: transport}, http.MethodPost, target)
	dialer := portforward.NewFallbackDialerForStreaming(websocket, plain, noWebsocket)
	f.tunnel, _, err = dialer.Dial(portforward.PortForwardProtocolV1Name)
	return err
}

// close ends the tunnel with all its connections.
func (f *forwarder) close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.tunnel == nil {
		return nil
	}
	err := f.tunnel.Close()
	f.tunnel = nil
	return err
}

// forwarded is one forwarded connection. Deadlines are the caller's context's business: net/http
// closes the connection when it ends.
type forwarded struct {
	forwarder *forwarder
	data      httpstream.Stream
	failure   httpstream.Stream
	once      sync.Once
}

// Read turns an end of the data that the kubelet gives a reason for into that reason: without it a
// refused connection would look like an empty answer.
func (c *forwarded) Read(p []byte) (int, error) {
	n, err := c.data.Read(p)
	if n == 0 && errors.Is(err, io.EOF) {
		if reason, _ := io.ReadAll(io.LimitReader(c.failure, 4096)); len(reason) > 0 {
			if bytes.Contains(reason, []byte("connection refused")) {
				return 0, fmt.Errorf("nothing listens on port %d of %s", c.forwarder.port, c.forwarder.pod.Ref())
			}
			return 0, fmt.Errorf("forward port %d of %s: %s", c.forwarder.port, c.forwarder.pod.Ref(),
				bytes.TrimSpace(reason))
		}
	}
	return n, err
}

func (c *forwarded) Write(p []byte) (int, error) { return c.data.Write(p) }

func (c *forwarded) Close() error {
	var err error
	c.once.Do(func() {
		err = c.data.Reset()
		if tunnel := c.forwarder.current(); tunnel != nil {
			tunnel.RemoveStreams(c.data, c.failure)
		}
	})
	return err
}

func (f *forwarder) current() httpstream.Connection {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.tunnel
}

func (c *forwarded) LocalAddr() net.Addr              { return forwardedAddr(c.forwarder.pod.Ref()) }
func (c *forwarded) RemoteAddr() net.Addr             { return forwardedAddr(c.forwarder.pod.Ref()) }
func (c *forwarded) SetDeadline(time.Time) error      { return nil }
func (c *forwarded) SetReadDeadline(time.Time) error  { return nil }
func (c *forwarded) SetWriteDeadline(time.Time) error { return nil }

type forwardedAddr string

func (forwardedAddr) Network() string  { return "portforward" }
func (a forwardedAddr) String() string { return string(a) }
