//go:build linux && amd64

package trace

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"time"
)

// dial connects from the bench's thread: a socket belongs to the namespace of the thread that makes it.
func (b *bench) dial(port uint16) (net.Conn, error) {
	return (&net.Dialer{Timeout: benchTimeout}).Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
}

// request sends one request by HTTP/1.1 over a connection and returns its mark.
func (b *bench) request(conn net.Conn, reader *bufio.Reader, headers ...[2]string) (string, error) {
	mark, request, err := b.marked(headers)
	if err != nil {
		return "", err
	}
	_ = conn.SetDeadline(time.Now().Add(benchTimeout))
	if err := request.Write(conn); err != nil {
		return "", err
	}
	response, err := http.ReadResponse(reader, request)
	if err != nil {
		return "", err
	}
	return mark, whole(response)
}

// marked makes a request with a mark of its own, whose client claims to be another.
func (b *bench) marked(headers [][2]string) (mark string, request *http.Request, err error) {
	mark = rand.Text()
	if request, err = http.NewRequest(http.MethodGet, "http://proof.invalid/", nil); err != nil {
		return "", nil, err
	}
	for _, h := range append(headers, [2]string{proofHeader, mark}, [2]string{claimedHeader, claimed}) {
		request.Header.Set(h[0], h[1])
	}
	return mark, request, nil
}

// whole reads an answer to its end.
func whole(response *http.Response) error {
	_, err := io.Copy(io.Discard, response.Body)
	if err := errors.Join(err, response.Body.Close()); err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("send a request through Envoy: status %d", response.StatusCode)
	}
	return nil
}

// delayed is request with a request that Envoy's fault filter keeps waiting: a timer goes on with it, when the thread has turned to other
// connections.
func (b *bench) delayed(conn net.Conn, reader *bufio.Reader, headers ...[2]string) (string, error) {
	const delay, least = 10 * time.Millisecond, 5 * time.Millisecond // Envoy reckons from when its thread awoke
	began := time.Now()
	mark, err := b.request(conn, reader, append(headers, [2]string{delayHeader, strconv.FormatInt(delay.Milliseconds(), 10)})...)
	if err == nil && time.Since(began) < least {
		return "", errors.New("send a request through Envoy: its fault filter did not wait")
	}
	return mark, err
}

// arrival is how a request came to the upstream, by its mark.
func (b *bench) arrival(mark string) arrival {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.seen[mark]
}

// http2 sends requests one after the other by HTTP/2 over one connection. It returns the client's end and the marks.
func (b *bench) http2(port uint16, n int) (client netip.AddrPort, marks []string, err error) {
	conn, err := b.dial(port)
	if err != nil {
		return client, nil, err
	}
	defer conn.Close()
	by := overHTTP2(conn)
	defer by.CloseIdleConnections()
	for range n {
		mark, err := b.by(by)
		if err != nil {
			return client, nil, err
		}
		marks = append(marks, mark)
	}
	return conn.LocalAddr().(*net.TCPAddr).AddrPort(), marks, nil
}

// overHTTP2 is a client that speaks HTTP/2 over a connection.
func overHTTP2(conn net.Conn) *http.Client {
	protocols := new(http.Protocols)
	protocols.SetUnencryptedHTTP2(true)
	return &http.Client{Transport: &http.Transport{Protocols: protocols, DialContext: func(context.Context, string, string) (net.Conn, error) { return conn, nil }}}
}

// by sends one request by a client and returns its mark.
func (b *bench) by(client *http.Client, headers ...[2]string) (string, error) {
	mark, request, err := b.marked(headers)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	return mark, whole(response)
}

// once makes a connection, sends one request over it and closes it. It returns the client's end.
func (b *bench) once(port uint16) (netip.AddrPort, error) {
	conn, err := b.dial(port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer conn.Close()
	_, err = b.request(conn, bufio.NewReader(conn))
	return conn.LocalAddr().(*net.TCPAddr).AddrPort(), err
}

// hello says a ClientHello with a server name; what comes back does not matter.
func (b *bench) hello(port uint16, name string) (netip.AddrPort, error) {
	conn, err := b.dial(port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(benchTimeout))
	_ = tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake() // it fails: the chain speaks clear text
	return conn.LocalAddr().(*net.TCPAddr).AddrPort(), nil
}
