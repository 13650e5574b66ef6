// Command lab infers the way that a request takes through an Istio mesh, sends it, watches it, and
// says hop by hop whether what was seen is what was inferred. See `lab --help`.
package main

import (
	"os"
	"runtime"

	"github.com/go-logr/logr"
	"k8s.io/klog/v2"

	_ "github.com/flowproof/lab/internal/startup" // collects no garbage before main
)

// The first thread stays with main, so that no goroutine that enters a namespace and ends with its
// thread is ever on it: it could not end, and /proc/self would show that namespace.
func init() { runtime.LockOSThread() }

// client-go writes to stderr about connections that were closed on purpose; what matters comes back
// as an error. It is silenced for this program alone, and not for one that imports the harness.
func init() { klog.SetLogger(logr.Discard()) }

func main() { os.Exit(Main(os.Args[1:])) }
