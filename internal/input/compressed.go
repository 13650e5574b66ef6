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
)

// What a compressed text may become: as much as any text, but of a small one not more than its own size times a ratio that no
// configuration of an Envoy comes near. JSON of thousands of services shrinks to a fiftieth; text that was made to fill a memory, to a
// thousandth.
const (
	freeText     = 128 << 20 // is allowed whatever the ratio
	mostRatio    = 200
	zstdWindow   = 64 << 20 // memory of the decoder
	gzipTrailer  = 4        // bytes of ISIZE, the size modulo 2^32 (RFC 1952, section 2.3.1)
	guessedRatio = 16       // by which a buffer is chosen where the text does not say its size
)

var (
	gzipMagic = []byte{0x1f, 0x8b}             // RFC 1952
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd} // RFC 8878
)

// Compressed reports whether data begins as gzip or zstd does.
func Compressed(data []byte) bool {
	return bytes.HasPrefix(data, gzipMagic) || bytes.HasPrefix(data, zstdMagic)
}

// Decompress returns the text of data in gzip or zstd, and any other data as they are. A text of more than limit bytes is ErrTooLarge,
// and so is one that is out of proportion to data.
func Decompress(ctx context.Context, data []byte, limit int64) ([]byte, error) {
	if !Compressed(data) {
		return data, nil
	}
	most := min(limit, max(freeText, mostRatio*int64(len(data))))
	reader, size, err := decoder(data)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	text := make([]byte, 0, min(size, most)+1)
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if len(text) == cap(text) {
			grown := make([]byte, len(text), min(2*int64(cap(text)), most+1))
			copy(grown, text)
			text = grown
		}
		n, err := reader.Read(text[len(text):min(cap(text), len(text)+chunk)])
		text = text[:len(text)+n]
		switch {
		case int64(len(text)) > most:
			return nil, fmt.Errorf("%w: it holds more than %s in %s (at most %s, and %d times what it takes)", ErrTooLarge, Size(most),
				Size(int64(len(data))), Size(limit), mostRatio)
		case errors.Is(err, io.EOF):
			return text, nil
		case err != nil:
			return nil, err
		}
	}
}

// decoder begins to decompress; size is what the text has as far as it says so itself, else a guess.
func decoder(data []byte) (io.ReadCloser, int64, error) {
	guess := guessedRatio * int64(len(data))
	if bytes.HasPrefix(data, gzipMagic) {
		z, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			return nil, 0, err
		}
		said := int64(binary.LittleEndian.Uint32(data[len(data)-gzipTrailer:]))
		if said > mostRatio*int64(len(data)) {
			said = guess // it lies, or there is more behind it
		}
		return z, max(said, 1), nil
	}
	z, err := zstd.NewReader(bytes.NewReader(data), zstd.WithDecoderMaxMemory(zstdWindow), zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderMaxWindow(zstdWindow))
	if err != nil {
		return nil, 0, err
	}
	var header zstd.Header
	if header.Decode(data) == nil && header.HasFCS && header.FrameContentSize <= uint64(mostRatio*int64(len(data))) {
		guess = int64(header.FrameContentSize)
	}
	return z.IOReadCloser(), max(guess, 1), nil
}
