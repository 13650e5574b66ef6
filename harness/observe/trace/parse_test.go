package trace

import (
	"bytes"
	"crypto/tls"
	"net"
	"reflect"
	"strings"
	"testing"

	"github.com/flowproof/lab/internal/redact"
)

// clientHello is what crypto/tls sends first for a configuration.
func clientHello(t testing.TB, config *tls.Config) []byte {
	t.Helper()
	client, server := net.Pipe()
	defer server.Close()
	go func() {
		_ = tls.Client(client, config).Handshake()
		_ = client.Close()
	}()
	buffer := make([]byte, 8192)
	n, err := server.Read(buffer)
	if err != nil {
		t.Fatal(err)
	}
	return buffer[:n]
}

func TestParseHello(t *testing.T) {
	whole := clientHello(t, &tls.Config{ServerName: "outbound_.8080_._.fortio-server.mark.svc.cluster.local",
		NextProtos: []string{"istio", "h2"}, MinVersion: tls.VersionTLS12, InsecureSkipVerify: true})
	want := Hello{ServerName: "outbound_.8080_._.fortio-server.mark.svc.cluster.local", ALPN: []string{"istio", "h2"},
		Versions: []string{"TLSv1.3", "TLSv1.2"}}
	serverHello := []byte{22, 3, 3, 0, 86, 2, 0, 0, 82, 3, 3}
	serverHello = append(serverHello, make([]byte, 32)...)
	serverHello = append(serverHello, 32)
	serverHello = append(serverHello, make([]byte, 32)...)
	serverHello = append(serverHello, 0x13, 0x01, 0, 0, 10, 0, 43, 0, 2, 3, 4, 0, 41, 0, 0)
	tests := []struct {
		name string
		b    []byte
		want Hello
		ok   bool
	}{
		{"ClientHello", whole, want, true},
		{"ClientHello and the next record", append(bytes.Clone(whole), 20, 3, 3, 0, 1, 1), want, true},
		{"ServerHello of a resumed session", serverHello, Hello{Server: true, Versions: []string{"TLSv1.3"},
			Cipher: 0x1301, Resumption: true}, true},
		{"clear text", []byte("GET / HTTP/1.1\r\n\r\n"), Hello{}, false},
		{"another record", []byte{23, 3, 3, 0, 1, 1, 0, 0, 0, 0}, Hello{}, false},
		{"empty", nil, Hello{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := ParseHello(tt.b)
			if ok != tt.ok || ok && !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v; want %+v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
	for n := range whole {
		if h, ok := ParseHello(whole[:n]); ok && !h.Partial {
			t.Fatalf("the first %d of %d bytes pass for a whole message", n, len(whole))
		}
	}
}

func TestParseHTTP(t *testing.T) {
	tests := []struct {
		name, text string
		want       HTTP
		ok         bool
	}{
		{"request", "GET /a?token=secret HTTP/1.1\r\nHost: fortio-server:8080\r\nX-Request-Id: 1-2\r\ncookie: " +
			"c=1\r\n\r\nbody: x-request-id: 3",
			HTTP{Line: "GET /a?token=«redacted 6 B» HTTP/1.1", RequestID: "1-2", Host: "fortio-server:8080",
				Codec:   "http1",
				Headers: []string{"x-request-id: 1-2", "cookie: " + redact.Header("cookie", "c=1")}}, true},
		{"no header", "GET / HTTP/1.1\r\n\r\nx-request-id: 3\r\n\r\n",
			HTTP{Line: "GET / HTTP/1.1", Codec: "http1"}, true},
		{"identity of the nearest client",
			"GET / HTTP/1.1\r\nx-forwarded-client-cert: " +
				"By=a;URI=spiffe://far,By=b;Hash=1;Subject=\"\";URI=spiffe://near\r\n",
			HTTP{Line: "GET / HTTP/1.1", ClientURI: "spiffe://near", Codec: "http1"}, true},
		{"response", "HTTP/1.1 503 Service Unavailable\r\n\r\n", HTTP{Line: "HTTP/1.1 503 Service Unavailable",
			Status: 503, Codec: "http1"}, true},
		{"http2", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", HTTP{Line: "PRI * HTTP/2.0", Codec: "http2"}, true},
		{"cut in a header", "GET / HTTP/1.1\r\nx-request-id: 12", HTTP{Line: "GET / HTTP/1.1", RequestID: "12",
			Codec: "http1"}, true},
		{"body", "{\"a\": \"GET / HTTP/1.1\"}\r\n", HTTP{}, false},
		{"no status", "HTTP/1.1 abc\r\n\r\n", HTTP{}, false},
		{"cut in the line", "GET / HT", HTTP{}, false},
		{"empty", "", HTTP{}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := ParseHTTP([]byte(tt.text))
			if ok != tt.ok || ok && !reflect.DeepEqual(got, tt.want) {
				t.Errorf("got %+v, %v; want %+v, %v", got, ok, tt.want, tt.ok)
			}
		})
	}
}

func FuzzParseHello(f *testing.F) {
	f.Add(clientHello(f, &tls.Config{ServerName: "a", NextProtos: []string{"h2"}, InsecureSkipVerify: true}))
	f.Add([]byte{22, 3, 1, 0, 5, 1, 0, 0, 1, 3, 3})
	f.Add([]byte("\x16\x030\x00\x00\x02000")) // a record that is shorter than its message's head
	f.Fuzz(func(t *testing.T, b []byte) {
		h, ok := ParseHello(b)
		if total := len(h.ServerName) + len(strings.Join(h.ALPN, "")); ok && total > len(b) {
			t.Errorf("%d bytes of names from %d bytes", total, len(b))
		}
	})
}

func FuzzParseHTTP(f *testing.F) {
	f.Add([]byte("GET / HTTP/1.1\r\nx-request-id: 1\r\nauthorization: Bearer abcdefghij\r\n\r\n"))
	f.Add([]byte("HTTP/1.1 200 OK\r\n\r\n"))
	f.Fuzz(func(t *testing.T, b []byte) {
		if h, ok := ParseHTTP(b); ok && (h.Codec == "" || len(h.Line) > maxLine) {
			t.Errorf("kept %+v", h)
		}
	})
}
