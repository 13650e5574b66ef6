//go:build linux && amd64

// Package envoy is the set of probes on a running Envoy: which log statements it reaches, values
// that only it knows, and which upstream connection a downstream one's request is given. It needs
// Linux 5.15 with BTF; from 6.10 on the probes of a program on a process are one link. See
// README.md for a transcript.
package envoy

import (
	"errors"
	"fmt"
	"math"
	"os"
	"sync"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/bpf/probe"
)

// Probes is a loaded set, and the recipes that are in use.
type Probes struct {
	*probe.Set
	multi bool
	next  int
}

// DefaultBuffer is the size of the ring buffer in bytes: a worker that is busy reaches a hundred
// log statements a request.
const DefaultBuffer = 32 << 20

// Load loads the set. Nothing is attached yet.
func Load() (*Probes, error) { return load(DefaultBuffer) }

func load(buffer uint32) (*Probes, error) {
	spec, err := loadEnvoy()
	if err != nil {
		return nil, fmt.Errorf("load probes on Envoy: %w", err)
	}
	spec.Maps["events"].MaxEntries = buffer
	p := &Probes{multi: HaveMulti() == nil}
	if p.multi {
		for _, program := range spec.Programs {
			program.AttachType = ebpf.AttachTraceUprobeMulti
		}
	}
	if p.Set, err = probe.Load(spec, nil); err != nil {
		return nil, fmt.Errorf("load probes on Envoy: %w", err)
	}
	return p, nil
}

// Read calls each with every event until the set is flushed or closed; see probe.Set.
func (p *Probes) Read(each func(probe.Record)) error {
	var decoder Decoder
	var damaged error
	err := p.ReadSamples(func(sample []byte) {
		record, ok, err := decoder.Decode(sample)
		if err != nil {
			damaged = errors.Join(damaged, err)
		} else if ok {
			each(record)
		}
	})
	return errors.Join(err, damaged)
}

// HaveMulti says whether the kernel attaches many uprobes by one link, and rightly (Linux
// 6.10): nil, or why not.
var HaveMulti = sync.OnceValue(func() error {
	spec, err := loadEnvoy()
	if err != nil {
		return err
	}
	program := spec.Programs["value"].Copy()
	program.AttachType = ebpf.AttachTraceUprobeMulti
	spec.Programs = map[string]*ebpf.ProgramSpec{"value": program}
	collection, err := ebpf.NewCollection(spec)
	if err != nil {
		return err
	}
	defer collection.Close()
	self, err := link.OpenExecutable("/proc/self/exe")
	if err != nil {
		return err
	}
	// The first kernels that had it took one thread for the whole process. Those that do not any
	// more say at once that process -1 cannot be, the others that it is not there.
	l, err := self.UprobeMulti(nil, collection.Programs["value"], &link.UprobeMultiOptions{Addresses: []uint64{1},
		PID: math.MaxUint32})
	switch {
	case err == nil:
		return l.Close()
	case errors.Is(err, os.ErrNotExist):
		return errors.New("only a process's first thread would be probed (Linux 6.10 has it right)")
	case errors.Is(err, unix.EINVAL):
		return nil // refused for the process, not for the kind
	}
	return err
})

// Attach puts recipes on a process, all its threads, and on no other. exe is its executable, as
// /proc/PID/exe. It returns the number of the first recipe: an event of the i-th one has Result
// first+i, where it has a value.
func (p *Probes) Attach(pid int, exe string, recipes []Recipe) (first int, err error) {
	first = p.next
	if first+len(recipes) > maxRecipes {
		return first, fmt.Errorf("attach to process %d: more than %d probes", pid, maxRecipes)
	}
	executable, err := link.OpenExecutable(exe)
	if err != nil {
		return first, fmt.Errorf("attach to process %d: %w", pid, err)
	}
	for i, r := range recipes {
		raw, err := r.raw()
		if err != nil {
			return first, err
		}
		if err := p.Map("recipes").Put(uint32(first+i), &raw); err != nil {
			return first, fmt.Errorf("attach %s: %w", r.Name, err)
		}
	}
	p.next += len(recipes)
	for _, name := range []string{"value", "gate"} {
		p.attach(pid, executable, name, first, recipes)
	}
	for i, r := range recipes {
		if len(r.Sites) > 0 {
			p.attachSites(pid, executable, first+i, r)
		}
	}
	return first, nil
}

