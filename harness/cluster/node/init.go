package node

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// initConfig is what the guard tells the init, as the first line of its commands.
type initConfig struct {
	Lab      string `json:"lab"`
	RunDir   string `json:"runDir"`   // of this lab on the host; the init removes it when the guard is gone
	Server   string `json:"server"`   // URL of the forwarder, for the kubeconfig
	RootFS   string `json:"rootFS"`   // base of the root file system
	Bin      string `json:"bin"`      // the components
	Store    string `json:"store"`    // containerd's imported images
	Prepared string `json:"prepared"` // etcd's data to start from; "" for none
	Bake     bool   `json:"bake"`     // only etcd and the apiserver, to prepare such data
}

// A command is what the guard asks of a running init; the end of the commands is the end of the guard.
type command struct {
	Quiesce bool `json:"quiesce,omitempty"`
}

// File descriptors that the guard hands to the init.
const (
	eventsFD   = 3
	commandsFD = 4
	forwardFD  = 5
)

// runInit is the first process of the node's namespaces. It returns only when it could not start.
func runInit() error {
	if os.Getpid() != 1 {
		return errors.New("run the node's init: it is not the first process of a PID namespace (use lab up)")
	}
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, unix.SIGCHLD)
	signal.Ignore(unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGPIPE) // only the guard ends a node, with SIGKILL
	commands := bufio.NewReader(os.NewFile(commandsFD, "commands"))
	first, err := commands.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the node's configuration: %w", err)
	}
	var c initConfig
	if err := json.Unmarshal(first, &c); err != nil {
		return fmt.Errorf("read the node's configuration: %w", err)
	}
	reaper := newReaper()
	go reaper.run(signals)
	s := newSupervisor(c, reaper, os.NewFile(eventsFD, "events"))
	lastWill, err := openLastWill(c)
	if err != nil {
		return err
	}
	go func() {
		s.obey(commands)
		lastWill.execute(reaper)
		os.Exit(0)
	}()
	if err := s.boot(); err != nil {
		s.tell(event{Error: err.Error()})
	} else {
		s.tell(event{Error: (<-s.failed).Error()})
	}
	select {} // the guard has the last word: it ends this process when it has read the reason
}

// boot makes the node and starts its components.
func (s *supervisor) boot() error {
	if err := unix.Sethostname([]byte(nodeName)); err != nil {
		return fmt.Errorf("name the node: %w", err)
	}
	if err := enterRoot(s.config); err != nil {
		return err
	}
	if err := delegateCgroups(); err != nil {
		return err
	}
	if err := setUpNetwork(); err != nil {
		return err
	}
	if err := s.furnish(); err != nil {
		return err
	}
	s.tell(event{Stage: "node prepared"})
	go s.forward()
	return s.startAll(context.Background())
}

// furnish writes keys, configuration and data into the new root.
func (s *supervisor) furnish() error {
	for _, dir := range []string{confDir, pkiDir, logDir, etcdDir, containerdDir, containerdRun, "/run/lock", "/run/netns", "/tmp"} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := os.Chmod("/tmp", 0o777|os.ModeSticky); err != nil {
		return err
	}
	if err := os.WriteFile("/etc/hosts", []byte("127.0.0.1 localhost\n"+nodeIP+" "+nodeName+"\n"), 0o644); err != nil {
		return err
	}
	// Nothing outside can be asked; a resolver that nobody answers would be a wait.
	if err := os.WriteFile("/etc/resolv.conf", []byte("nameserver "+dnsIP+"\noptions timeout:1 attempts:1\n"), 0o644); err != nil {
		return err
	}
	if err := writeConf(confDir); err != nil {
		return err
	}
	if err := s.issueKubeconfigs(); err != nil {
		return err
	}
	if s.config.Bake {
		return nil
	}
	if s.config.Prepared != "" {
		if err := copyTree("/opt/lab/prepared", etcdDir); err != nil {
			return fmt.Errorf("copy the prepared etcd data: %w", err)
		}
	}
	return bindStore("/opt/lab/store", containerdDir)
}

