package existing

import (
	"context"
	"slices"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/internal/kube"
	"github.com/flowproof/lab/internal/progress"
)

// Plan is which objects Up would make in the cluster with the same options, or why it would
// refuse. It makes nothing.
func (b *Backend) Plan(ctx context.Context, opts cluster.Options) ([]cluster.Object, error) {
	name, err := cluster.CheckName(opts.Name)
	if err != nil {
		return nil, err
	}
	if err := checkParts(opts.Install); err != nil {
		return nil, err
	}
	s, err := b.connect(ctx, name)
	if err != nil || len(opts.Install) == 0 {
		return nil, err
	}
	i := &installer{site: s, progress: progress.Quiet}
	p, err := i.plan(ctx, opts)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(p.istio, p.services, p.pods)
	if err := i.conflicts(ctx, all); err != nil {
		return nil, err
	}
	var missing []cluster.Object
	for _, o := range all {
		there, err := kube.Find(ctx, i.config, o)
		if err != nil {
			return nil, err
		}
		if there == nil {
			missing = append(missing, noted(o))
		}
	}
	return missing, nil
}
