package envoybinary

import (
	"encoding/binary"
	"errors"
	"runtime"
	"slices"
	"sync"

	"golang.org/x/arch/x86/x86asm"
)

// seeds are the formats of log statements that every Envoy of the last years has,
// spread over its source.
var seeds = []string{
	"tls:onServerName(), requestedServerName: {}", "original_dst: set destination to {}", "{}new connection from {}",
	"{}cluster '{}' match for URL '{}'", "creating a new connection (connecting={})",
	"{}using existing fully connected connection",
	"http inspector: set application protocol to {}", "{}socket event: {}", "{}writing {} bytes, end_stream {}",
	"{}pool ready",
}

// gate finds the function that every log statement calls first, at every log level: before it the
// statement does nothing, after it its format is referred to. Each seed votes for the functions
// that are called before its literal is used and whose bool result is tested at once; the one with
// the most votes wins, and it has to win clearly.
func (m *Image) gate() (uint64, error) {
	want := map[uint64]bool{}
	for _, seed := range seeds {
		for _, at := range m.literals(seed) {
			want[at] = true
		}
	}
	votes := map[uint64]int{}
	refs := m.references(want)
	for _, ref := range refs {
		for target := range m.candidates(ref) {
			votes[target]++
		}
	}
	best, second := uint64(0), 0
	for target, n := range votes {
		switch {
		case n > votes[best]:
			second, best = votes[best], target
		case n > second:
			second = n
		}
	}
	if votes[best] < 5 || votes[best] <= second || votes[best]*3 < len(refs)*2 {
		return 0, errors.New("no function is called before most log statements (is it Envoy with fine-grain logging?)")
	}
	return best, nil
}

// candidates are the functions that are called in a function before ref and whose result is tested
// as a bool soon after.
func (m *Image) candidates(ref uint64) map[uint64]bool {
	found := map[uint64]bool{}
	f, ok := m.FunctionAt(ref)
	if !ok {
		return found
	}
	for at := f.From; at < ref; {
		in, err := m.instruction(at)
		if err != nil {
			at++ // an instruction that the decoder does not know
			continue
		}
		at += uint64(in.Len)
		if target, ok := direct(in, at); ok && in.Op == x86asm.CALL && m.testsResult(at) {
			found[target] = true
		}
	}
	return found
}

// testsResult says whether one of the next instructions is test al,al.
func (m *Image) testsResult(at uint64) bool {
	for range 3 {
		in, err := m.instruction(at)
		if err != nil {
			return false
		}
		if in.Op == x86asm.TEST && in.Args[0] == x86asm.AL && in.Args[1] == x86asm.AL {
			return true
		}
		at += uint64(in.Len)
	}
	return false
}

func (m *Image) instruction(at uint64) (x86asm.Inst, error) {
	const longest = 15
	b := m.text.from(at)
	return x86asm.Decode(b[:min(len(b), longest)], 64)
}

// direct is the target of a call or jump that names it; next is the address after the instruction.
func direct(in x86asm.Inst, next uint64) (uint64, bool) {
	rel, ok := in.Args[0].(x86asm.Rel)
	return uint64(int64(next) + int64(rel)), ok
}

// references finds the lea instructions that load one of the wanted addresses relative to rip:
// REX.W 8D /r, mod 00, r/m 101.
func (m *Image) references(want map[uint64]bool) []uint64 {
	return m.scan(7, func(b []byte, at uint64) bool {
		return b[1] == 0x8d && b[0]&0xfb == 0x48 && b[2]&0xc7 == 5 && want[at+7+displacement(b[3:])]
	})
}

// calls finds the call instructions (E8 rel32) to a function.
func (m *Image) calls(target uint64) []uint64 {
	return m.scan(5, func(b []byte, at uint64) bool { return b[0] == 0xe8 && at+5+displacement(b[1:]) == target })
}

func displacement(b []byte) uint64 { return uint64(int64(int32(binary.LittleEndian.Uint32(b)))) }

// scan looks at every address of the text, with each CPU at a part of it, and returns those
// that fit, in order.
func (m *Image) scan(size int, fits func(b []byte, at uint64) bool) []uint64 {
	parts := runtime.GOMAXPROCS(0)
	found := make([][]uint64, parts)
	var group sync.WaitGroup
	last := len(m.text.data) - size
	for part := range parts {
		group.Go(func() {
			for i := part * (last + 1) / parts; i < (part+1)*(last+1)/parts; i++ {
				if at := m.text.at + uint64(i); fits(m.text.data[i:i+size], at) {
					found[part] = append(found[part], at)
				}
			}
		})
	}
	group.Wait()
	return slices.Concat(found...)
}

// probePoint is where in the gate a probe costs least: the kernel emulates a push, and has to
// step over an instruction that is relative to rip. The statement's return address is still on
// top of the stack there.
func (m *Image) probePoint(gate uint64) uint64 {
	at := gate
	for range 6 {
		in, err := m.instruction(at)
		if err != nil || in.Op == x86asm.CALL || in.Op == x86asm.RET {
			break
		}
		if in.Op == x86asm.PUSH {
			return at
		}
		at += uint64(in.Len)
	}
	return gate
}

// each calls do for 0 to n-1, on all CPUs.
func each(n int, do func(i int)) {
	parts := runtime.GOMAXPROCS(0)
	var group sync.WaitGroup
	for part := range parts {
		group.Go(func() {
			for i := part; i < n; i += parts {
				do(i)
			}
		})
	}
	group.Wait()
}
