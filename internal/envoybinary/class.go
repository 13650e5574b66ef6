package envoybinary

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"slices"
)

// A Vtable is one virtual table: At is what the first word of an object holds, Slots are the
// functions in order.
type Vtable struct {
	At    uint64   `json:"at"`
	Slots []uint64 `json:"slots"`
}

// Class finds the primary virtual tables of a class by the mangled name of its type: the name's
// literal, the type information that points to the literal, the tables that point to the type
// information with offset-to-top 0. A class whose construction goes through its bases has several.
// Source: Itanium C++ ABI, 2.5.2 and 2.9.4.
func (m *Image) Class(mangled string) []Vtable {
	primary, _ := m.tables(mangled)
	return primary
}

// tables finds the primary virtual tables of a class, and those of its other bases.
func (m *Image) tables(mangled string) (primary, secondary []Vtable) {
	for _, name := range m.literals(mangled) {
		for _, slot := range m.pointedAt[name] {
			for _, ref := range m.pointedAt[slot-8] { // std::type_info: its own table, then the name
				toTop := m.relro.from(ref - 8)
				t, ok := m.vtable(ref)
				switch {
				case !ok || len(toTop) < 8:
				case binary.LittleEndian.Uint64(toTop) == 0:
					primary = append(primary, t)
				default:
					secondary = append(secondary, t)
				}
			}
		}
	}
	slices.SortFunc(primary, func(a, b Vtable) int { return cmp.Compare(a.At, b.At) })
	return primary, secondary
}

// vtable reads the table whose pointer to type information is at ref.
func (m *Image) vtable(ref uint64) (Vtable, bool) {
	t := Vtable{At: ref + 8}
	for at := t.At; ; at += 8 {
		target, ok := m.pointers[at]
		if !ok {
			break
		}
		f, ok := m.FunctionAt(target)
		if !ok || f.From != target {
			break
		}
		t.Slots = append(t.Slots, target)
	}
	return t, len(t.Slots) > 0
}

// literals returns the addresses of a whole NUL-terminated string literal.
func (m *Image) literals(text string) []uint64 {
	var found []uint64
	for rest, base := m.rodata.data, uint64(0); ; {
		i := bytes.Index(rest, append([]byte(text), 0))
		if i < 0 {
			return found
		}
		if i+int(base) == 0 || m.rodata.data[int(base)+i-1] == 0 {
			found = append(found, m.rodata.at+base+uint64(i))
		}
		rest, base = rest[i+1:], base+uint64(i)+1
	}
}

// literal reads the string literal at an address.
func (m *Image) literal(address uint64) (string, bool) {
	const longest = 600
	b := m.rodata.from(address)
	end := bytes.IndexByte(b[:min(len(b), longest)], 0)
	if end <= 0 {
		return "", false
	}
	return string(b[:end]), true
}
