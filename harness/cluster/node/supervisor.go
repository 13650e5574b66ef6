package node

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// An event is what the init tells the guard, one JSON object a line.
type event struct {
	Stage      string `json:"stage,omitempty"`      // a stage that was reached
	Error      string `json:"error,omitempty"`      // why the lab cannot go on
	Kubeconfig []byte `json:"kubeconfig,omitempty"` // of the lab's administrator
	Component  string `json:"component,omitempty"`  // a component that was started
	PID        int    `json:"pid,omitempty"`        // its process id inside the node
}

// A supervisor is the init's work: it starts the components in order and watches them.
type supervisor struct {
	config  initConfig
	reaper  *reaper
	events  *json.Encoder
	mu      sync.Mutex // of events and running
	failed  chan error // the first component that ended
	running map[string]int
	quiet   bool // the end of a component is wanted
}

func newSupervisor(c initConfig, r *reaper, events io.Writer) *supervisor {
	return &supervisor{config: c, reaper: r, events: json.NewEncoder(events), failed: make(chan error, 1), running: map[string]int{}}
}

func (s *supervisor) tell(e event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.events.Encode(e) // a guard that is gone is noticed elsewhere
}

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
	if err := <-done; err != nil {
		return err
	}
	return s.startInOrder(ctx, kubelet(), controllerManager(), scheduler(), kubeProxy())
}

func (s *supervisor) startInOrder(ctx context.Context, programs ...program) error {
	for _, p := range programs {
		if err := s.start(p); err != nil {
			return err
		}
		if p.ready == nil {
			continue
		}
		if err := s.await(ctx, p); err != nil {
			return err
		}
		s.tell(event{Stage: p.name + " ready"})
	}
	return nil
}

// start runs one component with its output in a log file, and reports its end, whenever that is.
func (s *supervisor) start(p program) error {
	logFile, err := os.OpenFile(filepath.Join(logDir, p.name+".log"), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open the log of %s: %w", p.name, err)
	}
	defer logFile.Close()
	null, err := os.Open(os.DevNull)
	if err != nil {
		return err
	}
	defer null.Close()
	env := append([]string{"PATH=" + binDir + ":/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/root", "GOGC=" + p.gogc}, p.env...)
	path := filepath.Join(binDir, p.name)
	pid, exit, err := s.reaper.start(path, append([]string{path}, p.args...), &os.ProcAttr{
		Dir: "/", Env: env, Files: []*os.File{null, logFile, logFile}, Sys: &syscall.SysProcAttr{Setsid: true}})
	if err != nil {
		return err
	}
	s.mu.Lock()
	s.running[p.name] = pid
	s.mu.Unlock()
	s.tell(event{Component: p.name, PID: pid})
	go s.watch(p.name, exit)
	return nil
}

func (s *supervisor) watch(name string, exit <-chan syscall.WaitStatus) {
	status := <-exit
	s.mu.Lock()
	delete(s.running, name)
	wanted := s.quiet
	s.mu.Unlock()
	if wanted {
		return
	}
	err := fmt.Errorf("%s ended: %s\n%s", name, describeExit(status), logTail(filepath.Join(logDir, name+".log"), 12))
	select {
	case s.failed <- err:
	default: // one reason is enough
	}
}

func describeExit(status syscall.WaitStatus) string {
	if status.Signaled() {
		return fmt.Sprintf("killed by signal %d (%s)", status.Signal(), status.Signal())
	}
	return fmt.Sprintf("exit status %d", status.ExitStatus())
}

// await waits for a component to be ready, or for the first component to end.
func (s *supervisor) await(ctx context.Context, p program) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	for {
		err := p.ready(s)
		if err == nil {
			return nil
		}
		select {
		case failed := <-s.failed:
			return failed
		case <-ctx.Done():
			return fmt.Errorf("wait for %s to be ready: %w\n%s", p.name, err, logTail(filepath.Join(logDir, p.name+".log"), 12))
		case <-time.After(20 * time.Millisecond): // neither etcd nor the apiserver announces that it is ready
		}
	}
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

// awaitAPIServer asks the apiserver for its version as a client with a certificate. /readyz would say no for another
// second: one of its hooks waits that long before it looks for objects, which prepared data have already.
func (s *supervisor) awaitAPIServer() error {
	pair, err := tls.LoadX509KeyPair(pki("supervisor.crt"), pki("supervisor.key"))
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
	path := "/version"
	if s.config.Prepared == "" {
		path = "/readyz"
	}
	resp, err := (&http.Client{Transport: transport, Timeout: 2 * time.Second}).Get("https://127.0.0.1:" + apiserverPort + path)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096))
		return fmt.Errorf("the apiserver answers %s: %s", resp.Status, body)
	}
	return nil
}

// quiesce ends the control plane in order so that etcd's data are whole on their file system; used to prepare data.
func (s *supervisor) quiesce(ctx context.Context) error {
	s.mu.Lock()
	s.quiet = true
	s.mu.Unlock()
	for _, name := range []string{"kube-apiserver", "etcd"} {
		s.mu.Lock()
		pid := s.running[name]
		s.mu.Unlock()
		if pid == 0 {
			return fmt.Errorf("stop %s: it does not run", name)
		}
		if err := unix.Kill(pid, unix.SIGTERM); err != nil {
			return fmt.Errorf("stop %s: %w", name, err)
		}
		if err := s.awaitEnd(ctx, name); err != nil {
			return err
		}
	}
	return nil
}

func (s *supervisor) awaitEnd(ctx context.Context, name string) error {
	for {
		s.mu.Lock()
		_, runs := s.running[name]
		s.mu.Unlock()
		if !runs {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for %s to stop: %w", name, ctx.Err())
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// logTail returns the last lines of a log, for an error message.
func logTail(path string, lines int) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	const most = 8 << 10
	if info, err := f.Stat(); err == nil && info.Size() > most {
		_, _ = f.Seek(-most, io.SeekEnd)
	}
	data, err := io.ReadAll(f)
	if err != nil && !errors.Is(err, io.EOF) {
		return ""
	}
	return lastLines(string(data), lines)
}
