// Package early keeps a library from reading every process of the machine each time the command
// starts, also where it is only asked for help: testcontainers-go names its session after the
// parent process, which it looks for among all, in an initialiser. Where there is no /proc the
// library takes a random name, which is as good here: what is made for a client outside is found
// again by labels of our own.
//
// It works by order: packages are initialised by their import paths, as far as their own imports
// allow (Go 1.21 and later), and this one imports nothing but os. Done, which the package that uses
// the library calls from its own initialiser, takes the setting back.
package early

import "os"

// variable is where the library's own library looks for /proc.
const variable = "HOST_PROC"

var set = func() bool {
	if _, ok := os.LookupEnv(variable); ok {
		return false // the user's own
	}
	return os.Setenv(variable, "/nonexistent") == nil
}()

// Done is for after the library's initialisers: from then on the environment is as it was.
func Done() {
	if set {
		_ = os.Unsetenv(variable)
		set = false
	}
}
