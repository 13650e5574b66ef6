package authority

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/flowproof/lab/internal/wait"
)

// An Entry is one line of Envoy's access log.
type Entry struct {
	From    string `json:"from"`
	Chain   string `json:"chain"`
	Cluster string `json:"cluster"`
	Route   string `json:"route"`
	Code    int    `json:"code"`
	Flags   string `json:"flags"`
	Details string `json:"details"`
	Host    string `json:"host"`
	Method  string `json:"method"`

	Attempts int `json:"attempts"` // upstream requests
}

// An accessLog reads the file that Envoy writes.
type accessLog struct {
	path string
}

// wait reads the log until it has a line for each of the connections, by the client's
// address, and returns all lines by that address. A connection may have several: one of the
// stream, one of the listener.
func (l *accessLog) wait(ctx context.Context, from []string) (map[string][]Entry, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	var entries map[string][]Entry
	var failed error
	missing := ""
	late := wait.Until(ctx, 20*time.Millisecond, func() (bool, error) {
		if entries, failed = l.read(); failed != nil {
			return true, nil
		}
		missing = ""
		for _, f := range from {
			if len(entries[f]) == 0 {
				missing = f
			}
		}
		return missing == "", nil
	})
	if late != nil {
		return entries, fmt.Errorf("wait for envoy's access log: no line of %s", missing)
	}
	return entries, failed
}

func (l *accessLog) read() (map[string][]Entry, error) {
	text, err := os.ReadFile(l.path)
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	entries := map[string][]Entry{}
	for line := range bytes.Lines(text) {
		if !bytes.HasSuffix(line, []byte("\n")) {
			break // still being written
		}
		var e Entry
		if err := json.Unmarshal(line, &e); err != nil {
			return nil, fmt.Errorf("read envoy's access log: %w: %s", err, line)
		}
		entries[e.From] = append(entries[e.From], e)
	}
	return entries, nil
}
