package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/netfilter"
	"github.com/flowproof/lab/internal/input"
)

// Limits of the files that a user hands in.
const (
	maxRules    = 64 << 20
	maxScenario = 64 << 20
	maxData     = 64 << 20 // of a request's body or headers
)

// openDump opens a dump; "-" is standard input. What the dump lacks is said on stderr.
func (a *app) openDump(ctx context.Context, path string) (*configdump.Dump, error) {
	open := func() (*configdump.Dump, error) { return configdump.Open(ctx, path) }
	if path == "-" {
		open = func() (*configdump.Dump, error) { return configdump.Read(ctx, a.In) }
	}
	dump, err := open()
	if err != nil {
		return nil, fault.Usagef("%w", err)
	}
	if missing := dump.Missing(); len(missing) > 0 && !a.quiet {
		fmt.Fprintf(a.Err, "lab: %s has no %s\n", path, strings.Join(missing, ", no "))
	}
	return dump, nil
}

// openRequests opens a file of requests; "-" is standard input.
func (a *app) openRequests(ctx context.Context, path string) (io.ReadCloser, error) {
	if path == "-" {
		return io.NopCloser(input.Interruptible(ctx, a.In)), nil
	}
	file, err := input.Open(path)
	if err != nil {
		return nil, fault.Usagef("read requests: %w", err)
	}
	return file, nil
}

func readRules(ctx context.Context, path string) (*netfilter.Ruleset, error) {
	text, err := readText(ctx, path)
	if err != nil {
		return nil, err
	}
	rules, err := netfilter.Parse(text)
	if err != nil {
		return nil, fault.Usagef("%s: %w", path, err)
	}
	return rules, nil
}

// readText reads a file of netfilter rules; no path is no text.
func readText(ctx context.Context, path string) (string, error) {
	if path == "" {
		return "", nil
	}
	text, err := input.ReadFile(ctx, path, maxRules)
	if err != nil {
		return "", fault.Usagef("read netfilter rules: %w", err)
	}
	return string(text), nil
}
