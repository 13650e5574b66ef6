//go:build linux && amd64

package prove

import (
	"encoding/binary"
	"fmt"
	"os"

	"github.com/flowproof/lab/internal/envoybinary"
)

// wordSize is the size of a pointer, and how objects' members are aligned.
const wordSize = 8

// memory reads a process's memory as the probes do. Pages are kept: what is read has to
// stand still meanwhile.
type memory struct {
	pid   int
	file  *os.File
	pages map[uint64][]byte // nil: cannot be read
}

const (
	pageSize = 4096
	highest  = 1 << 47 // of a program's addresses
)

// page returns a page of the memory; nil where there is none.
func (m *memory) page(number uint64) []byte {
	if number >= highest/pageSize {
		return nil
	}
	if page, ok := m.pages[number]; ok {
		return page
	}
	if m.file == nil {
		file, err := os.Open(fmt.Sprintf("/proc/%d/mem", m.pid))
		if err != nil {
			return nil
		}
		m.file, m.pages = file, map[uint64][]byte{}
	}
	page := make([]byte, pageSize)
	if n, err := m.file.ReadAt(page, int64(number*pageSize)); err != nil || n != pageSize {
		page = nil
	}
	m.pages[number] = page
	return page
}

// read returns n bytes; nil where they are not all there.
func (m *memory) read(address uint64, n int) []byte {
	var b []byte
	for len(b) < n {
		page := m.page((address + uint64(len(b))) / pageSize)
		if page == nil {
			return nil
		}
		rest := page[(address+uint64(len(b)))%pageSize:]
		b = append(b, rest[:min(len(rest), n-len(b))]...)
	}
	return b
}

// word reads a pointer; 0 where none can be read.
func (m *memory) word(address uint64) uint64 {
	if page := m.page(address / pageSize); page != nil && address%wordSize == 0 {
		return binary.LittleEndian.Uint64(page[address%pageSize:])
	}
	if b := m.read(address, wordSize); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

func (m *memory) close() {
	if m.file != nil {
		_ = m.file.Close()
	}
}

// follow goes a way from where it begins and reads the string at its end.
func (m *memory) follow(from uint64, way envoybinary.Way) string {
	for _, p := range way.Pointers {
		if from = m.word(from + uint64(int64(p))); from == 0 {
			return ""
		}
	}
	return m.text(from + uint64(int64(way.Offset)))
}

// text reads a std::string of libc++: see take_string in bpf/envoy/way.h.
func (m *memory) text(address uint64) string {
	const longest = 255
	s := m.read(address, 24)
	if s == nil {
		return ""
	}
	if s[0]&1 == 0 {
		if n := int(s[0] >> 1); n < len(s)-1 {
			return string(s[1 : 1+n])
		}
		return ""
	}
	size := binary.LittleEndian.Uint64(s[8:])
	if size > longest {
		return ""
	}
	return string(m.read(binary.LittleEndian.Uint64(s[16:]), int(size)))
}
