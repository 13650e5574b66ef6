//go:build linux

package node

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/flowproof/lab/internal/enclosure"
)

// startAll brings the node's own components up; what runs in pods comes from the API.
func (s *supervisor) startAll(ctx context.Context) error {
	if s.config.Bake {
		return s.startInOrder(ctx, etcd(), apiserver())
	}
	// containerd and the control plane do not need each other until the kubelet runs.
	done := make(chan error, 1)
	go func() { done <- s.startInOrder(ctx, containerd()) }()
	if err := s.startInOrder(ctx, etcd(), apiserver()); err != nil {
		return err
	}
	roots := make(chan error, 1)
	go func() { roots <- s.publishRoots(ctx) }() // the apiserver takes no object for a second
	if err := <-done; err != nil {
		return err
	}
	if err := s.startInOrder(ctx, kubelet(), scheduler(), kubeProxy()); err != nil {
		return err
	}
	// Of all components the controller manager alone ends when it may not read its
	// configuration yet.
	if err := s.Await(ctx, apiserver().inside(), s.awaitAuthorization); err != nil {
		return err
	}
	if err := s.startInOrder(ctx, controllerManager()); err != nil {
		return err
	}
	return <-roots
}

func (s *supervisor) startInOrder(ctx context.Context, programs ...program) error {
	for _, p := range programs {
		if err := s.start(p); err != nil {
			return err
		}
		if p.ready == nil {
			continue
		}
		if err := s.Await(ctx, p.inside(), func() error { return p.ready(s) }); err != nil {
			return err
		}
		s.Stage(p.name + " ready")
	}
	return nil
}

// start runs one component.
func (s *supervisor) start(p program) error { return s.Start(p.inside()) }

// inside is the program as it is started in the node.
func (p program) inside() enclosure.Program {
	env := append([]string{"PATH=" + binDir + ":/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root",
		"GOGC=" + p.gogc}, p.env...)
	return enclosure.Program{Name: p.name, Path: filepath.Join(binDir, p.name), Args: p.args, Env: env,
		Log: enclosure.LogPath(logDir, p.name), Withhold: true}
}

func (s *supervisor) awaitEtcd() error { return dialUnix(etcdSocket) }

func (s *supervisor) awaitContainerd() error {
	return dialUnix(filepath.Join(containerdRun, "containerd.sock"))
}

func dialUnix(path string) error {
	conn, err := net.DialTimeout("unix", path, time.Second)
	if err != nil {
		return err
	}
	return conn.Close()
}

// awaitAPIServer asks the apiserver for its version as a client with a certificate. /readyz would
// say no for another second: one of its hooks waits that long before it looks for objects, which
// prepared data have already.
func (s *supervisor) awaitAPIServer() error {
	path := "/version"
	if s.config.Prepared == "" {
		path = "/readyz"
	}
	return ask("supervisor", path)
}

// awaitAuthorization asks for what the controller manager reads first. The apiserver answers before
// it has read who may do what.
func (s *supervisor) awaitAuthorization() error {
	return ask("kube-controller-manager",
		"/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication")
}

// ask asks the apiserver for a path, as a client with the certificate of that name.
func ask(name, path string) error { return call(name, http.MethodGet, path, nil) }

// call sends a request to the apiserver, as a client with the certificate of that name. An object
// that is there already is no error: the request that made it may have been given up on.
func call(name, method, path string, body []byte) error {
	pair, err := tls.LoadX509KeyPair(pki(name+".crt"), pki(name+".key"))
	if err != nil {
		return err
	}
	ca, err := os.ReadFile(pki("ca.crt"))
	if err != nil {
		return err
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	transport := &http.Transport{TLSClientConfig: &tls.Config{Certificates: []tls.Certificate{pair}, RootCAs: pool}}
	defer transport.CloseIdleConnections()
	req, err := http.NewRequest(method, "https://127.0.0.1:"+apiserverPort+path, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: transport, Timeout: 2 * time.Second}).Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode/100 != 2 && resp.StatusCode != http.StatusConflict {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return fmt.Errorf("the apiserver answers %s: %s", resp.Status, text)
	}
	return nil
}
