// Package symbols finds in an Envoy binary what probes need, also when the binary is stripped:
// every log statement, the bounds of functions, and the virtual tables of classes. Everything is
// read from what a running C++ program cannot do without: string literals, unwinding tables,
// run-time type information, relocations.
//
// What it finds is a candidate. Whether values read there are right is proven on the running binary
// (package proof); nothing that was not proven is used.
package envoybinary

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"slices"
)

// A section is the content of an ELF section and the address that it is linked at.
type section struct {
	at   uint64
	data []byte
}

// from returns the bytes from an address on; nil outside the section.
func (s section) from(address uint64) []byte {
	if address < s.at || address >= s.at+uint64(len(s.data)) {
		return nil
	}
	return s.data[address-s.at:]
}

// A Function is a function's bounds: addresses as linked, To exclusive.
type Function struct {
	From uint64 `json:"from"`
	To   uint64 `json:"to"`
}

// Contains says whether an address is in the function.
func (f Function) Contains(address uint64) bool { return address >= f.From && address < f.To }

// An Image is an ELF executable for x86-64, read as far as recovery needs.
type Image struct {
	BuildID   string
	text      section
	rodata    section
	relro     section // where virtual tables are
	segments  []elf.ProgHeader
	functions []Function          // sorted
	pointers  map[uint64]uint64   // what a relocated slot points to
	pointedAt map[uint64][]uint64 // the slots that point to an address
	names     map[string]uint64   // symbols, where there are any
}

// Open reads an executable. The error says what kind of binary it is not.
func Open(path string) (*Image, error) {
	file, err := elf.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read symbols of %s: %w", path, err)
	}
	defer file.Close()
	img := &Image{pointers: map[uint64]uint64{}, pointedAt: map[uint64][]uint64{}, names: map[string]uint64{}}
	if err := img.read(file); err != nil {
		return nil, fmt.Errorf("read symbols of %s: %w", path, err)
	}
	return img, nil
}

func (m *Image) read(file *elf.File) error {
	if file.Machine != elf.EM_X86_64 || file.Class != elf.ELFCLASS64 {
		return fmt.Errorf("it is for %s, and only x86-64 is understood", file.Machine)
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_LOAD {
			m.segments = append(m.segments, p.ProgHeader)
		}
	}
	sections := map[string]section{}
	for _, name := range []string{".text", ".rodata", ".eh_frame_hdr", ".eh_frame", ".rela.dyn", ".data.rel.ro",
		".note.gnu.build-id"} {
		s := file.Section(name)
		if s == nil || s.Type == elf.SHT_NOBITS {
			return fmt.Errorf("there is no section %s", name)
		}
		data, err := s.Data()
		if err != nil {
			return fmt.Errorf("section %s: %w", name, err)
		}
		sections[name] = section{s.Addr, data}
	}
	m.text, m.rodata, m.relro = sections[".text"], sections[".rodata"], sections[".data.rel.ro"]
	var err error
	if m.BuildID, err = buildID(sections[".note.gnu.build-id"].data); err != nil {
		return err
	}
	if m.functions, err = bounds(sections[".eh_frame_hdr"], sections[".eh_frame"]); err != nil {
		return err
	}
	m.relocations(sections[".rela.dyn"].data)
	if symbols, err := file.Symbols(); err == nil {
		for _, s := range symbols {
			if elf.ST_TYPE(s.Info) == elf.STT_FUNC && s.Value != 0 {
				m.names[s.Name] = s.Value
			}
		}
	}
	return nil
}

// buildID reads the note that the linker writes. Source: elf(5), "Notes".
func buildID(note []byte) (string, error) {
	if len(note) < 16 || binary.LittleEndian.Uint32(note[8:]) != 3 {
		return "", errors.New("there is no build id")
	}
	size := uint64(binary.LittleEndian.Uint32(note[4:]))
	if size == 0 || size > 64 || uint64(len(note)) < 16+size {
		return "", errors.New("the build id is damaged")
	}
	return hex.EncodeToString(note[16 : 16+size]), nil
}

// bounds reads where functions begin and end from the unwinding tables. Source: Linux Standard
// Base, "Exception Frames": the binary search table of .eh_frame_hdr holds pairs of offsets that
// are relative to the section.
func bounds(header, frames section) ([]Function, error) {
	const tableEncoding = 0x3b // DW_EH_PE_datarel | DW_EH_PE_sdata4
	h := header.data
	if len(h) < 12 || h[0] != 1 || h[3] != tableEncoding {
		return nil, errors.New("the table of functions in .eh_frame_hdr has an encoding that is not understood")
	}
	count := int(binary.LittleEndian.Uint32(h[8:]))
	if count > (len(h)-12)/8 {
		return nil, errors.New("the table of functions in .eh_frame_hdr is cut off")
	}
	at := func(offset int) uint64 {
		return header.at + uint64(int64(int32(binary.LittleEndian.Uint32(h[offset:]))))
	}
	functions := make([]Function, 0, count)
	for i := range count {
		entry := frames.from(at(16 + 8*i))
		if len(entry) < 16 {
			return nil, errors.New("the table of functions in .eh_frame_hdr points outside .eh_frame")
		}
		from := at(12 + 8*i)
		functions = append(functions, Function{from, from + uint64(binary.LittleEndian.Uint32(entry[12:]))})
	}
	slices.SortFunc(functions, func(a, b Function) int { return cmp.Compare(a.From, b.From) })
	return functions, nil
}

// relocations reads which slots of data point where: of a position-independent executable every
// pointer is relocated.
func (m *Image) relocations(rela []byte) {
	for ; len(rela) >= 24; rela = rela[24:] {
		if uint32(binary.LittleEndian.Uint64(rela[8:])) == uint32(elf.R_X86_64_RELATIVE) {
			slot, target := binary.LittleEndian.Uint64(rela), binary.LittleEndian.Uint64(rela[16:])
			m.pointers[slot] = target
			m.pointedAt[target] = append(m.pointedAt[target], slot)
		}
	}
}

// FunctionAt is the function that an address is in.
func (m *Image) FunctionAt(address uint64) (Function, bool) {
	i, exact := slices.BinarySearchFunc(m.functions, address, func(f Function, a uint64) int {
		return cmp.Compare(f.From, a)
	})
	if !exact {
		i--
	}
	if i < 0 || !m.functions[i].Contains(address) {
		return Function{}, false
	}
	return m.functions[i], true
}

// FileOffset is where an address is in the file, which is how the kernel is told a probe's place.
func (m *Image) FileOffset(address uint64) (uint64, bool) {
	for _, s := range m.segments {
		if address >= s.Vaddr && address < s.Vaddr+s.Filesz {
			return address - s.Vaddr + s.Off, true
		}
	}
	return 0, false
}
