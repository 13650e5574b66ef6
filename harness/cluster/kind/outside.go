package kind

import (
	"context"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/outside"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/docker"
	"github.com/flowproof/lab/manifests"
)

var _ outside.Host = (*Backend)(nil)

// Outside is the lab's Docker network, in which a container reaches the node. The client's image is
// given to a Docker that does not have it, from the parts that the lab is made of.
func (*Backend) Outside(ctx context.Context, lab *cluster.Lab) (outside.Place, error) {
	d, err := docker.Ours(ctx, lab.Name)
	if err == nil && d == nil {
		d, err = docker.Find(ctx)
	}
	if err != nil {
		return outside.Place{}, err
	}
	place := outside.Place{Docker: d, Network: Network(lab.Name), Labels: map[string]string{LabLabel: lab.Name},
		Image: components.NetshootImage}
	set, err := components.Find(components.Options{Kind: true, IstioValues: manifests.IstioValues()})
	if err != nil && d.Ours {
		return place, fault.Environmentf("find the client's image: %w", err)
	}
	if err != nil {
		return place, nil // a lab of published images: Docker pulls it
	}
	return place, outside.Load(ctx, d, set.Layout, place.Image)
}
