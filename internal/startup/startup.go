// Package startup lets a program start without a collection of garbage: what the packages of a
// large program make before main begins is nearly all kept, so that collecting it takes a fifth of
// the time that a short command runs, for nothing. It is initialised before the packages that make
// most, since it imports few: packages that are ready are initialised in the order of their paths
// (The Go Programming Language Specification, Program initialization).
package startup

import (
	"os"
	"runtime"
	"runtime/debug"
)

// startPercent is GOGC until the first collection, which is then at 16 MiB.
const startPercent = 400

// A sentinel is gone with the first collection.
type sentinel struct{ self *sentinel }

func init() {
	if os.Getenv("GOGC") != "" {
		return
	}
	usual := debug.SetGCPercent(startPercent)
	first := &sentinel{}
	first.self = first
	runtime.AddCleanup(first, collectAsUsual, usual)
}

// collectAsUsual sets the percentage that the program began with, unless the program has set one
// meanwhile.
func collectAsUsual(usual int) {
	if now := debug.SetGCPercent(usual); now != startPercent {
		debug.SetGCPercent(now)
	}
}
