package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/observe/curl"
	"github.com/flowproof/lab/internal/bytesize"
	"github.com/flowproof/lab/internal/input"
)

// maxHeaders bounds a file of headers.
const maxHeaders = 64 << 10

// headerLines are the headers of -H, each a "name: value", or @FILE for those of a file, one a
// line, as curl has it: what stands in a file is on no command line.
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
			return nil, fault.Usagef("read headers: %w", err)
		}
		for line := range strings.Lines(string(text)) {
			if line = strings.TrimRight(line, "\r\n"); strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "#") {
				all = append(all, line)
			}
		}
	}
	return all, nil
}

// curlConfig are the options of curl's in a file, or in what is read from standard input for
// "-"; "" is no file.
func curlConfig(ctx context.Context, stdin io.Reader, path string) ([]string, error) {
	var text []byte
	var err error
	switch path {
	case "":
		return nil, nil
	case "-":
		err = input.Do(ctx, func() (err error) {
			text, err = io.ReadAll(io.LimitReader(stdin, maxHeaders+1))
			return err
		})
		if len(text) > maxHeaders {
			err = fmt.Errorf("standard input: %w: at most %s are read", input.ErrTooLarge, bytesize.Text(maxHeaders))
		}
	default:
		text, err = input.ReadFile(ctx, path, maxHeaders)
	}
	if err != nil {
		return nil, fault.Usagef("read curl's options: %w", err)
	}
	args, err := curl.ReadConfig(string(text))
	if err != nil {
		return nil, fault.Usagef("read curl's options: %s: %w", path, err)
	}
	return args, nil
}
