package explain_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/flowproof/lab/harness/explain/logformat"
)

// request sends what provokes.
func (p provocation) request(t *testing.T, address string) {
	t.Helper()
	send, times := p.send, 1
	switch send {
	case "":
		send = "GET / HTTP/1.1\r\nhost: a\r\n\r\n"
	case "twice":
		send, times = "GET / HTTP/1.1\r\nhost: a\r\n\r\n", 2
	}
	for range times {
		conn, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = conn.Close() })
		_ = conn.SetDeadline(time.Now().Add(time.Minute))
		if _, err := io.WriteString(conn, send); err != nil {
			t.Fatal(err)
		}
		if p.hangUp {
			_ = conn.Close()
			return
		}
		if _, err := conn.Read(make([]byte, 1)); err != nil && p.name != "no_chain" && p.flags != "DPE" {
			t.Logf("no answer: %v", err)
		}
	}
}

// provoke starts Envoy with a listener for each provocation and returns their addresses.
func provoke(t *testing.T, binary, dir string) map[string]string {
	t.Helper()
	var b strings.Builder
	b.WriteString(
		"layered_runtime: {layers: [{name: l, static_layer: {upstream.maintenance_mode.maintained: 100}}]}\n" +
			"admin: {address: {socket_address: {address: 127.0.0.1, port_value: 0}}}\nstatic_resources:\n  " +
			"listeners:\n",
	)
	for _, p := range provocations {
		b.WriteString(p.listener(dir))
	}
	b.WriteString("  clusters:\n")
	for name, c := range upstreams(t) {
		fmt.Fprintf(&b, "  - {name: %s, type: STATIC, connect_timeout: 5s, %s}\n", name, c)
	}
	config := filepath.Join(dir, "envoy.yaml")
	if err := os.WriteFile(config, []byte(b.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	admin := filepath.Join(dir, "admin")
	cmd := exec.Command(
		binary,
		"-c",
		config,
		"--concurrency",
		"1",
		"--disable-hot-restart",
		"--admin-address-path",
		admin,
		"--file-flush-interval-msec",
		"20",
		"--log-level",
		"error",
	)
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	exited := make(chan error, 1)
	go func() { exited <- cmd.Wait() }()
	t.Cleanup(func() { _ = cmd.Process.Kill(); <-exited })
	return listeners(t, admin, exited, &said)
}

// listeners waits until Envoy is ready and asks it where it listens.
func listeners(t *testing.T, admin string, exited chan error, said *bytes.Buffer) map[string]string {
	t.Helper()
	deadline := time.Now().Add(time.Minute)
	for time.Now().Before(deadline) {
		select {
		case err := <-exited:
			exited <- err
			t.Fatalf("Envoy ended: %v\n%.3000s", err, said)
		case <-time.After(20 * time.Millisecond):
		}
		address, err := os.ReadFile(admin)
		if err != nil || len(address) == 0 {
			continue
		}
		ready, err := http.Get("http://" + string(address) + "/ready")
		if err != nil {
			continue
		}
		_ = ready.Body.Close()
		if ready.StatusCode != http.StatusOK {
			continue
		}
		answer, err := http.Get("http://" + string(address) + "/listeners?format=json")
		if err != nil {
			t.Fatal(err)
		}
		defer answer.Body.Close()
		var list struct {
			Statuses []struct {
				Name    string `json:"name"`
				Address struct {
					Socket struct {
						Port int `json:"port_value"`
					} `json:"socket_address"`
				} `json:"local_address"`
			} `json:"listener_statuses"`
		}
		if err := json.NewDecoder(answer.Body).Decode(&list); err != nil {
			t.Fatal(err)
		}
		all := map[string]string{}
		for _, l := range list.Statuses {
			all[l.Name] = fmt.Sprintf("127.0.0.1:%d", l.Address.Socket.Port)
		}
		return all
	}
	t.Fatalf("Envoy is not ready: %.3000s", said)
	return nil
}

func (p provocation) listener(dir string) string {
	log := func(kind, text string) string {
		return fmt.Sprintf(
			`{name: %s,
 typed_config: {"@type": type.googleapis.com/envoy.extensions.access_loggers.file.v3.FileAccessLog,
      path: %s, log_format: {text_format_source: {inline_string: %q}}}}`,
			kind,
			filepath.Join(dir, p.name+"."+kind),
			text+"\n",
		)
	}
	logs := "access_log: [" + log("log", logformat.IstioText) + ", " + log("long", "%RESPONSE_FLAGS_LONG%") + "],"
	ofListener, ofRequests := "", logs
	if p.name == "no_chain" {
		ofListener, ofRequests = strings.TrimSuffix(logs, ","), ""
	}
	domain, router := "'*'", `{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}`
	if p.domain != "" {
		domain = p.domain
	}
	hcm := p.hcm
	if hcm == "strict" {
		hcm = "use_remote_address: true, internal_address_config: {cidr_ranges: [{address_prefix: 127.0.0.0, " +
			"prefix_len: 8}]},"
		router = `{"@type": type.googleapis.com/envoy.extensions.filters.http.router.v3.Router, ` +
			`strict_check_headers: [x-envoy-max-retries]}`
	}
	return fmt.Sprintf(`  - name: %s
    address: {socket_address: {address: 127.0.0.1, port_value: 0}}
    %s
    filter_chains:
    - {%s filters: [{name: hcm, typed_config: {
        "@type": type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager,
        stat_prefix: p, %s %s
        route_config: {validate_clusters: false, virtual_hosts: [{name: v, domains: [%s], routes: [%s]}]},
        http_filters: [%s {name: router, typed_config: %s}]}}]}
`, p.name, ofListener, p.chain, hcm, ofRequests, domain, p.routes, p.filters, router)
}

// upstreams are the clusters behind the routes: what each does with a connection is in its name.
func upstreams(t *testing.T) map[string]string {
	t.Helper()
	at := func(cluster, address, more string) string {
		host, port, _ := net.SplitHostPort(address)
		return fmt.Sprintf(`load_assignment: {cluster_name: %s, %s endpoints: [{lb_endpoints: [{endpoint: {address:
    {socket_address: {address: %s, port_value: %s}}}}]}]}`, cluster, more, host, port)
	}
	drop := func(numerator int) string {
		return fmt.Sprintf(
			"policy: {drop_overloads: [{category: c, drop_percentage: {numerator: %d, denominator: MILLION}}]},",
			numerator,
		)
	}
	good := stub(t, func(c net.Conn) { _, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n") })
	silent := stub(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	closes := stub(t, func(net.Conn) {})
	babbles := stub(t, func(c net.Conn) { _, _ = io.WriteString(c, "220 mail.example ESMTP\r\n\r\n") })
	refuses := refusing(t)
	return map[string]string{
		"good": at("good", good, ""), "silent": at("silent", silent, ""), "closes": at("closes", closes, ""),
		"babbles": at(
			"babbles",
			babbles,
			"",
		), "refuses": at("refuses", refuses, ""), "empty": "load_assignment: {cluster_name: empty}",
		"refuses_grpc": at(
			"refuses_grpc",
			refuses,
			"",
		) + `, typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions,
      explicit_http_config: {http2_protocol_options: {}}}}`,
		"tls": at("tls", babbles, "") + `, transport_socket: {name: tls, typed_config:
    {"@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext}}`,
		"full": at(
			"full",
			good,
			"",
		) + ", circuit_breakers: {thresholds: [{max_pending_requests: 0, max_connections: 0}]}",
		"shortlived": at(
			"shortlived",
			silent,
			"",
		) + `, typed_extension_protocol_options: {envoy.extensions.upstreams.http.v3.HttpProtocolOptions:
    {"@type": type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions,
      explicit_http_config: {http_protocol_options: {}},
    common_http_protocol_options: {max_stream_duration: 0.2s}}}`,
		"drops": at("drops", good, drop(1_000_000)), "drops_most": at("drops_most", good, drop(999_999)),
		"maintained": at("maintained", good, ""),
	}
}

// stub listens and does something with each connection after its first bytes.
func stub(t *testing.T, do func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				if _, err := c.Read(make([]byte, 4096)); err == nil {
					do(c)
				}
			}()
		}
	}()
	return l.Addr().String()
}

// refusing is an address at which connections are refused: its port is bound, and not listened on.
func refusing(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	return l.Addr().String()
}
