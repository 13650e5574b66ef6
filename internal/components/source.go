package components

import (
	"context"

	"github.com/flowproof/lab/internal/toolchain"
)

// unpack writes the modules that the program carries into the cache, and returns where they lie.
// Their own entry is what builds read: a checkout, which another user may have written, never
// decides what root builds.
func (m *maker) unpack(ctx context.Context) (string, error) {
	k, err := newKey(toolchain.Folder).bytes("archive", toolchain.Archive()).key()
	if err != nil {
		return "", err
	}
	_, err = m.cache.ensure(ctx, k, "Unpacking the toolchain", func(_ context.Context, w work) error {
		return toolchain.Write(w.content)
	})
	return m.cache.content(k.String()), err
}

// gobuild builds from the modules that the program carries.
func (m *maker) gobuild(ctx context.Context) (*gobuild, error) {
	source, err := m.unpack(ctx)
	if err != nil {
		return nil, err
	}
	return newGobuild(ctx, source)
}
