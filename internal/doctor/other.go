//go:build !linux

package doctor

import (
	"context"
	"errors"
	"runtime"
)

var errNotLinux = errors.New("this is " + runtime.GOOS)

func notHere(context.Context) (string, error) { return "", errNotLinux }

var (
	findKernel, findRoot, findCapabilities, findNamespaces                  = notHere, notHere, notHere, notHere
	findDevices, findNetfilter, findOverlay, findCgroups                    = notHere, notHere, notHere, notHere
	findInotify, findMemory, findDisk, findSockDestroy                      = notHere, notHere, notHere, notHere
	findDocker, findBPFTracepoints, findBPFRingBuffer, findBTF, findTracefs = notHere, notHere, notHere,
		notHere, notHere
)

// BPFWorks says that BPF does not work where there is none.
func BPFWorks(context.Context) bool { return false }
