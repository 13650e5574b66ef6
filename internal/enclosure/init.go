//go:build linux

package enclosure

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/signal"
	"sync"

	"golang.org/x/sys/unix"
)

// An event is what the init tells the guard, one JSON object a line.
type event struct {
	Stage      string `json:"stage,omitempty"`      // a stage that was reached
	Error      string `json:"error,omitempty"`      // why it cannot go on
	Kubeconfig []byte `json:"kubeconfig,omitempty"` // to be kept on the host
	Component  string `json:"component,omitempty"`  // a component that was started
	PID        int    `json:"pid,omitempty"`        // its process id inside
}

// File descriptors that the guard hands to the init.
const (
	eventsFD   = 3
	commandsFD = 4
	forwardFD  = 5
)

// An Init is the first process of an enclosure, as its resident sees it.
type Init struct {
	Name    string          // of the enclosure
	RunDir  string          // on the host
	Forward string          // address on the host's loopback that Serve takes over
	Payload json.RawMessage // what the owner launched it with

	verb    string // the hidden verb that starts helpers
	reaper  *reaper
	mu      sync.Mutex // of what follows
	events  *json.Encoder
	failed  chan error // the first program that ended
	running map[string]int
	quiet   bool // the end of a program is wanted
}

// Stage tells that a stage is reached; Owner.Await waits for it by its name.
func (i *Init) Stage(stage string) { i.tell(event{Stage: stage}) }

// Kubeconfig hands a kubeconfig to the guard, which keeps it on the host.
func (i *Init) Kubeconfig(data []byte) { i.tell(event{Kubeconfig: data}) }

// Fail ends the enclosure; the first reason counts.
func (i *Init) Fail(err error) {
	select {
	case i.failed <- err:
	default: // one reason is enough
	}
}

func (i *Init) tell(e event) {
	i.mu.Lock()
	defer i.mu.Unlock()
	_ = i.events.Encode(e) // a guard that is gone is noticed elsewhere
}

// runInit is the first process of the namespaces. It returns only when it could not start.
func (k Kind) runInit() error {
	if os.Getpid() != 1 {
		return errors.New("run the init: it is not the first process of a PID namespace (use lab up)")
	}
	signals := make(chan os.Signal, 64)
	signal.Notify(signals, unix.SIGCHLD)
	// Only the guard ends it, with SIGKILL. Others are caught and not ignored, because children
	// inherit what is ignored.
	signal.Notify(make(chan os.Signal, 1), unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGPIPE)
	commands := bufio.NewReader(os.NewFile(commandsFD, "commands"))
	first, err := commands.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	var c config
	if err := json.Unmarshal(first, &c); err != nil {
		return fmt.Errorf("read the configuration: %w", err)
	}
	i := newInit(k, c)
	go i.reaper.run(signals)
	resident, err := k.Resident(i)
	if err != nil {
		return err
	}
	go func() {
		i.obey(commands, resident)
		os.Exit(0) // the kernel ends the rest with the first process; what the host keeps, the sweepers remove
	}()
	if err := resident.Boot(); err != nil {
		i.tell(event{Error: err.Error()})
	} else {
		i.tell(event{Error: (<-i.failed).Error()})
	}
	select {} // the guard has the last word: it ends this process when it has read the reason
}

func newInit(k Kind, c config) *Init {
	return &Init{Name: c.Name, RunDir: k.RunDir(c.Name), Forward: c.Forward, Payload: c.Payload, verb: k.Verb,
		reaper: newReaper(),
		events: json.NewEncoder(os.NewFile(eventsFD, "events")), failed: make(chan error, 1), running: map[string]int{}}
}

// obey carries out the owner's commands until there is no guard.
func (i *Init) obey(commands *bufio.Reader, resident Resident) {
	for {
		line, err := commands.ReadBytes('\n')
		if err != nil {
			return
		}
		var command string
		err = json.Unmarshal(line, &command)
		if err == nil {
			err = resident.Obey(command)
		}
		if err != nil {
			i.tell(event{Error: fmt.Sprintf("obey %s: %v", command, err)})
			return
		}
	}
}

// Serve serves the listening socket that the guard opened on the host's loopback, joining each
// connection with one that dial makes: a socket belongs to the network namespace that it was made
// in, a dial to the one it is made from, so this one process reaches both.
func (i *Init) Serve(dial func() (net.Conn, error)) {
	listener, err := net.FileListener(os.NewFile(forwardFD, "forward"))
	if err != nil {
		i.Fail(fmt.Errorf("take over the forwarder's socket: %w", err))
		return
	}
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go splice(conn, dial)
	}
}

// splice joins one connection of the host with one of the inside, both ways, until either ends.
func splice(outside net.Conn, dial func() (net.Conn, error)) {
	defer outside.Close()
	inside, err := dial()
	if err != nil {
		return // the client sees the connection end, as it would without a forwarder
	}
	defer inside.Close()
	go func() {
		_, _ = io.Copy(inside, outside)
		if half, ok := inside.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	}()
	_, _ = io.Copy(outside, inside)
}
