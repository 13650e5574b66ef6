// Package enclosure runs a tree of processes in network, mount, PID, IPC, UTS and cgroup namespaces
// of its own, so that the end of its first process is the end of everything in it: processes,
// mounts, interfaces.
//
// Five processes share the work. The owner (a command of a person's) asks for an enclosure and
// waits for what is in it; the guard stays outside the namespaces, starts the init and sweeps what
// the kernel does not (cgroup directories, files on the host); the init is the first process
// inside, which starts and watches the rest; two sweepers wait outside for the case that the guard
// is gone. Whichever one or two of them die, another cleans up. An enclosure ends with its owner,
// unless the owner has committed it.
package enclosure

import (
	"path/filepath"
	"time"

	"github.com/flowproof/lab/internal/trust"
)

// Deadline is how long the end of an enclosure may take.
const Deadline = 20 * time.Second

// A Kind is one sort of enclosure: what the embedded node lives in, or what a
// Docker of our own does.
type Kind struct {
	Name   string // part of the control socket's name: node, docker
	Suffix string // of the names of cgroups and directories, so that kinds do not meet; empty for one kind only
	Noun   string // for messages: "lab"
	Verb   string // the hidden verb of this program by which guard and init are started
	// Exposed says that what runs inside may see the init's process, and with it the program that
	// it runs. Its os.Executable is then no path.
	Exposed bool
	// Resident makes what lives in an enclosure. It is called in the init, still in the
	// host's mount namespace.
	Resident func(i *Init) (Resident, error)
}

// A Resident is what lives in an enclosure.
type Resident interface {
	// Boot starts everything. What ends later is told with Init.Fail.
	Boot() error
	// Obey carries out a command of the owner's.
	Obey(command string) error
}

// RunDir is the directory on the host of an enclosure: for files that those outside need, such as a
// kubeconfig or a socket. It goes with the enclosure.
func (k Kind) RunDir(name string) string { return filepath.Join(trust.Base(), name+k.Suffix) }

// codeFailed is the exit code of a process of an enclosure that could not do its work.
const codeFailed = 3
