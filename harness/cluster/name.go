package cluster

import (
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/lazyregexp"
)

// labName is what a lab may be called: it becomes part of a directory, a cgroup and a socket.
var labName = lazyregexp.New(`^[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?$`)

// Bakery is the name under which backends prepare data that labs start from. No lab
// can be called so.
const Bakery = "lab_bakery"

// CheckName refuses names that could not be directories, cgroups and sockets.
func CheckName(name string) (string, error) {
	if name == "" {
		name = DefaultName
	}
	if !labName.MatchString(name) {
		return "", fault.Usagef("name a lab %q: use up to 32 of a-z, 0-9 and -", name)
	}
	return name, nil
}
