//go:build linux && amd64

package testbed

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

// Dial connects from the testbed's thread: a socket belongs to the namespace of the
// thread that makes it.
func (t *Testbed) Dial(port uint16) (net.Conn, error) {
	return (&net.Dialer{Timeout: Timeout}).Dial("tcp4", fmt.Sprintf("127.0.0.1:%d", port))
}

// Request sends one request by HTTP/1.1 over a connection and returns its mark.
func (t *Testbed) Request(conn net.Conn, reader *bufio.Reader, headers ...[2]string) (string, error) {
	mark, request, err := t.marked(headers)
	if err != nil {
		return "", err
	}
	_ = conn.SetDeadline(time.Now().Add(Timeout))
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
func (t *Testbed) marked(headers [][2]string) (mark string, request *http.Request, err error) {
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

// Delayed is Request with a request that Envoy's fault filter keeps waiting: a timer goes on with
// it, when the thread has turned to other connections.
func (t *Testbed) Delayed(conn net.Conn, reader *bufio.Reader, headers ...[2]string) (string, error) {
	const delay, least = 10 * time.Millisecond, 5 * time.Millisecond // Envoy reckons from when its thread awoke
	began := time.Now()
	mark, err := t.Request(conn, reader,
		append(headers, [2]string{delayHeader, strconv.FormatInt(delay.Milliseconds(), 10)})...)
	if err == nil && time.Since(began) < least {
		return "", errors.New("send a request through Envoy: its fault filter did not wait")
	}
	return mark, err
}

// Arrival is how a request came to the upstream, by its mark.
func (t *Testbed) Arrival(mark string) Arrival {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.seen[mark]
}

// HTTP2 sends requests one after the other by HTTP/2 over one connection, by the kinds of route
// entries in turn. It returns the client's end and the marks.
func (t *Testbed) HTTP2(r Route, n int) (client netip.AddrPort, marks []string, err error) {
	conn, err := t.Dial(r.Port)
	if err != nil {
		return client, nil, err
	}
	defer conn.Close()
	by := overHTTP2(conn)
	defer by.CloseIdleConnections()
	for i := range n {
		mark, err := t.by(by, r.By(Entries[i%len(Entries)])...)
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
	same := func(context.Context, string, string) (net.Conn, error) { return conn, nil }
	return &http.Client{Transport: &http.Transport{Protocols: protocols, DialContext: same}}
}

// by sends one request by a client and returns its mark.
func (t *Testbed) by(client *http.Client, headers ...[2]string) (string, error) {
	mark, request, err := t.marked(headers)
	if err != nil {
		return "", err
	}
	response, err := client.Do(request)
	if err != nil {
		return "", err
	}
	return mark, whole(response)
}

// Once makes a connection, sends one request over it and closes it. It returns the client's end.
func (t *Testbed) Once(port uint16, headers ...[2]string) (netip.AddrPort, error) {
	conn, err := t.Dial(port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer conn.Close()
	_, err = t.Request(conn, bufio.NewReader(conn), headers...)
	return conn.LocalAddr().(*net.TCPAddr).AddrPort(), err
}

// Hello says a ClientHello with a server name; what comes back does not matter.
func (t *Testbed) Hello(port uint16, name string) (netip.AddrPort, error) {
	conn, err := t.Dial(port)
	if err != nil {
		return netip.AddrPort{}, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(Timeout))
	// it fails: the chain speaks clear text
	_ = tls.Client(conn, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake()
	return conn.LocalAddr().(*net.TCPAddr).AddrPort(), nil
}
