package instrument

import (
	"cmp"
	"context"
	"sync"
)

// Each does something with all pods at once, so that what is read of them is of one moment as
// nearly as it can be. It returns their errors in the order of the pods.
func Each(pods []Target, do func(Target) error) []error {
	errs := make([]error, len(pods))
	var working sync.WaitGroup
	for i, pod := range pods {
		working.Go(func() { errs[i] = do(pod) })
	}
	working.Wait()
	return errs
}

// OpenLogs opens a window onto the log of every sidecar.
func OpenLogs(ctx context.Context, pods []Target) error {
	return cmp.Or(Each(pods, func(pod Target) error {
		if !pod.HasSidecar() {
			return nil
		}
		_, err := pod.Log(ctx)
		return err
	})...)
}
