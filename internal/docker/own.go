package docker

import "os"

// Verb is the hidden verb by which this program becomes the processes of a Docker of our own.
const Verb = "__docker"

// Options are for Start.
type Options struct {
	Prepared string     // a directory that Prepare has made: images that are there from the start; "" for none
	Held     []*os.File // kept open for as long as this Docker lives
}
