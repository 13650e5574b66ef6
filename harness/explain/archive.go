package explain

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/explain/logformat"
	"github.com/flowproof/lab/internal/bytesize"
	"github.com/flowproof/lab/internal/input"
)

// Limits of an archive: of one log, of one dump, and of all that is kept of it.
const (
	maxLog      = 256 << 20
	maxDump     = 512 << 20
	maxArchive  = 2 << 30
	maxKept     = 1 << 30
	mostProxies = 4096
)

// IsArchive says whether data is a tar archive, plain or compressed, as `istioctl bug-report` makes
// one.
func IsArchive(data []byte) bool {
	return len(data) > 262 && string(data[257:262]) == "ustar" || input.Compressed(data)
}

// An archived is what an archive has of one proxy.
type archived struct{ log, dump []byte }

// Archive reads the proxies of a bug-report archive: proxies/NAMESPACE/POD has the log and the dump
// of each.
func Archive(ctx context.Context, data []byte) ([]Part, error) {
	proxies, err := unpack(ctx, data)
	if err != nil {
		return nil, fmt.Errorf("read archive: %w", err)
	}
	if len(proxies) == 0 {
		return nil, errors.New("read archive: it has neither the log nor the dump of a proxy " +
			"(proxies/NAMESPACE/POD/istio-proxy.log and config_dump)")
	}
	var parts []Part
	for _, name := range slices.Sorted(maps.Keys(proxies)) {
		p := Part{Name: name, Proxy: path.Base(name) + "." + path.Base(path.Dir(name))}
		if text := proxies[name].dump; text != nil {
			if p.Dump, err = configdump.Parse(text); err != nil { // a ztunnel's has another form
				p.Dump, p.Problem = nil, fmt.Sprintf("its dump cannot be read: %v", err)
			}
		}
		p.Lines = Lines(proxies[name].log, p.Dump)
		parts = append(parts, p)
	}
	return parts, nil
}

// unpack returns the logs and dumps of an archive, by the folders that they are in.
func unpack(ctx context.Context, data []byte) (map[string]*archived, error) {
	data, err := input.Decompress(ctx, data, maxArchive)
	if err != nil {
		return nil, err
	}
	proxies, kept := map[string]*archived{}, 0
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return proxies, nil
		}
		if err != nil {
			return nil, err
		}
		dir, base := path.Split(path.Clean(h.Name))
		log, dump := base == "istio-proxy.log" || base == "proxy.log", strings.HasPrefix(base, "config_dump")
		if h.Typeflag != tar.TypeReg || !log && !dump {
			continue
		}
		limit := int64(maxLog)
		if dump {
			limit = maxDump
		}
		text, err := input.ReadAll(ctx, r, limit)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", h.Name, err)
		}
		if kept += len(text); kept > maxKept {
			return nil, fmt.Errorf("its logs and dumps have more than %s", bytesize.Text(maxKept))
		}
		name := strings.Trim(dir, "/")
		if proxies[name] == nil {
			if len(proxies) == mostProxies {
				return nil, fmt.Errorf("more than %d proxies", mostProxies)
			}
			proxies[name] = &archived{}
		}
		if log {
			proxies[name].log = text
		} else {
			proxies[name].dump = text
		}
	}
}

// Lines are the access log's lines in a log, read by the formats of a dump where there is one.
func Lines(text []byte, dump *configdump.Dump) []logformat.Line {
	var formats []*logformat.Format
	if dump != nil {
		formats = logformat.FromDump(dump)
	}
	lines, _ := logformat.ParseLog(text, formats)
	return lines
}
