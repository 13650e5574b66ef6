package configdump

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"

	"github.com/flowproof/lab/internal/input"
)

// ErrRead is in the chain of every error about a text that is no config dump, or a damaged one.
var ErrRead = errors.New("read config dump")

// Limits of what is read. A dump of 6,000 services has 100 MB; YAML needs many times its size while
// it is read. A file that is mapped takes memory where it is looked at, what is read or
// decompressed takes all of it.
const (
	maxMapped = 2 << 30
	maxText   = 1 << 30
	maxYAML   = 64 << 20
	mapFrom   = 4 << 20 // files of this size and more are mapped instead of read
)

// Open reads a dump from a regular file: JSON or YAML, plain or compressed with gzip or zstd. "-"
// is standard input. An error names the file and the place in it. The file must not be changed
// until Close. Reading ends when ctx does.
func Open(ctx context.Context, path string) (*Dump, error) {
	if path == "-" {
		return Read(ctx, os.Stdin)
	}
	f, err := input.Open(path)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRead, err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRead, err)
	}
	if info.Size() >= mapFrom && info.Size() <= maxMapped {
		return openMapped(ctx, f, path, info.Size())
	}
	d, err := Read(ctx, f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// openMapped maps the file instead of copying it, so that only its pages that are
// looked at take memory.
func openMapped(ctx context.Context, f *os.File, path string, size int64) (*Dump, error) {
	data, unmap, err := mapFile(f, size)
	if err != nil {
		return nil, fmt.Errorf("open config dump %s: %w", path, err)
	}
	d, err := parse(ctx, data)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), unmap())
	}
	if len(d.data) > 0 && &d.data[0] == &data[0] {
		d.unmap = unmap
		return d, nil
	}
	return d, unmap() // decompressed or converted: the file is not needed any more
}

// Read reads a dump from a stream to its end, or until ctx ends.
func Read(ctx context.Context, r io.Reader) (*Dump, error) {
	data, err := input.ReadAll(ctx, r, maxText)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRead, err)
	}
	return parse(ctx, data)
}

// Parse reads a dump from memory: JSON or YAML, plain, compressed with gzip or zstd, or alone in a
// tar archive. The text must not be changed afterwards.
func Parse(data []byte) (*Dump, error) { return parse(context.Background(), data) }

func parse(ctx context.Context, data []byte) (*Dump, error) {
	data, err := input.Decompress(ctx, data, maxText)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRead, err)
	}
	if isArchive(data) {
		if data, err = fromArchive(ctx, data); err != nil {
			return nil, err
		}
	}
	text := bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	switch text = bytes.TrimLeft(text, " \t\r\n"); {
	case len(text) == 0:
		return nil, fmt.Errorf("%w: it is empty", ErrRead)
	case text[0] == '{':
		return buildOrAdopt(data[len(data)-len(text):])
	case text[0] == '[':
		return buildOrAdopt(text)
	case !utf8.Valid(text[:min(len(text), 512)]) && bytes.IndexByte(text[:min(len(text), 512)], 0) >= 0:
		return nil, fmt.Errorf("%w: binary data (JSON, YAML or gzip of either is expected)", ErrRead)
	case len(text) > maxYAML:
		return nil, fmt.Errorf("%w: %d MB of YAML (convert it to JSON, which has no such limit)", ErrRead,
			len(text)>>20)
	}
	converted, err := jsonFromYAML(text)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrRead, err)
	}
	return buildOrAdopt(converted)
}

// buildOrAdopt reads a dump, or a text that holds the same in another shape.
func buildOrAdopt(text []byte) (*Dump, error) {
	if text = bytes.TrimSpace(text); len(text) == 0 || text[0] != '[' {
		d, err := build(text)
		if !errors.Is(err, errNoConfigs) {
			return d, err
		}
	}
	text, err := adopt(text)
	if err != nil {
		return nil, err
	}
	return build(text)
}
