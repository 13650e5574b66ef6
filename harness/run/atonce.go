package run

import (
	"cmp"
	"sync"
)

// atOnce does something with each of several pods at the same time, and returns what came of it in
// their order, and the first error.
func atOnce[T any](refs []string, do func(ref string) (T, error)) ([]T, error) {
	results, errs := make([]T, len(refs)), make([]error, len(refs))
	var working sync.WaitGroup
	for i, ref := range refs {
		working.Go(func() { results[i], errs[i] = do(ref) })
	}
	working.Wait()
	return results, cmp.Or(errs...)
}
