//go:build linux

package probe

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"
	"github.com/cilium/ebpf/rlimit"
)

// A Set is a loaded set of programs. Close it after use; what it attached is detached then, and
// also when the process ends.
type Set struct {
	maps     map[string]*ebpf.Map
	programs map[string]*ebpf.Program
	sections map[string]string
	reader   *ringbuf.Reader
	rings    rings

	mu       sync.Mutex
	links    []link.Link
	statuses []Status
}

// Load loads a set's maps and each of its programs. A program that this kernel refuses is off and
// says so in Statuses; the error is for a set that cannot work at all. It needs root or CAP_BPF,
// CAP_PERFMON, and Linux 5.8.
func Load(spec *ebpf.CollectionSpec, variables map[string]any) (*Set, error) {
	if err := rlimit.RemoveMemlock(); err != nil && !errors.Is(err, os.ErrPermission) {
		return nil, fmt.Errorf("load probes: %w", err)
	}
	for name, value := range variables {
		v := spec.Variables[name]
		if v == nil {
			return nil, fmt.Errorf("load probes: there is no variable %s", name)
		}
		if err := v.Set(value); err != nil {
			return nil, fmt.Errorf("load probes: %w", err)
		}
	}
	s := &Set{programs: map[string]*ebpf.Program{}, sections: map[string]string{}}
	shared := spec.Copy()
	shared.Programs = nil
	collection, err := ebpf.NewCollection(shared)
	if err != nil {
		return nil, fmt.Errorf("load maps: %w (root, or CAP_BPF and CAP_PERFMON, and Linux 5.8 with BTF are needed)",
			err)
	}
	s.maps = collection.Maps
	for name, program := range spec.Programs {
		s.sections[name] = program.SectionName
	}
	s.loadAll(spec)
	if err := s.open(); err != nil {
		_ = s.Close()
		return nil, err
	}
	return s, nil
}

// open opens what events are read from.
func (s *Set) open() (err error) {
	if s.reader, err = ringbuf.NewReader(s.maps["events"]); err != nil {
		return fmt.Errorf("read ring buffer: %w", err)
	}
	if m := s.maps["rings"]; m != nil {
		return s.rings.open(m)
	}
	return nil
}

// loadAll loads the programs together, which is fast; where the kernel refuses one, each by itself.
func (s *Set) loadAll(spec *ebpf.CollectionSpec) {
	names := slices.Sorted(maps.Keys(spec.Programs))
	if s.load(spec, names) == nil {
		return
	}
	for _, name := range names {
		if err := s.load(spec, []string{name}); err != nil {
			s.note(Status{Name: name, Problem: fmt.Sprintf("load: %v", err)})
		}
	}
}

func (s *Set) load(spec *ebpf.CollectionSpec, names []string) error {
	some := spec.Copy()
	maps.DeleteFunc(some.Programs, func(name string, _ *ebpf.ProgramSpec) bool { return !slices.Contains(names, name) })
	loaded, err := ebpf.NewCollectionWithOptions(some, ebpf.CollectionOptions{MapReplacements: s.maps})
	if err != nil {
		return err
	}
	for _, name := range names {
		s.programs[name] = loaded.DetachProgram(name)
	}
	loaded.Close()
	return nil
}

func (s *Set) note(status Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.statuses = slices.DeleteFunc(s.statuses, func(old Status) bool { return old.Name == status.Name })
	s.statuses = append(s.statuses, status)
}

// Map is a map of the set by name; nil when there is none.
func (s *Set) Map(name string) *ebpf.Map { return s.maps[name] }

// Has says whether the set has a program of that name, loaded or refused.
func (s *Set) Has(name string) bool { return s.sections[name] != "" }

// Program is a program of the set by name; nil when the kernel refused it.
func (s *Set) Program(name string) *ebpf.Program { return s.programs[name] }

// netnsTries is in how many slots the programs look for a network namespace: NETNS_TRIES of
// ../include/probe.h.
const netnsTries = 4

