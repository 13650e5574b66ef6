package main

import (
	"context"
	"fmt"

	"github.com/flowproof/lab/harness/bundle"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/report"
)

// diffBundles compares two bundles and ends with a mismatch when they differ.
func diffBundles(ctx context.Context, a *app, before, after string) error {
	was, err := bundle.Read(ctx, before)
	if err != nil {
		return fmt.Errorf("%s: %w", before, err)
	}
	is, err := bundle.Read(ctx, after)
	if err != nil {
		return fmt.Errorf("%s: %w", after, err)
	}
	d, err := bundle.Difference(ctx, was, is)
	if err != nil {
		return err
	}
	d.Sides[0].Name, d.Sides[1].Name = before, after
	if err := report.Difference(a.Out, a.output, shownLines(a, d)); err != nil {
		return fmt.Errorf("write difference: %w", err)
	}
	if !d.Same {
		return silentError{fault.Mismatchf("the runs differ")}
	}
	return nil
}
