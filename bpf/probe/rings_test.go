//go:build linux

package probe

import (
	"encoding/binary"
	"math"
	"slices"
	"testing"
)

// testRing is the smallest ring, without a map.
const testRing = minRing

func newRing() []byte { return make([]byte, ringBytes+testRing+maxEntry) }

// write puts an entry with data into a ring as publish of ../kernel/ring.h does.
func write(ring []byte, data int) {
	written := *position(ring, 0)
	n := uint64(entryHead+HeadSize+data+7) &^ 7
	entry := ring[ringBytes+written%testRing:][:n]
	binary.NativeEndian.PutUint64(entry, n)
	binary.NativeEndian.PutUint32(entry[entryHead+44:], uint32(data))
	for i := range data {
		entry[entryHead+HeadSize+i] = byte(data)
	}
	next := written + n
	if next/testRing != written/testRing {
		next -= next % testRing
	}
	*position(ring, 0) = next
}

// read empties a ring and returns how many bytes of data each event has.
func read(t *testing.T, ring []byte) (sizes []int) {
	t.Helper()
	err := emptyRing(ring, func(sample []byte) {
		r, err := Decode(sample)
		if err != nil {
			t.Fatal(err)
		}
		for _, b := range r.Data {
			if b != byte(len(r.Data)) {
				t.Fatalf("of %d bytes of data one is %d", len(r.Data), b)
			}
		}
		sizes = append(sizes, len(r.Data))
	})
	if err != nil {
		t.Fatal(err)
	}
	return sizes
}

func TestRing(t *testing.T) {
	small, long := slices.Repeat([]int{16}, 50), slices.Repeat([]int{4095}, 3)
	for _, tt := range []struct {
		name   string
		rounds [][]int // bytes of data of what is written before the ring is emptied
	}{
		{"nothing", [][]int{nil}},
		{"one, then nothing", [][]int{{0}, nil}},
		{"sizes that are no multiple of 8", [][]int{{1, 7, 8, 9, 0, 4095}}},
		{"round and round", [][]int{small, small, small, small, small, small}},
		{"the longest runs on beyond the end", [][]int{long, long, long, {5}, long, small}},
		{"exactly to the end", [][]int{slices.Repeat([]int{128 - 8}, 64), {3}}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			ring := newRing()
			for i, want := range tt.rounds {
				for _, data := range want {
					write(ring, data)
				}
				if got := read(t, ring); !slices.Equal(got, want) {
					t.Errorf("round %d: read %v, written was %v", i, got, want)
				}
			}
		})
	}
}

func TestDamagedRing(t *testing.T) {
	for name, damage := range map[string]func(ring []byte){
		"an entry of no bytes":          func(ring []byte) { ring[ringBytes] = 0 },
		"an entry without a whole head": func(ring []byte) { ring[ringBytes] = HeadSize },
		"an entry that is too long": func(ring []byte) {
			binary.NativeEndian.PutUint64(ring[ringBytes:], maxEntry+8)
		},
		"an entry that never ends": func(ring []byte) {
			binary.NativeEndian.PutUint64(ring[ringBytes:], math.MaxUint64)
		},
		"more than was written":       func(ring []byte) { ring[ringBytes] += 8 },
		"more than there is room for": func(ring []byte) { *position(ring, 0) = testRing + 8 },
		"less than was read":          func(ring []byte) { *position(ring, ringRead) = *position(ring, 0) + 8 },
	} {
		ring := newRing()
		write(ring, 0)
		damage(ring)
		if err := emptyRing(ring, func([]byte) {}); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestRingSize(t *testing.T) {
	for _, tt := range []struct{ buffer, cpus, want int }{
		{4096, 1, minRing},
		{16 << 20, 1, maxRing},
		{16 << 20, 2, 8 << 20},
		{16 << 20, 12, 1 << 20},
		{16 << 20, 120, busyRing},
		{16 << 20, 240, busyRing / 2},
		{128 << 10, 8, 128 << 10},
	} {
		if got := ringSize(tt.buffer, tt.cpus); got != tt.want {
			t.Errorf("buffer of %d bytes, %d CPUs: a ring of %d bytes, want %d", tt.buffer, tt.cpus, got, tt.want)
		}
	}
}

func FuzzRing(f *testing.F) {
	ring := newRing()
	write(ring, 16)
	write(ring, 0)
	f.Add(*position(ring, 0), uint64(0), ring[ringBytes:][:1024])
	f.Add(uint64(testRing), uint64(testRing-8), []byte{})
	f.Fuzz(func(t *testing.T, written, read uint64, bytes []byte) {
		ring := newRing()
		*position(ring, 0), *position(ring, ringRead) = written, read
		copy(ring[ringBytes:], bytes)
		samples := 0
		err := emptyRing(ring, func(sample []byte) {
			if samples++; len(sample) < HeadSize {
				t.Errorf("a sample of %d bytes", len(sample))
			}
		})
		if err == nil && *position(ring, ringRead) != written || samples > testRing/HeadSize {
			t.Errorf("%d samples, read as far as %d of %d: %v", samples, *position(ring, ringRead), written, err)
		}
	})
}
