// Package authority asks the real Envoy which way a request takes, so that inference can be held
// against it. It starts Envoy with the listeners, routes and clusters of a config dump; stub
// upstreams stand behind the clusters and say whose they are; a PROXY protocol header plays the
// part of netfilter, so any original destination can be tried on loopback. Only tests use it.
package authority

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/internal/wait"
)

// ErrNoEnvoy says that there is no Envoy to ask.
var ErrNoEnvoy = errors.New("no Envoy binary (set FLOWPROOF_ENVOY to one, or run `lab build`)")

// Find returns the path of an Envoy binary: $FLOWPROOF_ENVOY, or the newest one in the cache of
// the lab's components.
func Find() (string, error) {
	if path := os.Getenv("FLOWPROOF_ENVOY"); path != "" {
		return path, nil
	}
	dir := os.Getenv("FLOWPROOF_CACHE")
	if dir == "" {
		cache, err := os.UserCacheDir()
		if err != nil {
			return "", ErrNoEnvoy
		}
		dir = filepath.Join(cache, "flowproof")
	}
	found, err := filepath.Glob(filepath.Join(dir, "envoy-*", "content", "envoy"))
	if err != nil || len(found) == 0 {
		return "", ErrNoEnvoy
	}
	slices.SortFunc(found, func(a, b string) int { return modified(b).Compare(modified(a)) })
	return found[0], nil
}

func modified(path string) time.Time {
	info, err := os.Stat(path)
	if err != nil {
		return time.Time{}
	}
	return info.ModTime()
}

// An Envoy is a running Envoy with the configuration of a dump.
type Envoy struct {
	cmd     *exec.Cmd
	exited  chan error
	dir     string
	admin   string
	entries map[string]string // listener's name to the loopback address where it takes connections
	log     *accessLog
	stubs   *stubs
	keys    *keys
	stderr  *bytes.Buffer
	sent    atomic.Uint32 // connections made
}

// Options choose how the dump's configuration is changed to run on loopback.
type Options struct {
	KeepEndpoints bool // clusters keep their endpoints, which are loopback addresses, and their load balancing
	KeepTLS       bool // clusters keep their transport sockets; keys are replaced
	Bound         bool // listeners keep their addresses, of loopback, and requests say where they arrive
}

// Start runs Envoy in a directory of its own. Stop it with Close.
func Start(ctx context.Context, binary, dir string, dump *configdump.Dump, opts Options) (*Envoy, error) {
	keys, err := newKeys()
	if err != nil {
		return nil, err
	}
	e := &Envoy{dir: dir, entries: map[string]string{}, exited: make(chan error, 1), keys: keys,
		stderr: &bytes.Buffer{}}
	if e.stubs, err = newStubs(keys); err != nil {
		return nil, err
	}
	b := &bootstrap{dump: dump, opts: opts, stubs: e.stubs, keys: keys, log: filepath.Join(dir, "access.log")}
	config, err := b.build()
	if err != nil {
		e.stubs.close()
		return nil, err
	}
	if err := e.launch(ctx, binary, config); err != nil {
		return nil, errors.Join(err, e.Close())
	}
	e.log = &accessLog{path: b.log}
	return e, nil
}

// launch starts the process and waits until it is ready to take connections.
func (e *Envoy) launch(ctx context.Context, binary string, config []byte) error {
	path, address := filepath.Join(e.dir, "bootstrap.json"), filepath.Join(e.dir, "admin")
	if err := os.WriteFile(path, config, 0o600); err != nil {
		return err
	}
	e.cmd = exec.Command(binary, "-c", path, "--concurrency", "1", "--disable-hot-restart",
		"--admin-address-path", address, "--file-flush-interval-msec", "20", "--log-level", "error")
	e.cmd.Stderr = e.stderr
	if err := e.cmd.Start(); err != nil {
		e.cmd = nil
		return fmt.Errorf("start envoy: %w", err)
	}
	go func() { e.exited <- e.cmd.Wait() }()
	ctx, cancel := context.WithTimeoutCause(ctx, 60*time.Second, errors.New("not ready within a minute"))
	defer cancel()
	err := wait.Until(ctx, 10*time.Millisecond, func() (bool, error) {
		if e.ready(address) {
			return true, nil
		}
		select {
		case err := <-e.exited:
			e.exited <- err
			return false, fmt.Errorf("it ended: %v", err)
		default:
			return false, nil
		}
	})
	if err != nil {
		return fmt.Errorf("start envoy: %w\n%s", err, brief(e.stderr.String()))
	}
	return e.findEntries()
}

// brief keeps both ends of Envoy's complaint: between them stands the whole configuration.
func brief(s string) string {
	if len(s) <= 2500 {
		return s
	}
	return s[:1500] + "\n…\n" + s[len(s)-1000:]
}

func (e *Envoy) ready(addressFile string) bool {
	if e.admin == "" {
		text, err := os.ReadFile(addressFile)
		if err != nil || len(text) == 0 {
			return false
		}
		e.admin = "http://" + strings.TrimSpace(string(text))
	}
	text, err := e.get("/ready")
	return err == nil && strings.TrimSpace(string(text)) == "LIVE"
}

// get asks the admin interface.
func (e *Envoy) get(path string) ([]byte, error) {
	resp, err := http.Get(e.admin + path)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, resp.Status)
	}
	return text, err
}

// ConfigDump returns what this Envoy itself says of its configuration.
func (e *Envoy) ConfigDump() ([]byte, error) { return e.get("/config_dump?include_eds") }

// findEntries learns which ports the kernel gave to the entry listeners.
func (e *Envoy) findEntries() error {
	text, err := e.get("/listeners?format=json")
	if err != nil {
		return err
	}
	var listeners struct {
		Statuses []struct {
			Name    string `json:"name"`
			Address struct {
				Socket struct {
					Address string `json:"address"`
					Port    int    `json:"port_value"`
				} `json:"socket_address"`
			} `json:"local_address"`
		} `json:"listener_statuses"`
	}
	if err := json.Unmarshal(text, &listeners); err != nil {
		return fmt.Errorf("read listeners of envoy: %w", err)
	}
	for _, l := range listeners.Statuses {
		if name, ok := strings.CutPrefix(l.Name, entryPrefix); ok {
			e.entries[name] = fmt.Sprintf("127.0.0.1:%d", l.Address.Socket.Port)
		}
	}
	return nil
}

// Close ends Envoy and the stubs.
func (e *Envoy) Close() error {
	if e.stubs != nil {
		e.stubs.close()
	}
	if e.cmd == nil {
		return nil
	}
	if err := e.cmd.Process.Kill(); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	<-e.exited
	return nil
}
