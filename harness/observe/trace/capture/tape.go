package capture

import "encoding/binary"

// A tape keeps samples of a ring buffer as they are, one after the other, until the watch is over:
// while it goes on, the buffer has to be emptied faster than a busy Envoy fills it. It is for one
// goroutine at a time.
type tape struct {
	chunks   [][]byte
	size     int    // bytes of all samples
	overflow uint64 // samples that were not kept
}

// How much a tape takes at once, and in all: one request makes half a megabyte.
const (
	chunkBytes = 1 << 20
	tapeBytes  = 512 << 20
)

const lengthBytes = 4

// add copies a sample to the end of the tape; a full tape counts it.
func (t *tape) add(sample []byte) {
	if t.size+len(sample) > tapeBytes {
		t.overflow++
		return
	}
	last := len(t.chunks) - 1
	if last < 0 || cap(t.chunks[last])-len(t.chunks[last]) < lengthBytes+len(sample) {
		t.chunks = append(t.chunks, make([]byte, 0, max(chunkBytes, lengthBytes+len(sample))))
		last++
	}
	chunk := binary.NativeEndian.AppendUint32(t.chunks[last], uint32(len(sample)))
	t.chunks[last] = append(chunk, sample...)
	t.size += len(sample)
}

// play calls each with every sample in the order in which they were added, and forgets them.
func (t *tape) play(each func(sample []byte)) {
	for i, chunk := range t.chunks {
		for len(chunk) > 0 {
			n := lengthBytes + int(binary.NativeEndian.Uint32(chunk))
			each(chunk[lengthBytes:n])
			chunk = chunk[n:]
		}
		t.chunks[i] = nil
	}
	t.chunks, t.size = nil, 0
}
