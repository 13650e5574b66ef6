//go:build linux

package enclosure

import (
	"errors"
	"fmt"
	"os"
)

// cgroup is the directory of an enclosure in every hierarchy.
func (k Kind) cgroup(name string) string { return "flowproof-" + name + k.Suffix }

// Members returns the host's process ids of everything in an enclosure.
func (k Kind) Members(name string) ([]int, error) {
	trees, err := cgroupTrees(k.cgroup(name))
	if err != nil {
		return nil, err
	}
	return cgroupMembers(trees), nil
}

// codeTaken is the exit code of a guard that found another one; the owner tells it
// from other ends by it.
const codeTaken = 75

// Main is the hidden verb: the processes of an enclosure that outlive the command which started
// them. It returns the process's exit code.
func (k Kind) Main(args []string) int {
	err := k.run(args)
	if err == nil {
		return 0
	}
	fmt.Fprintf(os.Stderr, "lab %s: %v\n", k.Verb, err)
	if errors.Is(err, ErrTaken) {
		return codeTaken
	}
	return codeFailed
}

func (k Kind) run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("start a process of a %s: one of guard, init, sweeper is wanted (this verb is not for "+
			"people; see lab up)", k.Noun)
	}
	if err := closeOnExec(); err != nil {
		return err
	}
	switch args[0] {
	case "guard":
		return k.runGuard(os.Stdin)
	case "init":
		return k.runInit()
	case wordSealer:
		return runSealer(int(os.Stdin.Fd()))
	case wordSweeper, wordReserve:
		return k.runSweeper(os.Stdin)
	}
	return fmt.Errorf("start a process of a %s: no such process %q", k.Noun, args[0])
}
