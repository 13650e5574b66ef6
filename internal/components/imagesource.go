package components

import (
	"context"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/fault"
)

// Names of the places where images come from: values of Options.Images.
const (
	Built    = "built"    // images assembled from components, no registry needed
	Registry = "registry" // images pulled from the registries that their names say
)

// An imageSource is one of those places. Every verb and every backend takes what it
// knows of it from here.
type imageSource struct {
	name, help string
	// the images are the published ones, so that Istio's version can be chosen and its own values
	// are right
	published bool
	// gather makes the first stage: the node's programs and its file system; nil: the source stands
	// for another, see Choose.
	gather func(ctx context.Context, m *maker) (made, error)
	// images makes the OCI image layout from what the first stage left.
	images func(ctx context.Context, m *maker, first made) (ingredient, error)
	// kind makes a whole set for kind; nil: the first stage has all that kind's node is made of.
	kind func(ctx context.Context, m *maker) (*Set, error)
}

// imageSources are all of them, the default first. A new one is a row here.
var imageSources = []imageSource{
	{name: Built, help: "built (from packages, no registry)",
		gather: func(ctx context.Context, m *maker) (made, error) { return m.gather(ctx) },
		images: func(ctx context.Context, m *maker, first made) (ingredient, error) {
			return m.builtImages(ctx, first)
		}},
	{name: Registry, help: "registry (published, nothing is compiled)", published: true,
		gather: func(ctx context.Context, m *maker) (made, error) { return m.gatherPublished(ctx) },
		images: func(ctx context.Context, m *maker, _ made) (ingredient, error) {
			return m.pulled(ctx, "pulled", PublishedRefs(m.options.Istio))
		},
		kind: func(ctx context.Context, m *maker) (*Set, error) { return m.publishedKind(ctx) }},
	{name: Auto, help: "auto (what is here already, else a registry that answers, else built)"},
}

// ImageSources are the names of the places where images come from, the default first.
func ImageSources() []string {
	var names []string
	for _, s := range imageSources {
		names = append(names, s.name)
	}
	return names
}

// ImageSourcesHelp says where images come from, for the help of a flag.
func ImageSourcesHelp() string {
	var all []string
	for _, s := range imageSources {
		all = append(all, s.help)
	}
	return "where images come from: " + strings.Join(all[:len(all)-1], ", ") + " or " + all[len(all)-1]
}

// PublishedImages says whether a source brings the published images.
func PublishedImages(name string) bool {
	s, err := imageSourceOf(name)
	return err == nil && s.published
}

// imageSourceOf finds a source by its name; "" is the default.
func imageSourceOf(name string) (imageSource, error) {
	if name == "" {
		return imageSources[0], nil
	}
	i := slices.IndexFunc(imageSources, func(s imageSource) bool { return s.name == name })
	if i < 0 {
		return imageSource{}, fault.Usagef("choose images: %q is none of %s", name, strings.Join(ImageSources(), ", "))
	}
	return imageSources[i], nil
}