// Watch makes the programs watch a network namespace, given by the inode number of
// /proc/PID/ns/net.
func (s *Set) Watch(netns uint32) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	table := s.maps["netnses"]
	for i := range uint32(netnsTries) {
		slot, there := (netns+i)%table.MaxEntries(), uint32(0)
		if err := table.Lookup(slot, &there); err != nil {
			return fmt.Errorf("watch network namespace %d: %w", netns, err)
		}
		if there != 0 && there != netns {
			continue
		}
		if err := table.Put(slot, netns); err != nil {
			return fmt.Errorf("watch network namespace %d: %w", netns, err)
		}
		return nil
	}
	return fmt.Errorf("watch network namespace %d: too many others are watched (watch fewer pods)", netns)
}

// AttachTracepoints attaches every program on a tracepoint (tp_btf). One that cannot be
// attached is off and says so.
func (s *Set) AttachTracepoints() {
	for _, name := range slices.Sorted(maps.Keys(s.programs)) {
		if strings.HasPrefix(s.sections[name], "tp_btf/") {
			l, err := link.AttachTracing(link.TracingOptions{Program: s.programs[name]})
			s.Attached(name, l, err)
		}
	}
}

// Attached notes that a probe is attached by l, or that it is not and why. The Set
// detaches l when it stops.
func (s *Set) Attached(name string, l link.Link, err error) {
	if err != nil {
		s.note(Status{Name: name, Problem: fmt.Sprintf("attach: %v", err)})
		return
	}
	s.mu.Lock()
	s.links = append(s.links, l)
	s.mu.Unlock()
	s.note(Status{Name: name, Attached: true})
}

// Status notes that a probe is attached, or that it is not and why; err is what its
// attachment ended with.
func (s *Set) Status(name string, err error) {
	if err != nil {
		s.Refused(name, fmt.Sprintf("attach: %v", err))
		return
	}
	s.note(Status{Name: name, Attached: true})
}

// Refused notes that a probe is off, and why.
func (s *Set) Refused(name, problem string) { s.note(Status{Name: name, Problem: problem}) }

// Iterate runs an iterator program once; what it finds comes as events.
func (s *Set) Iterate(name string) error {
	program := s.programs[name]
	if program == nil {
		return fmt.Errorf("iterate %s: the kernel refused the program", name)
	}
	iterator, err := link.AttachIter(link.IterOptions{Program: program})
	if err != nil {
		s.Refused(name, fmt.Sprintf("attach: %v", err))
		return fmt.Errorf("iterate %s: %w", name, err)
	}
	defer iterator.Close()
	run, err := iterator.Open()
	if err != nil {
		return fmt.Errorf("iterate %s: %w", name, err)
	}
	defer run.Close()
	if _, err := io.Copy(io.Discard, run); err != nil {
		return fmt.Errorf("iterate %s: %w", name, err)
	}
	s.note(Status{Name: name, Attached: true})
	return nil
}

// Statuses tells of each probe whether it is attached, in the order of names.
func (s *Set) Statuses() []Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.SortedFunc(slices.Values(s.statuses), func(a, b Status) int { return cmp.Compare(a.Name, b.Name) })
}

// Counts tells what the programs counted so far.
func (s *Set) Counts() (Counts, error) {
	var c Counts
	for i, sum := range []*uint64{&c.Emitted, &c.Lost} {
		var perCPU []uint64
		if err := s.maps["counters"].Lookup(uint32(i), &perCPU); err != nil {
			return c, fmt.Errorf("read counters: %w", err)
		}
		for _, n := range perCPU {
			*sum += n
		}
	}
	s.rings.count(&c)
	for name, program := range s.programs {
		stats, err := program.Stats()
		if err != nil {
			return c, fmt.Errorf("read statistics of %s: %w", name, err)
		}
		c.Missed += stats.RecursionMisses
	}
	return c, nil
}
