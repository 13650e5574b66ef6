package authority

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"sort"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/flowproof/lab/harness/flow"
)

// A Result is what really happened to a request.
type Result struct {
	From     string // the client's own address: what the access log calls the connection
	Status   int    // 0: the connection was closed without an answer
	Location string
	Seen     *Seen  // what the upstream saw; nil when none was reached
	Problem  string // of the client, where the connection ended early
	Entries  []Entry
}

// Ask sends the requests, several at a time, each through the listener that each would arrive at,
// and returns what happened.
func (e *Envoy) Ask(ctx context.Context, requests []flow.Request) ([]Result, error) {
	results, errs := make([]Result, len(requests)), make([]error, len(requests))
	var group sync.WaitGroup
	slots := make(chan struct{}, 16)
	for i, req := range requests {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			results[i], errs[i] = e.send(ctx, req)
		})
	}
	group.Wait()
	var from []string
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("request %d: %w", i, err)
		}
		from = append(from, results[i].From)
	}
	entries, err := e.log.wait(ctx, from)
	if err != nil && entries == nil {
		return nil, err
	}
	for i := range results {
		results[i].Entries = entries[results[i].From]
	}
	return results, nil
}

// entryOf returns where a request arrives.
func (e *Envoy) entryOf(req flow.Request) (string, error) {
	name := map[flow.Direction]string{flow.Inbound: "virtualInbound", flow.Outbound: "virtualOutbound",
		"": "virtualOutbound"}[req.Direction]
	if req.Direction == flow.Gateway {
		for n := range e.entries {
			if strings.HasSuffix(n, fmt.Sprint("_", req.Port)) {
				name = n
			}
		}
	}
	if address, ok := e.entries[name]; ok {
		return address, nil
	}
	return "", fmt.Errorf("envoy has no entry for direction %q port %d", req.Direction, req.Port)
}

// send makes one connection with one request.
func (e *Envoy) send(ctx context.Context, req flow.Request) (Result, error) {
	address, own := dialled(req)
	if !own {
		var err error
		if address, err = e.entryOf(req); err != nil {
			return Result{}, err
		}
	}
	conn, err := e.dial(ctx, address, req.DirectSource)
	if err != nil {
		return Result{}, err
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return Result{}, err
	}
	r := Result{From: conn.LocalAddr().String()}
	if _, err := io.WriteString(conn, proxyHeader(req)); err != nil {
		return r, err
	}
	stream := conn
	if req.TLS == flow.TLS || req.TLS == flow.MTLS {
		// the peer is the test's own
		config := &tls.Config{ServerName: req.SNI, InsecureSkipVerify: true, NextProtos: req.ALPN}
		if req.TLS == flow.MTLS {
			config.Certificates = []tls.Certificate{e.keys.pair}
		}
		client := tls.Client(conn, config)
		if err := client.HandshakeContext(ctx); err != nil {
			r.Problem = err.Error()
			return r, nil
		}
		stream = client
	}
	switch req.Protocol {
	case "tcp":
		askTCP(stream, &r)
	case "http2", "grpc":
		askHTTP2(stream, req, &r)
	default:
		askHTTP1(stream, req, &r)
	}
	return r, nil
}

// dial connects from an address and port that no connection to this Envoy came from before: the
// access log is joined by them. The kernel gives a port again, so each connection names its own.
// One that something else on this machine has is passed over.
func (e *Envoy) dial(ctx context.Context, address, directSource string) (net.Conn, error) {
	const firstPort, ports = 1024, 1<<16 - 1024
	for {
		n := e.sent.Add(1)
		local := &net.TCPAddr{IP: net.IPv4(127, byte(64+n>>16), byte(n>>8), byte(n)), Port: int(firstPort + n%ports)}
		if strings.HasPrefix(address, "[") {
			local.IP = net.IPv6loopback
		}
		if direct, err := netip.ParseAddrPort(directSource); err == nil {
			local.IP = direct.Addr().AsSlice()
		}
		dialer := &net.Dialer{Timeout: 5 * time.Second, LocalAddr: local}
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if !errors.Is(err, syscall.EADDRINUSE) {
			return conn, err
		}
	}
}

