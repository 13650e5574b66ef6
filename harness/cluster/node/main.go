//go:build linux

package node

// Main is the hidden verb `lab __node`: the processes of a lab that outlive the command which
// started them. It returns the process's exit code.
func Main(args []string) int { return enclosed.Main(args) }
