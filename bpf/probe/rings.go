//go:build linux

package probe

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"os"
	"sync"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// rings are a set's rings of memory, one for each CPU, in which a program builds events where they
// are read: struct ring of ../kernel/ring.h. The zero value is of a set that has none.
type rings struct {
	mu     sync.Mutex
	memory []byte // nil: none, or closed
	stride int    // from one CPU's ring to the next one's
}

// Where things are in a ring, in bytes.
const (
	ringEmitted = 8
	ringLost    = 16
	ringRead    = 64
	ringBytes   = 128
	entryHead   = 8                                // of an entry: its size comes first
	maxEntry    = entryHead + HeadSize + maxRecord // struct entry
	maxRecord   = 4096                             // bytes of data
)

// A ring has a power of two in bytes.
const (
	minRing  = 16 << 10
	busyRing = 512 << 10 // holds what a CPU that does nothing else makes while the ring is not emptied
	maxRing  = 8 << 20
	oldRing  = 2 << 20  // the most where a map's value has to be smaller than 4 MB
	allRings = 64 << 20 // of all CPUs together: a machine may have room for many more than it has
)

// SizeRings makes the rings of a set that is not loaded yet: together as large as buffer, as far as
// each may be as small or as large.
func SizeRings(spec *ebpf.CollectionSpec, buffer int) error {
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("size rings: %w", err)
	}
	size := ringSize(buffer, cpus)
	if size > oldRing && !takesLargeValues() {
		size = oldRing
	}
	page := os.Getpagesize()
	m := spec.Maps["rings"]
	m.MaxEntries, m.ValueSize = uint32(cpus), uint32((ringBytes+size+maxEntry+page-1)/page*page)
	m.Key, m.Value = nil, nil // the kernel compares a described type's size with the value's
	if err := spec.Variables["ring_size"].Set(uint64(size)); err != nil {
		return fmt.Errorf("size rings: %w", err)
	}
	return nil
}

func ringSize(buffer, cpus int) int {
	size := minRing
	for size < maxRing && 2*size <= max(buffer/cpus, min(buffer, busyRing)) && 2*size*cpus <= allRings {
		size *= 2
	}
	return size
}

// takesLargeValues asks the kernel for a map with a value of more than 4 MB.
func takesLargeValues() bool {
	m, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 2*oldRing + 8, MaxEntries: 1})
	if err != nil {
		return false
	}
	return m.Close() == nil
}

// open maps the rings into memory.
func (r *rings) open(m *ebpf.Map) error {
	r.stride = int(m.ValueSize())
	memory, err := unix.Mmap(m.FD(), 0, r.stride*int(m.MaxEntries()), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return fmt.Errorf("map rings into memory: %w", err)
	}
	r.memory = memory
	return nil
}

func (r *rings) close() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.memory == nil {
		return nil
	}
	memory := r.memory
	r.memory = nil
	return unix.Munmap(memory)
}

// each calls do with every CPU's ring.
func (r *rings) each(do func(cpu int, ring []byte) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	for cpu, rest := 0, r.memory; len(rest) > 0; cpu, rest = cpu+1, rest[r.stride:] {
		if err := do(cpu, rest[:r.stride]); err != nil {
			return err
		}
	}
	return nil
}

// empty calls each with every sample that is there. A sample is valid until each returns.
func (r *rings) empty(each func(sample []byte)) error {
	return r.each(func(cpu int, ring []byte) error {
		if err := emptyRing(ring, each); err != nil {
			return fmt.Errorf("read ring of CPU %d: %w", cpu, err)
		}
		return nil
	})
}

// count adds what the rings' program counted.
func (r *rings) count(c *Counts) {
	_ = r.each(func(_ int, ring []byte) error {
		c.Emitted += atomic.LoadUint64(position(ring, ringEmitted))
		c.Lost += atomic.LoadUint64(position(ring, ringLost))
		return nil
	})
}

// emptyRing reads one ring as far as it is written. What cannot be an entry ends it: it is unknown
// where the next one begins.
func emptyRing(ring []byte, each func(sample []byte)) error {
	bytes := ring[ringBytes:]
	size := uint64(1) << (bits.Len(uint(len(bytes))) - 1) // what is beyond is less than that
	written, read := atomic.LoadUint64(position(ring, 0)), atomic.LoadUint64(position(ring, ringRead))
	if written-read > size {
		return fmt.Errorf("%d bytes were written since byte %d of a ring of %d", written-read, read, size)
	}
	for read != written {
		entry := bytes[read&(size-1):]
		n := binary.NativeEndian.Uint64(entry)
		next := read + n
		if (next^read)&^(size-1) != 0 {
			next &^= size - 1
		}
		if n < entryHead+HeadSize || n > maxEntry || next-read > written-read {
			return fmt.Errorf("an entry at byte %d has %d bytes", read, n)
		}
		each(entry[entryHead:n])
		read = next
	}
	atomic.StoreUint64(position(ring, ringRead), read)
	return nil
}

// position is a number of a ring's, which the program and we write in turn: a plain
// load might not see it.
func position(ring []byte, at int) *uint64 { return (*uint64)(unsafe.Pointer(&ring[at])) }