// attachSites attaches a probe to each of the recipe's statements, all by one link.
func (p *Probes) attachSites(pid int, executable *link.Executable, number int, r Recipe) {
	loaded := p.Program("site")
	if loaded == nil {
		return
	}
	if !p.multi {
		p.Refused(r.On(pid), fmt.Sprintf("attach %d probes: %v", len(r.Sites), HaveMulti()))
		return
	}
	opts := &link.UprobeMultiOptions{PID: uint32(pid)}
	for _, site := range r.Sites {
		opts.Addresses = append(opts.Addresses, site.FileOffset)
		opts.Cookies = append(opts.Cookies, uint64(number)<<returnBits|site.Return)
	}
	l, err := executable.UprobeMulti(nil, loaded, opts)
	p.Attached(r.On(pid), l, err)
}

// attach attaches one program to the recipes that it is for, by one link or by one each.
func (p *Probes) attach(pid int, executable *link.Executable, program string, first int, recipes []Recipe) {
	opts := &link.UprobeMultiOptions{PID: uint32(pid)}
	var names []string
	for i, r := range recipes {
		if len(r.Sites) == 0 && (r.Kind == Statement) == (program == "gate") {
			opts.Addresses, opts.Cookies = append(opts.Addresses, r.FileOffset), append(opts.Cookies, uint64(first+i))
			names = append(names, r.On(pid))
		}
	}
	loaded := p.Program(program)
	switch {
	case len(names) == 0 || loaded == nil:
		return
	case p.multi:
		l, err := executable.UprobeMulti(nil, loaded, opts)
		for _, name := range names {
			p.Status(name, err)
		}
		p.Attached(fmt.Sprintf("%s of process %d", program, pid), l, err)
	default:
		for i, name := range names {
			l, err := executable.Uprobe("", loaded, &link.UprobeOptions{Address: opts.Addresses[i],
				Cookie: opts.Cookies[i], PID: pid})
			p.Attached(name, l, err)
		}
	}
}

// raw is the recipe as the programs read it.
func (r Recipe) raw() (envoyRecipe, error) {
	raw := envoyRecipe{Probe: r.Probe, CallerFrom: r.CallerFrom, CallerTo: r.CallerTo, Kind: uint32(r.Kind)}
	if len(r.Tables) > maxTables || len(r.Ways) > maxWays {
		return raw, fmt.Errorf("attach %s: %d tables and %d ways are more than a probe can follow", r.Name,
			len(r.Tables), len(r.Ways))
	}
	if r.View {
		raw.View = 1
	}
	copy(raw.Tables[:], r.Tables)
	raw.Number.From = nowhere
	for i := range raw.Ways {
		raw.Ways[i].From = nowhere
	}
	for i, way := range r.Ways {
		if err := way.into(&raw.Ways[i]); err != nil {
			return raw, fmt.Errorf("attach %s: %w", r.Name, err)
		}
	}
	if r.Number != nil {
		if err := r.Number.into(&raw.Number); err != nil {
			return raw, fmt.Errorf("attach %s: %w", r.Name, err)
		}
	}
	return raw, nil
}

// nowhere is the argument of a way that there is not.
const nowhere = maxArgument + 1

// into writes the way as the programs read it.
func (w Way) into(raw *envoyWay) error {
	if w.From < 0 || w.From > maxArgument || len(w.Pointers) > maxPointers {
		return fmt.Errorf("%d pointers from argument %d are more than a probe can follow", len(w.Pointers), w.From)
	}
	raw.From, raw.Steps = uint32(w.From), uint32(len(w.Pointers))
	copy(raw.Offsets[:], w.Pointers)
	raw.Offsets[maxPointers] = w.Offset
	return nil
}
