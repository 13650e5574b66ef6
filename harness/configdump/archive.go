package configdump

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"

	"github.com/flowproof/lab/internal/input"
)

// isArchive says whether data is a tar archive, as `istioctl bug-report` makes one.
func isArchive(data []byte) bool { return len(data) > 262 && string(data[257:262]) == "ustar" }

// fromArchive returns the one config dump in a tar archive. Where there are several it names them:
// which proxy is meant, only the user knows.
func fromArchive(ctx context.Context, data []byte) ([]byte, error) {
	var names []string
	var dump []byte
	for r := tar.NewReader(bytes.NewReader(data)); ; {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: archive: %w", ErrRead, err)
		}
		if h.Typeflag != tar.TypeReg || !strings.HasPrefix(path.Base(h.Name), "config_dump") {
			continue
		}
		if names = append(names, h.Name); len(names) > 1 {
			continue
		}
		if dump, err = input.ReadAll(ctx, r, maxText); err != nil { // a sparse file has any size
			return nil, fmt.Errorf("%w: archive: %s: %w", ErrRead, h.Name, err)
		}
	}
	switch len(names) {
	case 0:
		return nil, fmt.Errorf("%w: the archive has no config_dump", ErrRead)
	case 1:
		return dump, nil
	}
	shown := strings.Join(names[:min(len(names), 5)], ", ")
	if len(names) > 5 {
		shown += fmt.Sprintf(" and %d more", len(names)-5)
	}
	return nil, fmt.Errorf("%w: the archive has %d config dumps: %s (take one out: tar -xOf ARCHIVE %s | lab infer "+
		"--dump - …)", ErrRead, len(names), shown, names[0])
}
