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
	"os/exec"
	"os/signal"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/harness/cluster"
)

// sweepDeadline is how long the end of a node may take.
const sweepDeadline = 20 * time.Second

// A lease is one line of what the caller tells the guard on its standard input. The first says what to start. The
// lab ends with the caller, unless the caller has committed it.
type lease struct {
	Config  *initConfig      `json:"config,omitempty"`
	Quiesce bool             `json:"quiesce,omitempty"`
	Commit  bool             `json:"commit,omitempty"`
	Timings []cluster.Timing `json:"timings,omitempty"`
}

// A guard owns one lab on the host's side.
type guard struct {
	config   initConfig
	board    *board // what the control socket tells
	commands *os.File
	init     *exec.Cmd
	ended    chan struct{} // closed when the init has ended
	stop     chan string   // why the lab shall end
	once     sync.Once
}

// runGuard starts a lab and stays until it has ended and nothing of it is left.
func runGuard(stdin io.Reader) error {
	lines := bufio.NewReader(stdin)
	first, err := readLease(lines)
	if err != nil {
		return err
	}
	if first.Config == nil {
		return errors.New("start the guard: the first line has no configuration (use lab up)")
	}
	g := &guard{config: *first.Config, board: newBoard(), ended: make(chan struct{}), stop: make(chan string, 1)}
	control, err := listenControl(g.config.Lab)
	if err != nil {
		return err
	}
	defer control.Close()
	signal.Ignore(unix.SIGHUP, unix.SIGPIPE)
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGTERM, unix.SIGINT)
	defer cancel()
	go g.serveControl(control)
	if err := g.start(); err != nil {
		g.board.fail(err.Error())
		return errors.Join(err, g.tearDown())
	}
	go g.holdLease(lines)
	select {
	case <-ctx.Done():
		g.board.fail("the guard was told to end")
	case reason := <-g.stop:
		g.board.fail(reason)
	case <-g.ended:
		g.board.fail("the node's init ended: " + g.init.ProcessState.String())
	}
	return g.tearDown()
}

func readLease(lines *bufio.Reader) (lease, error) {
	var l lease
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return l, fmt.Errorf("read the caller's words: %w", err)
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return l, fmt.Errorf("read the caller's words: %w", err)
	}
	return l, nil
}

// start makes the namespaces with the init in them.
func (g *guard) start() error {
	if err := os.MkdirAll(g.config.RunDir, 0o700); err != nil {
		return fmt.Errorf("make the lab's directory: %w", err)
	}
	forwarder, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("open the forwarder: %w", err)
	}
	defer forwarder.Close() // the init holds its own descriptor
	forwarderFile, err := forwarder.(*net.TCPListener).File()
	if err != nil {
		return err
	}
	defer forwarderFile.Close()
	g.config.Server = "https://" + forwarder.Addr().String()
	if err := enterCgroups(g.config.Lab); err != nil {
		return err
	}
	events, eventsWrite, err := os.Pipe()
	if err != nil {
		return err
	}
	commandsRead, commands, err := os.Pipe()
	if err != nil {
		return err
	}
	g.commands = commands
	if err := g.cloneInit(eventsWrite, commandsRead, forwarderFile); err != nil {
		return err
	}
	_, _ = eventsWrite.Close(), commandsRead.Close()
	go g.follow(events)
	if err := stepAside(g.config.Lab); err != nil {
		return err
	}
	return json.NewEncoder(commands).Encode(g.config)
}

// cloneInit starts this program again as the first process of new namespaces. The cgroup namespace's root is the
// cgroup that the guard is in at this moment: the lab's own.
func (g *guard) cloneInit(files ...*os.File) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	g.init = exec.Command(self, "__node", "init")
	g.init.ExtraFiles = files
	g.init.Stderr = os.Stderr
	g.init.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS |
		unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP}
	if err := g.init.Start(); err != nil {
		return fmt.Errorf("make the node's namespaces: %w (root with CAP_SYS_ADMIN is needed)", err)
	}
	g.board.set(func(s *state) { s.InitPID = g.init.Process.Pid })
	go func() {
		_ = g.init.Wait()
		close(g.ended)
	}()
	return nil
}

// follow reads the init's events until it ends.
func (g *guard) follow(events io.Reader) {
	decoder := json.NewDecoder(events)
	for {
		var e event
		if err := decoder.Decode(&e); err != nil {
			return
		}
		switch {
		case e.Error != "":
			g.end(e.Error)
		case e.Kubeconfig != nil:
			g.keepKubeconfig(e.Kubeconfig)
		case e.Component != "":
			g.board.set(func(s *state) { s.Components = append(s.Components, component{e.Component, e.PID}) })
		case e.Stage != "":
			g.board.set(func(s *state) { s.Stages = append(s.Stages, e.Stage) })
		}
	}
}

func (g *guard) keepKubeconfig(data []byte) {
	path := filepath.Join(g.config.RunDir, "kubeconfig")
	if err := writeSecret(path, data); err != nil {
		g.end(fmt.Sprintf("write the kubeconfig: %v", err))
		return
	}
	g.board.set(func(s *state) { s.Kubeconfig = path })
}

// end asks for the lab's end; the first reason counts.
func (g *guard) end(reason string) {
	select {
	case g.stop <- reason:
	default:
	}
}

// holdLease listens to the caller. Without a commit the end of the caller is the end of the lab.
func (g *guard) holdLease(lines *bufio.Reader) {
	committed := false
	for {
		l, err := readLease(lines)
		if err != nil {
			if !committed {
				g.end("lab up ended before the lab was ready")
			}
			return
		}
		switch {
		case l.Quiesce:
			_ = json.NewEncoder(g.commands).Encode(command{Quiesce: true})
		case l.Commit:
			committed = true
			g.board.set(func(s *state) { s.State, s.Timings = cluster.Running, l.Timings })
		}
	}
}

// tearDown ends the init and with it everything in its namespaces, then removes what the kernel keeps.
func (g *guard) tearDown() error {
	if g.init != nil && g.init.Process != nil {
		_ = g.init.Process.Kill()
		<-g.ended
	}
	ctx, cancel := context.WithTimeout(context.Background(), sweepDeadline)
	defer cancel()
	return removeTraces(ctx, g.config.Lab, g.config.RunDir)
}

// removeTraces removes what outlives a node's namespaces: cgroups and the lab's directory on the host.
func removeTraces(ctx context.Context, lab, dir string) error {
	if err := leaveCgroups(); err != nil {
		return err
	}
	trees, err := cgroupTrees(lab)
	if err != nil {
		return err
	}
	if err := sweepCgroups(ctx, trees); err != nil {
		return err
	}
	if err := os.RemoveAll(dir); err != nil {
		return fmt.Errorf("remove the lab's directory: %w", err)
	}
	_ = os.Remove(filepath.Dir(dir)) // the directory of all labs, when this was the last
	return nil
}
