// Package sometimes notes that a rare thing has happened at all. A test that kills at random, or
// that mutates, says nothing of a case that it never came to; so each case has a name in the
// Catalogue, code says when it is reached, and the nightly run fails while one never was.
package sometimes

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"sync"
)

// Variable is the environment variable that names the file to which names are appended, a line
// each. Without it nothing is written.
const Variable = "FLOWPROOF_SOMETIMES"

var (
	mu   sync.Mutex
	seen = map[string]bool{}
	file = open(os.Getenv(Variable))
)

// open opens the file while its name still says something: the process may change its root later.
func open(name string) *os.File {
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		fmt.Fprintf(os.Stderr, "note what is reached: %v\n", err)
		return nil
	}
	return f
}

// Reached notes that a case of the Catalogue happened. A process notes each once.
func Reached(name string) {
	if file == nil {
		return
	}
	mu.Lock()
	defer mu.Unlock()
	if seen[name] {
		return
	}
	seen[name] = true
	_, _ = file.WriteString(name + "\n") // one write: lines of several processes do not mix
}

// Read counts the names in a file that Reached has written. Lines that are no names of a
// catalogue are returned apart.
func Read(r io.Reader, catalogue []string) (counts map[string]int, unknown []string, err error) {
	counts = map[string]int{}
	for lines := bufio.NewScanner(r); ; {
		if !lines.Scan() {
			return counts, unknown, lines.Err()
		}
		name := strings.TrimSpace(lines.Text())
		switch {
		case name == "":
		case slices.Contains(catalogue, name):
			counts[name]++
		case !slices.Contains(unknown, name):
			unknown = append(unknown, name)
		}
	}
}

// Missing returns the names of a catalogue that were never reached.
func Missing(catalogue []string, counts map[string]int) []string {
	var missing []string
	for _, name := range catalogue {
		if counts[name] == 0 {
			missing = append(missing, name)
		}
	}
	return missing
}
