//go:build linux

package enclosure

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/sometimes"
)

// A sweeper is the guard's hold on a process that sweeps in its place. There are two, so that any
// two processes of an enclosure may be killed at once: when the guard is gone, each ends the
// enclosure and removes what it leaves; when a sweeper is gone, the guard starts another. The init
// does not do their work, since for that it would need descriptors of the host's folders, and root
// in the enclosure can follow those (proc_pid_fd(5)) to all others.
type sweeper struct {
	kind Kind
	word string // after the hidden verb: which of the two it is
	name string

	mu        sync.Mutex // of what follows
	process   *exec.Cmd
	pipe      io.WriteCloser
	dismissed bool
}

// sweeperOrder is a line that the guard writes to the sweeper: first the name, at
// last that it is done.
type sweeperOrder struct {
	Name string `json:"name,omitempty"`
	Done bool   `json:"done,omitempty"`
}

// wordSweeper and wordReserve are the words after the hidden verb by which the two are started.
const (
	wordSweeper = "sweeper"
	wordReserve = "reserve"
)

// engageSweeper starts a sweeper for the enclosure of that name, and another whenever it ends,
// until it is dismissed. It has to be engaged before there is anything to sweep.
func (k Kind) engageSweeper(word, name string) (*sweeper, error) {
	s := &sweeper{kind: k, word: word, name: name}
	if err := s.start(); err != nil {
		return nil, fmt.Errorf("start the sweeper of %s %s: %w", k.Noun, name, err)
	}
	go s.attend()
	return s, nil
}

func (s *sweeper) start() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := exec.Command(self, s.kind.Verb, s.word)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Dir, cmd.Stderr = "/", os.Stderr
	pipe, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	s.process, s.pipe = cmd, pipe
	return json.NewEncoder(pipe).Encode(sweeperOrder{Name: s.name})
}

// attend waits for the sweeper's end and starts another.
func (s *sweeper) attend() {
	for {
		_ = s.process.Wait() // an error at once for one that was waited for: its successor could not be started
		s.mu.Lock()
		if s.dismissed {
			s.mu.Unlock()
			return
		}
		sometimes.Reached("enclosure: the sweeper is replaced")
		err := s.start()
		s.mu.Unlock()
		if err != nil {
			time.Sleep(time.Second) // the machine has no process to give: there is no event for when it has one again
		}
	}
}

// dismiss ends the sweeper: there is nothing to sweep any more.
func (s *sweeper) dismiss() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.dismissed = true
	_ = json.NewEncoder(s.pipe).Encode(sweeperOrder{Done: true})
	_ = s.pipe.Close()
}

// runSweeper is the sweeper's whole life: it waits until the guard is gone, without having said
// that it is done, and removes what the guard would have.
func (k Kind) runSweeper(stdin io.Reader) error {
	signal.Ignore(unix.SIGHUP, unix.SIGPIPE, unix.SIGINT, unix.SIGTERM)
	orders := json.NewDecoder(stdin)
	var first, last sweeperOrder
	if err := orders.Decode(&first); err != nil || first.Name == "" {
		return errors.Join(errors.New("start the sweeper: the first line has no name (use lab up)"), err)
	}
	if err := orders.Decode(&last); err == nil && last.Done {
		return nil
	}
	sometimes.Reached("enclosure: the sweeper sweeps")
	ctx, cancel := context.WithTimeout(context.Background(), Deadline)
	defer cancel()
	if err := leaveCgroups(); err != nil { // one that was started later is in the enclosure's
		return err
	}
	return k.SweepLeft(ctx, first.Name)
}

// closeOnExec keeps a process from handing on what it has inherited beside its standard files: a
// component would have the forwarder's socket, which was made in the host's network namespace, or
// the lock of the cache.
func closeOnExec() error {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return fmt.Errorf("list the inherited descriptors: %w", err)
	}
	for _, e := range entries {
		var fd int
		if _, err := fmt.Sscan(e.Name(), &fd); err == nil && fd > 2 {
			unix.CloseOnExec(fd)
		}
	}
	return nil
}
