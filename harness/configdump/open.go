package configdump

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"unicode/utf8"
)

// Limits of what is read. A dump of 6,000 services has 100 MB; YAML needs many times its size while it is read.
const (
	maxText = 2 << 30
	maxYAML = 64 << 20
	mapFrom = 4 << 20 // files of this size and more are mapped instead of read
)

// Open reads a dump from a file: JSON or YAML, plain or compressed with gzip. "-" is standard input. An error names
// the file and the place in it. The file must not be changed until Close.
func Open(path string) (*Dump, error) {
	if path == "-" {
		return Read(os.Stdin)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open config dump: %w", err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("open config dump: %w", err)
	}
	if info.IsDir() {
		return nil, fmt.Errorf("open config dump %s: is a directory (give the file)", path)
	}
	if info.Mode().IsRegular() && info.Size() >= mapFrom && info.Size() <= maxText {
		return openMapped(f, path, info.Size())
	}
	d, err := Read(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// openMapped maps the file instead of copying it, so that only its pages that are looked at take memory.
func openMapped(f *os.File, path string, size int64) (*Dump, error) {
	data, unmap, err := mapFile(f, size)
	if err != nil {
		return nil, fmt.Errorf("open config dump %s: %w", path, err)
	}
	d, err := Parse(data)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("%s: %w", path, err), unmap())
	}
	if len(d.data) > 0 && &d.data[0] == &data[0] {
		d.unmap = unmap
		return d, nil
	}
	return d, unmap() // decompressed or converted: the file is not needed any more
}

// Read reads a dump from a stream to its end.
func Read(r io.Reader) (*Dump, error) {
	data, err := readAll(bufio.NewReader(r))
	if err != nil {
		return nil, err
	}
	return Parse(data)
}

// Parse reads a dump from memory: JSON or YAML, plain, compressed with gzip, or alone in a tar archive. The text must not be
// changed afterwards.
func Parse(data []byte) (*Dump, error) {
	if bytes.HasPrefix(data, []byte{0x1f, 0x8b}) {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, fmt.Errorf("read config dump: %w", err)
		}
		if data, err = readAll(z); err != nil {
			return nil, err
		}
	}
	if isArchive(data) {
		var err error
		if data, err = fromArchive(data); err != nil {
			return nil, err
		}
	}
	text := bytes.TrimPrefix(data, []byte("\xef\xbb\xbf"))
	switch text = bytes.TrimLeft(text, " \t\r\n"); {
	case len(text) == 0:
		return nil, errors.New("read config dump: it is empty")
	case text[0] == '{':
		return build(data[len(data)-len(text):])
	case !utf8.Valid(text[:min(len(text), 512)]) && bytes.IndexByte(text[:min(len(text), 512)], 0) >= 0:
		return nil, errors.New("read config dump: binary data (JSON, YAML or gzip of either is expected)")
	case len(text) > maxYAML:
		return nil, fmt.Errorf("read config dump: %d MB of YAML (convert it to JSON, which has no such limit)", len(text)>>20)
	}
	converted, err := jsonFromYAML(text)
	if err != nil {
		return nil, fmt.Errorf("read config dump: %w", err)
	}
	return build(converted)
}

// readAll reads to the end, up to maxText.
func readAll(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxText+1))
	if err != nil {
		return nil, fmt.Errorf("read config dump: %w", err)
	}
	if len(data) > maxText {
		return nil, fmt.Errorf("read config dump: more than %d GB", maxText>>30)
	}
	return data, nil
}