// issueKubeconfigs makes the lab's keys, the components' kubeconfigs, and hands the administrator's to the guard.
func (s *supervisor) issueKubeconfigs() error {
	admin, ca, err := writePKI(pkiDir)
	if err != nil {
		return err
	}
	for _, name := range []string{"kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet"} {
		k := kubeconfig{context: name, server: "https://127.0.0.1:" + apiserverPort, ca: ca, files: pki(name)}
		data, err := k.encode()
		if err != nil {
			return err
		}
		if err := writeSecret(client(name), data); err != nil {
			return err
		}
	}
	data, err := kubeconfig{context: contextName(s.config.Lab), server: s.config.Server, ca: ca, pair: admin}.encode()
	if err != nil {
		return err
	}
	s.tell(event{Kubeconfig: data})
	return nil
}

// obey carries out the guard's commands until there is no guard.
func (s *supervisor) obey(commands *bufio.Reader) {
	for {
		line, err := commands.ReadBytes('\n')
		if err != nil {
			return
		}
		var c command
		if err := json.Unmarshal(line, &c); err != nil {
			s.tell(event{Error: fmt.Sprintf("read the guard's command: %v", err)})
			return
		}
		if c.Quiesce {
			if err := s.quiesce(context.Background()); err != nil {
				s.tell(event{Error: err.Error()})
				return
			}
			s.tell(event{Stage: "quiet"})
		}
	}
}

// forward serves the listening socket that the guard opened on the host's loopback: a socket belongs to the network
// namespace that it was made in, a dial to the one it is made from, so this one process reaches both.
func (s *supervisor) forward() {
	listener, err := net.FileListener(os.NewFile(forwardFD, "forward"))
	if err != nil {
		s.tell(event{Error: fmt.Sprintf("take over the forwarder's socket: %v", err)})
		return
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go splice(conn)
	}
}

// splice joins one connection of the host with the apiserver, both ways, until either ends.
func splice(outside net.Conn) {
	defer outside.Close()
	inside, err := net.Dial("tcp", "127.0.0.1:"+apiserverPort)
	if err != nil {
		return // the client sees the connection end, as it would without a forwarder
	}
	defer inside.Close()
	go func() {
		_, _ = io.Copy(inside, outside)
		_ = inside.(*net.TCPConn).CloseWrite()
	}()
	_, _ = io.Copy(outside, inside)
}

// A lastWill is what the init does when its guard is gone: it holds on to the host's directories that would be left.
type lastWill struct {
	cgroups []string // directories of the hierarchies, through descriptors that outlive the change of root
	lab     string
	runDir  string
}

// openLastWill takes hold of the host's directories while the init still sees them.
func openLastWill(c initConfig) (lastWill, error) {
	w := lastWill{lab: c.Lab}
	all, err := hierarchies()
	if err != nil {
		return w, err
	}
	hold := func(dir string) (string, error) {
		fd, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
		if err != nil {
			return "", fmt.Errorf("open %s: %w", dir, err)
		}
		return fmt.Sprintf("/proc/self/fd/%d", fd), nil
	}
	for _, h := range all {
		held, err := hold(h.mount)
		if err != nil {
			return w, err
		}
		w.cgroups = append(w.cgroups, held)
	}
	parent, err := hold(filepath.Dir(c.RunDir))
	if err != nil {
		return w, err
	}
	w.runDir = filepath.Join(parent, filepath.Base(c.RunDir))
	return w, nil
}

// execute ends every process of the node, removes its cgroups and its directory on the host.
func (w lastWill) execute(r *reaper) {
	_ = unix.Kill(-1, unix.SIGKILL)
	for { // only the init itself is left when there is nobody to wait for
		r.mu.Lock()
		var status syscall.WaitStatus
		_, err := syscall.Wait4(-1, &status, 0, nil)
		r.mu.Unlock()
		if errors.Is(err, syscall.ECHILD) {
			break
		}
	}
	var trees []string
	for _, root := range w.cgroups {
		_ = joinCgroup(root)
		trees = append(trees, filepath.Join(root, cgroupName(w.lab)))
	}
	ctx, cancel := context.WithTimeout(context.Background(), sweepDeadline)
	defer cancel()
	_ = sweepCgroups(ctx, trees)
	_ = os.RemoveAll(w.runDir)
}

// contextName is what a lab is called in its kubeconfig.
func contextName(lab string) string { return "flowproof-" + strings.TrimPrefix(lab, "flowproof-") }
