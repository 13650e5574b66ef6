package node

import (
	"fmt"
	"os"
)

// Main is the hidden verb `lab __node`: the processes of a lab that outlive the command which started them.
// It returns the process's exit code.
func Main(args []string) int {
	if err := run(args); err != nil {
		fmt.Fprintln(os.Stderr, "lab __node:", err)
		return 3
	}
	return 0
}

func run(args []string) error {
	if len(args) != 1 {
		return fmt.Errorf("start a process of a lab: one of guard, init is wanted (this verb is not for people; see lab up)")
	}
	switch args[0] {
	case "guard":
		return runGuard(os.Stdin)
	case "init":
		return runInit()
	}
	return fmt.Errorf("start a process of a lab: no such process %q", args[0])
}
