package components

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/progress"
)

// Auto is the value of Options.Images that has Choose choose.
const Auto = "auto"

// answerTimeout bounds how long a registry is asked whether it answers: what is built instead takes
// a quarter of an hour.
const answerTimeout = 15 * time.Second

// Choose returns o with the place where its images come from in the place of Auto, and says on p
// which it is and why: what is here already, else a registry that answers, else packages. Options
// that name a place are returned as they are.
func Choose(ctx context.Context, o Options, p progress.Reporter) (Options, error) {
	if o.Images != Auto {
		return o, nil
	}
	for _, s := range imageSources {
		if s.gather == nil || o.Istio != "" && !s.published {
			continue
		}
		here := o
		here.Images = s.name
		if _, err := Find(here.WithValues()); err == nil {
			p.Say("Images: %s, because all that they need is here already.", s.name)
			return here, nil
		}
	}
	task := p.Start("Asking the registries of the published images")
	err := RegistryAnswers(ctx, o)
	task.Done(nil)
	if end := stopped(ctx); end != nil {
		return o, end
	}
	if errors.Is(err, fault.Usage) {
		return o, err
	}
	if err == nil {
		o.Images = Registry
		p.Say("Images: %s, because it answers: nothing is compiled.", o.Images)
		return o, nil
	}
	o.Images = Built
	p.Say("Images: %s, because no registry has what is needed: %v", o.Images, err)
	return o, nil
}

// RegistryAnswers asks the registries for what a lab of published images is made of, without
// fetching it.
func RegistryAnswers(ctx context.Context, o Options) error {
	all := PublishedRefs(o.Istio)
	refs := []string{all[ProxyImage], all[FortioImage], IstioctlRef(o.Istio)}
	node, err := publishedNode, error(nil)
	if !o.Kind {
		node, err = nodePartsRef()
	}
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, answerTimeout)
	defer cancel()
	group, ctx := errgroup.WithContext(ctx)
	for _, ref := range append(refs, node) {
		group.Go(func() error {
			if err := answers(ctx, ref); err != nil {
				return fmt.Errorf("%s: %w", ref, err)
			}
			return nil
		})
	}
	return group.Wait()
}
