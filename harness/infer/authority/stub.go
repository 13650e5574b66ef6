package authority

import (
	"bufio"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
)

// Seen is what an upstream saw of the request that reached it.
type Seen struct {
	Cluster   string   `json:"cluster"`
	Local     string   `json:"local"` // address that the connection came to
	Method    string   `json:"method,omitempty"`
	Path      string   `json:"path,omitempty"`
	Host      string   `json:"host,omitempty"`
	Protocol  string   `json:"protocol,omitempty"` // HTTP/1.1 or HTTP/2.0; empty for bytes that are no HTTP
	TLS       bool     `json:"tls,omitempty"`
	SNI       string   `json:"sni,omitempty"`
	ALPN      []string `json:"alpn,omitempty"`
	Peer      bool     `json:"peer,omitempty"` // the client showed a certificate
	XFCC      string   `json:"xfcc,omitempty"`
	Forwarded string   `json:"forwarded,omitempty"` // x-forwarded-proto
	Expected  string   `json:"expected,omitempty"`  // x-envoy-expected-rq-timeout-ms
}

// seenHeader carries a Seen in an HTTP response.
const seenHeader = "x-stub-seen"

// stubs are the upstreams of all clusters: each cluster has a listening socket that
// says whose it is.
type stubs struct {
	keys *keys
	mu   sync.Mutex
	all  []net.Listener
	byID map[string]string // cluster, or address, to the address where its stub listens
}

func newStubs(k *keys) (*stubs, error) { return &stubs{keys: k, byID: map[string]string{}}, nil }

// cluster returns the address of the stub that stands behind a cluster.
func (s *stubs) cluster(name string) (string, error) { return s.listen(name, "127.0.0.1:0") }

// at starts a stub on a given loopback address, for clusters that keep their endpoints.
func (s *stubs) at(address string) (string, error) { return s.listen(address, address) }

func (s *stubs) listen(name, address string) (string, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if have, ok := s.byID[name]; ok {
		return have, nil
	}
	l, err := net.Listen("tcp", address)
	if err != nil {
		return "", fmt.Errorf("start stub of %s: %w", name, err)
	}
	s.all = append(s.all, l)
	s.byID[name] = l.Addr().String()
	go s.serve(name, l)
	return l.Addr().String(), nil
}

func (s *stubs) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, l := range s.all {
		l.Close()
	}
}

// serve accepts connections until the listener is closed.
func (s *stubs) serve(name string, l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go s.handle(name, conn)
	}
}

// handle looks at the first byte: TLS, HTTP, or anything else.
func (s *stubs) handle(name string, conn net.Conn) {
	seen := Seen{Cluster: name, Local: conn.LocalAddr().String()}
	conn, head, err := peek(conn)
	if err == nil && head == 0x16 {
		var inner net.Conn
		if inner, err = s.terminate(conn, &seen); err == nil {
			conn, head, err = peek(inner)
		}
	}
	switch {
	case err != nil:
		conn.Close()
	case head < 'A' || head > 'Z':
		text, _ := json.Marshal(seen)
		fmt.Fprintf(conn, "%s\n", text)
		conn.Close()
	default:
		serveOne(conn, seen)
	}
}

// peek returns the connection's first byte and a connection that still has it.
func peek(conn net.Conn) (net.Conn, byte, error) {
	r := bufio.NewReader(conn)
	head, err := r.Peek(1)
	if err != nil {
		return conn, 0, err
	}
	return &peeked{Conn: conn, r: r}, head[0], nil
}

// terminate ends TLS and notes what the ClientHello offered.
func (s *stubs) terminate(conn net.Conn, seen *Seen) (net.Conn, error) {
	seen.TLS = true
	server := tls.Server(conn, &tls.Config{
		Certificates: []tls.Certificate{s.keys.pair}, ClientAuth: tls.RequestClientCert,
		GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
			seen.SNI, seen.ALPN = h.ServerName, h.SupportedProtos
			c := &tls.Config{Certificates: []tls.Certificate{s.keys.pair}, ClientAuth: tls.RequestClientCert}
			for _, p := range []string{"h2", "http/1.1"} {
				for _, offered := range h.SupportedProtos {
					if p == offered {
						c.NextProtos = append(c.NextProtos, p)
					}
				}
			}
			if len(c.NextProtos) == 0 {
				c.NextProtos = h.SupportedProtos
			}
			return c, nil
		},
	})
	if err := server.Handshake(); err != nil {
		return nil, err
	}
	seen.Peer = len(server.ConnectionState().PeerCertificates) > 0
	return server, nil
}

// serveOne serves HTTP of either version on one connection.
func serveOne(conn net.Conn, seen Seen) {
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if serviceAnswers(w, r.URL.Path) {
			return
		}
		s := seen
		s.Method, s.Path, s.Host, s.Protocol = r.Method, r.RequestURI, r.Host, r.Proto
		s.XFCC, s.Forwarded = r.Header.Get("x-forwarded-client-cert"), r.Header.Get("x-forwarded-proto")
		s.Expected = r.Header.Get("x-envoy-expected-rq-timeout-ms")
		text, _ := json.Marshal(s)
		w.Header().Set(seenHeader, string(text))
		if strings.HasPrefix(r.Header.Get("content-type"), "application/grpc") {
			w.Header().Set("content-type", "application/grpc")
			w.Header().Set("grpc-status", "0")
		}
		w.WriteHeader(http.StatusOK)
	})
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetUnencryptedHTTP2(true)
	server := &http.Server{Handler: handler, Protocols: &protocols}
	_ = server.Serve(&single{conn: conn}) // ends with net.ErrClosed once the connection is taken
}

// servicePath begins the path of a request to a stub that plays a service: /stub/STATUS, or
// /stub/STATUS/HEADER/VALUE.
const servicePath = "/stub/"

// serviceAnswers answers as the path says, for an authorization service.
func serviceAnswers(w http.ResponseWriter, path string) bool {
	rest, ok := strings.CutPrefix(path, servicePath)
	if !ok {
		return false
	}
	parts := strings.SplitN(rest, "/", 3)
	if len(parts) > 2 && (strings.HasPrefix(parts[1], "x-") || parts[1] == "location") {
		w.Header().Set(parts[1], parts[2])
	}
	status, err := strconv.Atoi(parts[0])
	if err != nil {
		status = http.StatusBadRequest
	}
	w.WriteHeader(status)
	return true
}

// peeked is a connection whose first bytes were looked at.
type peeked struct {
	net.Conn
	r *bufio.Reader
}

func (p *peeked) Read(b []byte) (int, error) { return p.r.Read(b) }

// single is a listener that gives one connection and then waits for it to be closed.
type single struct {
	conn net.Conn
	once sync.Once
}

func (s *single) Accept() (net.Conn, error) {
	var c net.Conn
	s.once.Do(func() { c = s.conn })
	if c != nil {
		return c, nil
	}
	return nil, net.ErrClosed
}

func (s *single) Close() error   { return nil }
func (s *single) Addr() net.Addr { return s.conn.LocalAddr() }
