package runtest

import (
	"slices"

	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe/curl"
)

// program is the name of a program in the account of a lab. A curl that only says its version is
// another one than a curl that sends.
func program(command []string) string {
	if slices.Equal(command, curl.VersionCommand) {
		return "curl --version"
	}
	return command[0]
}

// answer is what a command prints in the pod; nil: there is no such program.
func (p *Pod) answer(command []string, input []byte) *mesh.Output {
	switch {
	case slices.Equal(command, curl.VersionCommand):
		if p.Version != nil {
			return &mesh.Output{Stdout: p.Version}
		}
	case p.Answer != nil:
		return p.Answer(command, input)
	}
	return nil
}
