package main

import (
	"context"
	"strings"

	"github.com/flowproof/lab/internal/exit"
	"github.com/flowproof/lab/internal/input"
)

// maxHeaders bounds a file of headers.
const maxHeaders = 64 << 10

// headerLines are the headers of -H, each a "name: value", or @FILE for those of a file, one a line, as curl has it: what stands in a
// file is on no command line.
func headerLines(ctx context.Context, given []string) ([]string, error) {
	var all []string
	for _, h := range given {
		file, ok := strings.CutPrefix(h, "@")
		if !ok {
			all = append(all, h)
			continue
		}
		text, err := input.ReadFile(ctx, file, maxHeaders)
		if err != nil {
			return nil, exit.Usagef("read headers: %w", err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
				all = append(all, line)
			}
		}
	}
	return all, nil
}
