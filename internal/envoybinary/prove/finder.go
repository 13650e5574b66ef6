//go:build linux && amd64

package prove

import (
	"fmt"
	"slices"

	"github.com/flowproof/lab/internal/envoybinary"
)

// A finder goes the same way in all samples at once. It follows only pointers that lead, in each of
// them, to an object of the same class, and no pointers to what samples share that have to end
// differently: so few are left that the shortest way is found fast.
type finder struct {
	memory *memory
	is     func(m *memory, at uint64, wanted string) bool
	wanted []string
	queue  []reached
	seen   map[string]bool
}

// Reached is a way that was gone so far, and where it led in each sample.
type reached struct {
	way envoybinary.Way
	at  []uint64
}

// How far is searched: in each object, and along how many pointers.
const (
	searchedSize = 2048
	searchedWay  = 5
	searchedMost = 200_000 // ways
)

func newFinder(m *memory, samples []sample, wanted end) *finder {
	s := &finder{memory: m, is: wanted.is, seen: map[string]bool{}}
	for _, of := range samples {
		s.wanted = append(s.wanted, wanted.text(of.HeldRequest))
	}
	for number := range samples[0].arguments {
		var at []uint64
		for _, of := range samples {
			at = append(at, of.arguments[number])
		}
		s.add(reached{envoybinary.Way{From: number}, at})
	}
	return s
}

// add queues what can lead on.
func (s *finder) add(next reached) {
	key := fmt.Sprint(next.at)
	if s.seen[key] || len(s.seen) >= searchedMost {
		return
	}
	table := s.table(next.at[0])
	if table == 0 {
		return
	}
	for i, at := range next.at {
		if s.table(at) != table {
			return
		}
		for k := range i {
			if next.at[k] == at && s.wanted[k] != s.wanted[i] {
				return
			}
		}
	}
	s.seen[key] = true
	s.queue = append(s.queue, next)
}

// table is the virtual table of the object at an address; 0 where there is none. Before a
// table stand the distance to the object's top and a pointer to type information. Source:
// Itanium C++ ABI, 2.5.2.
func (s *finder) table(at uint64) uint64 {
	if at == 0 || at%wordSize != 0 {
		return 0
	}
	table := s.memory.word(at)
	if table == 0 || table%wordSize != 0 || s.memory.word(table) == 0 || s.memory.word(table-wordSize) == 0 {
		return 0
	}
	if top := s.top(at, table); top > at || at-top > searchedSize {
		return 0
	}
	return table
}

// top is where the object begins: a pointer may lead to the part of it that is a base.
func (s *finder) top(at, table uint64) uint64 { return at + s.memory.word(table-2*wordSize) }

// run searches for ways that end at what is wanted, the shortest first, at most so many.
func (s *finder) run(most int) (found []envoybinary.Way) {
	for len(s.queue) > 0 && len(found) < most {
		here := s.queue[0]
		s.queue = s.queue[1:]
		from := int64(s.top(here.at[0], s.table(here.at[0]))) - int64(here.at[0])
		for offset := from; offset < from+searchedSize; offset += wordSize {
			if s.ends(here, offset) {
				way := here.way
				way.Offset = int32(offset)
				found = append(found, way)
			}
			if len(here.way.Pointers) < searchedWay {
				s.add(here.on(s.memory, offset))
			}
		}
	}
	return found[:min(len(found), most)]
}

// ends says whether what is wanted stands at an offset.
func (s *finder) ends(here reached, offset int64) bool {
	for i, at := range here.at {
		if !s.is(s.memory, at+uint64(offset), s.wanted[i]) {
			return false
		}
	}
	return true
}

// on follows the pointers at an offset.
func (from reached) on(m *memory, offset int64) reached {
	next := reached{way: from.way, at: make([]uint64, len(from.at))}
	next.way.Pointers = append(slices.Clone(from.way.Pointers), int32(offset))
	for i, at := range from.at {
		next.at[i] = m.word(at + uint64(offset))
	}
	return next
}
