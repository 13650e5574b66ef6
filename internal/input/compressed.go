package input

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"

	"github.com/flowproof/lab/internal/bytesize"
)

// What a compressed text may become: as much as any text, but of a small one not more than its own
// size times a ratio that no configuration of an Envoy comes near. JSON of thousands of services
// shrinks to a fiftieth; text that was made to fill a memory, to a thousandth.
const (
	freeText    = 128 << 20 // is allowed at any ratio
	mostRatio   = 200
	zstdWindow  = 64 << 20 // memory of the decoder
	gzipTrailer = 4        // bytes of ISIZE, the size modulo 2^32 (RFC 1952, section 2.3.1)
)

var (
	gzipMagic = []byte{0x1f, 0x8b}             // RFC 1952
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd} // RFC 8878
)

// Compressed reports whether data begins as gzip or zstd does.
func Compressed(data []byte) bool {
	return bytes.HasPrefix(data, gzipMagic) || bytes.HasPrefix(data, zstdMagic)
}

// Decompress returns the text of data in gzip or zstd, and any other data as they are. A text of
// more than limit bytes is ErrTooLarge, and so is one that is out of proportion to data. It takes
// no more memory than the text does: where data do not say truly how large it is, it is
// decompressed twice, the first time to count.
func Decompress(ctx context.Context, data []byte, limit int64) ([]byte, error) {
	if !Compressed(data) {
		return data, nil
	}
	most := min(limit, max(freeText, mostRatio*int64(len(data))))
	size := said(data)
	if size <= 0 || size > most {
		var err error
		if size, err = count(ctx, data, most); err != nil {
			return nil, err
		}
	}
	text, err := fill(ctx, data, size)
	if errors.Is(err, errMore) {
		if size, err = count(ctx, data, most); err == nil {
			text, err = fill(ctx, data, size)
		}
	}
	return text, err
}

// errMore says that a text has more bytes than it says.
var errMore = errors.New("there is more text than it says")

// fill decompresses a text of at most size bytes.
func fill(ctx context.Context, data []byte, size int64) ([]byte, error) {
	reader, err := decoder(data)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	text := make([]byte, 0, size+1) // one more tells that there is more
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		n, err := reader.Read(text[len(text):min(cap(text), len(text)+chunk)])
		text = text[:len(text)+n]
		switch {
		case int64(len(text)) > size:
			return nil, errMore
		case errors.Is(err, io.EOF):
			return text, nil
		case err != nil:
			return nil, err
		}
	}
}

// count decompresses a text without keeping it, and returns how many bytes it has, or ErrTooLarge
// as soon as it has more than most.
func count(ctx context.Context, data []byte, most int64) (int64, error) {
	reader, err := decoder(data)
	if err != nil {
		return 0, err
	}
	defer reader.Close()
	buffer := make([]byte, chunk)
	for size := int64(0); ; {
		if ctx.Err() != nil {
			return 0, context.Cause(ctx)
		}
		n, err := reader.Read(buffer)
		size += int64(n)
		switch {
		case size > most:
			return 0, fmt.Errorf("%w: it holds more than %s in %s (a text may have %d times what it takes, or %s)",
				ErrTooLarge, bytesize.Text(most), bytesize.Text(int64(len(data))), mostRatio, bytesize.Text(freeText))
		case errors.Is(err, io.EOF):
			return size, nil
		case err != nil:
			return 0, err
		}
	}
}

// decoder begins to decompress.
func decoder(data []byte) (io.ReadCloser, error) {
	if bytes.HasPrefix(data, gzipMagic) {
		return gzip.NewReader(bytes.NewReader(data))
	}
	z, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderMaxMemory(zstdWindow),
		zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(zstdWindow))
	if err != nil {
		return nil, err
	}
	return z.IOReadCloser(), nil
}

// said is how large a text says that it is; 0 where it does not. The last member of several in
// gzip says its own size.
func said(data []byte) int64 {
	if bytes.HasPrefix(data, gzipMagic) && len(data) > gzipTrailer {
		return int64(binary.LittleEndian.Uint32(data[len(data)-gzipTrailer:]))
	}
	var header zstd.Header
	if header.Decode(data) == nil && header.HasFCS && header.FrameContentSize <= 1<<62 {
		return int64(header.FrameContentSize)
	}
	return 0
}