// proxyHeader says the original destination and source: PROXY protocol version 1.
func proxyHeader(req flow.Request) string {
	dst := netip.MustParseAddr(req.Address)
	src := netip.MustParseAddrPort("192.0.2.1:40000")
	if dst.Is6() {
		src = netip.MustParseAddrPort("[2001:db8::1]:40000")
	}
	if s, err := netip.ParseAddrPort(req.Source); err == nil && s.Addr().Is6() == dst.Is6() {
		src = s
	}
	family := "TCP4"
	if dst.Is6() {
		family = "TCP6"
	}
	return fmt.Sprintf("PROXY %s %s %s %d %d\r\n", family, src.Addr(), dst, src.Port(), req.Port)
}

// askTCP sends bytes that are no HTTP and reads what comes back.
func askTCP(conn net.Conn, r *Result) {
	if _, err := conn.Write([]byte("\x01\x02raw bytes\n")); err != nil {
		r.Problem = err.Error()
		return
	}
	answer, err := io.ReadAll(conn)
	if err != nil {
		r.Problem = err.Error()
	}
	var seen Seen
	if json.Unmarshal(bytes.TrimSpace(answer), &seen) == nil {
		r.Seen = &seen
	} else if resp, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(answer)), nil); err == nil {
		r.Status = resp.StatusCode
	}
}

// askHTTP1 writes a request as it stands, so that nothing is normalised on the way.
func askHTTP1(conn net.Conn, req flow.Request, r *Result) {
	var b strings.Builder
	version := "HTTP/1.1"
	if req.Protocol == "http1.0" {
		version = "HTTP/1.0"
	}
	fmt.Fprintf(&b, "%s %s %s\r\n", first(req.Method, "GET"), first(req.Path, "/"), version)
	if req.Authority != "" {
		fmt.Fprintf(&b, "Host: %s\r\n", req.Authority)
	}
	for _, name := range names(req.Headers.Joined()) {
		fmt.Fprintf(&b, "%s: %s\r\n", name, req.Headers.Get(name))
	}
	if req.Headers.Get("connection") == "" {
		b.WriteString("connection: close\r\n")
	}
	b.WriteString("\r\n")
	if _, err := io.WriteString(conn, b.String()); err != nil {
		r.Problem = err.Error()
		return
	}
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, &http.Request{Method: first(req.Method, "GET")})
	for err == nil && resp.StatusCode == http.StatusContinue {
		resp, err = http.ReadResponse(reader, &http.Request{Method: first(req.Method, "GET")})
	}
	if err != nil {
		r.Problem = err.Error()
		return
	}
	defer resp.Body.Close()
	answered(resp, r)
}

// askHTTP2 sends a request on one HTTP/2 connection.
func askHTTP2(conn net.Conn, req flow.Request, r *Result) {
	var protocols http.Protocols
	protocols.SetUnencryptedHTTP2(true) // on the connection that there is, which may have its TLS already
	transport := &http.Transport{DisableCompression: true, Protocols: &protocols,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}
	client, err := transport.NewClientConn(context.Background(), "http", conn.RemoteAddr().String())
	if err != nil {
		r.Problem = err.Error()
		return
	}
	scheme := first(req.Scheme, "http")
	hr, err := http.NewRequest(first(req.Method, "GET"),
		scheme+"://"+first(req.Authority, "none")+first(req.Path, "/"), nil)
	if err != nil {
		r.Problem = err.Error()
		return
	}
	if strings.HasPrefix(req.Path, "/") {
		// as it is, with what net/url would leave out
		hr.URL.Opaque, hr.URL.RawQuery, hr.URL.ForceQuery = req.Path, "", false
	}
	hr.Host = req.Authority
	hr.Header["User-Agent"] = []string{""} // none, instead of Go's own
	for name, value := range req.Headers.Joined() {
		hr.Header.Set(name, value)
	}
	if req.Protocol == "grpc" && hr.Header.Get("content-type") == "" {
		hr.Header.Set("content-type", "application/grpc")
	}
	resp, err := client.RoundTrip(hr)
	if err != nil {
		r.Problem = err.Error()
		return
	}
	defer resp.Body.Close()
	answered(resp, r)
}

// answered keeps what the response says.
func answered(resp *http.Response, r *Result) {
	r.Status, r.Location = resp.StatusCode, resp.Header.Get("location")
	if text := resp.Header.Get(seenHeader); text != "" {
		var seen Seen
		if json.Unmarshal([]byte(text), &seen) == nil {
			r.Seen = &seen
		}
	}
}

func first(all ...string) string {
	for _, s := range all {
		if s != "" {
			return s
		}
	}
	return ""
}

func names(headers map[string]string) []string {
	all := make([]string, 0, len(headers))
	for n := range headers {
		all = append(all, n)
	}
	sort.Strings(all)
	return all
}
