//go:build linux

package enclosure

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
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/labstate"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/sometimes"
	"github.com/flowproof/lab/internal/trust"
)

// A lease is one line of what the owner tells the guard on its standard input. The first says what
// to start. The enclosure ends with the owner, unless the owner has committed it.
type lease struct {
	Config     *config           `json:"config,omitempty"`
	Command    string            `json:"command,omitempty"` // for the resident
	Kubeconfig []byte            `json:"kubeconfig,omitempty"`
	Commit     bool              `json:"commit,omitempty"`
	Timings    []progress.Timing `json:"timings,omitempty"`
}

// config is what the guard tells the init, as the first line of its commands.
type config struct {
	Name    string          `json:"name"`
	Forward string          `json:"forward"` // address of the forwarder's socket
	Payload json.RawMessage `json:"payload"` // what only the resident understands
}

// A guard owns one enclosure on the host's side.
type guard struct {
	kind     Kind
	config   config
	board    *board // what the control socket tells
	commands *os.File
	init     *exec.Cmd
	ended    chan struct{} // closed when the init has ended
	stop     chan string   // why the enclosure shall end
}

// runGuard starts an enclosure and stays until it has ended and nothing of it is left.
func (k Kind) runGuard(stdin io.Reader) error {
	lines := bufio.NewReader(stdin)
	first, err := readLease(lines)
	if err != nil {
		return err
	}
	if first.Config == nil {
		return errors.New("start the guard: the first line has no configuration (use lab up)")
	}
	g := &guard{kind: k, config: *first.Config, board: newBoard(), ended: make(chan struct{}),
		stop: make(chan string, 1)}
	for _, word := range []string{wordSweeper, wordReserve} {
		sweeper, err := k.engageSweeper(word, g.config.Name)
		if err != nil {
			return err
		}
		defer sweeper.dismiss()
	}
	control, err := k.listen(g.config.Name)
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
		sometimes.Reached("enclosure: the guard cleans up after its init")
		g.board.fail("its init ended: " + g.init.ProcessState.String())
	}
	return g.tearDown()
}

func readLease(lines *bufio.Reader) (lease, error) {
	var l lease
	line, err := lines.ReadBytes('\n')
	if err != nil {
		return l, fmt.Errorf("read the owner's words: %w", err)
	}
	if err := json.Unmarshal(line, &l); err != nil {
		return l, fmt.Errorf("read the owner's words: %w", err)
	}
	return l, nil
}

// start makes the namespaces with the init in them.
func (g *guard) start() error {
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
	g.config.Forward = forwarder.Addr().String()
	g.board.set(func(s *State) { s.Forward = g.config.Forward })
	if err := enterCgroups(g.kind.cgroup(g.config.Name)); err != nil {
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
	if err := stepAside(g.kind.cgroup(g.config.Name)); err != nil {
		return err
	}
	return json.NewEncoder(commands).Encode(g.config)
}

// cloneInit starts this program again as the first process of new namespaces. The cgroup
// namespace's root is the cgroup that the guard is in at this moment: the enclosure's own.
func (g *guard) cloneInit(files ...*os.File) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	path := self
	if g.kind.Exposed {
		program, err := readOnly(self)
		if err != nil {
			return err
		}
		defer unix.Close(program)
		path = fmt.Sprintf("/proc/self/fd/%d", program)
	}
	g.init = exec.Command(path, g.kind.Verb, "init")
	g.init.Args[0] = self
	g.init.ExtraFiles = files
	g.init.Stderr = os.Stderr
	g.init.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Cloneflags: unix.CLONE_NEWNET | unix.CLONE_NEWNS |
		unix.CLONE_NEWPID | unix.CLONE_NEWIPC | unix.CLONE_NEWUTS | unix.CLONE_NEWCGROUP}
	if err := g.init.Start(); err != nil {
		return fmt.Errorf("make namespaces: %w (root with CAP_SYS_ADMIN is needed)", err)
	}
	g.board.set(func(s *State) { s.InitPID = g.init.Process.Pid })
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
			sometimes.Reached("up: the init reports an error")
			g.end(e.Error)
		case e.Kubeconfig != nil:
			g.keepKubeconfig(e.Kubeconfig)
		case e.Component != "":
			g.board.set(func(s *State) { s.Components = append(s.Components, Component{e.Component, e.PID}) })
		case e.Stage != "":
			g.board.set(func(s *State) { s.Stages = append(s.Stages, e.Stage) })
		}
	}
}

func (g *guard) keepKubeconfig(data []byte) {
	if err := trust.WritePrivate(g.kind.kubeconfig(g.config.Name), data); err != nil {
		g.end(fmt.Sprintf("write the kubeconfig: %v", err))
		return
	}
	g.board.set(func(s *State) { s.Kept = true })
}

// end asks for the enclosure's end; the first reason counts.
func (g *guard) end(reason string) {
	select {
	case g.stop <- reason:
	default:
	}
}

// holdLease listens to the owner. Without a commit the end of the owner is the end
// of the enclosure.
func (g *guard) holdLease(lines *bufio.Reader) {
	committed := false
	for {
		l, err := readLease(lines)
		if err != nil {
			if !committed {
				sometimes.Reached("enclosure: the owner ended before it was ready")
				g.end("its owner ended before it was ready")
			}
			return
		}
		switch {
		case l.Command != "":
			_ = json.NewEncoder(g.commands).Encode(l.Command)
		case l.Kubeconfig != nil:
			g.keepKubeconfig(l.Kubeconfig)
		case l.Commit:
			committed = true
			g.board.set(func(s *State) { s.State, s.Timings = labstate.Running, l.Timings })
		}
	}
}

// tearDown ends the init and with it everything in its namespaces, then removes
// what the kernel keeps.
func (g *guard) tearDown() error {
	if g.init != nil && g.init.Process != nil {
		_ = g.init.Process.Kill()
		<-g.ended
	}
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	return errors.Join(leaveCgroups(), g.kind.removeTraces(ctx, g.config.Name))
}
