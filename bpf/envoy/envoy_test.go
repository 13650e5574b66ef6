//go:build linux && amd64

package envoy

import (
	"debug/elf"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/flowproof/lab/bpf/internal/probetest"
	"github.com/flowproof/lab/bpf/probe"
)

func TestMain(m *testing.M) { probetest.Main(m) }

// A subject is a program whose function write(fd, bytes, length) is probed: its second and third
// argument are what those of a function with a string_view are.
type subject struct {
	command *exec.Cmd
	stdin   io.WriteCloser
	stdout  io.ReadCloser
	library string
	write   elf.Symbol
	offset  uint64 // of write in the library's file
}

func startSubject(t *testing.T, change ...func(*exec.Cmd)) *subject {
	t.Helper()
	s := &subject{command: exec.Command("cat")}
	for _, f := range change {
		f(s.command)
	}
	var err error
	if s.stdin, err = s.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if s.stdout, err = s.command.StdoutPipe(); err != nil {
		t.Fatal(err)
	}
	if err := s.command.Start(); err != nil {
		probetest.Skip(t, "no program to probe: "+err.Error())
	}
	t.Cleanup(func() {
		_ = s.stdin.Close()
		_ = s.command.Wait()
	})
	s.say(t, "ready\n") // what it answers it has written, so its libraries are mapped
	s.findWrite(t)
	return s
}

// say makes the subject write something, and returns when it has.
func (s *subject) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(s.stdin, text); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(s.stdout, make([]byte, len(text))); err != nil {
		t.Fatal(err)
	}
}

// findWrite finds write in the subject's C library.
func (s *subject) findWrite(t *testing.T) {
	t.Helper()
	maps, err := os.ReadFile(fmt.Sprintf("/proc/%d/maps", s.command.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(maps)) {
		if fields := strings.Fields(line); len(fields) == 6 && strings.Contains(fields[5], "libc.so") {
			s.library = fields[5]
		}
	}
	if s.library == "" {
		probetest.Skip(t, "the program to probe has no C library")
	}
	file, err := elf.Open(s.library)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	symbols, err := file.DynamicSymbols()
	if err != nil {
		t.Fatal(err)
	}
	for _, symbol := range symbols {
		if symbol.Name == "write" {
			s.write = symbol
		}
	}
	for _, p := range file.Progs {
		if p.Type == elf.PT_LOAD && s.write.Value >= p.Vaddr && s.write.Value < p.Vaddr+p.Filesz {
			s.offset = s.write.Value - p.Vaddr + p.Off
		}
	}
}

// recipe is one that reads what is written.
func (s *subject) recipe(change func(*Recipe)) Recipe {
	r := Recipe{Name: "write", Kind: Value, Probe: s.write.Value, FileOffset: s.offset, View: true}
	if change != nil {
		change(&r)
	}
	return r
}

// behindBuffer reads what is written as a std::string of libc++: a short one is its length
// doubled and its bytes.
func behindBuffer(r *Recipe) { r.View, r.Ways = false, []Way{{From: 1}} }

func TestRecipe(t *testing.T) {
	probetest.Require(t)
	long := strings.Repeat("a", 400) + "\n"
	tests := []struct {
		name   string
		change func(*Recipe)
		say    string
		want   string
		events int
	}{
		{"a string_view is read", nil, "hello\n", "hello\n", 1},
		{"a long one is cut", nil, long, long[:255], 1},
		{"an object of another class is refused", func(r *Recipe) { r.Tables = []uint64{0x1234} }, "hello\n", "", 0},
		{"another caller is refused", func(r *Recipe) { r.CallerFrom, r.CallerTo = 1, 2 }, "hello\n", "", 0},
		{"a std::string behind an argument is read", behindBuffer,
			"\x0ahello" + strings.Repeat("\x00", 18), "hello", 1},
		{"a std::string that is not there is empty", func(r *Recipe) {
			r.View, r.Ways = false, []Way{{From: 1, Offset: 1 << 30}}
		}, "hello\n", "", 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := startSubject(t)
			records := record(t, s, s.recipe(tt.change), func() { s.say(t, tt.say) })
			if len(records) != tt.events {
				t.Fatalf("%d events, want %d", len(records), tt.events)
			}
			for _, r := range records {
				if string(r.Data) != tt.want || r.Process() != "cat" {
					t.Errorf("%s read %q, want %q", r.Process(), r.Data, tt.want)
				}
			}
		})
	}
}

func TestReady(t *testing.T) {
	probetest.Require(t)
	s := startSubject(t)
	name := "\x28172.21.206.198:56876\x00\x00\x00"
	recipe := s.recipe(func(r *Recipe) {
		r.Kind, r.View, r.Ways = Ready, false, []Way{{From: 1, Offset: 24},
			{From: 1, Pointers: []int32{1 << 30}}, {From: 1}}
	})
	records := record(t, s, recipe, func() { s.say(t, name+name) })
	if len(records) != 1 {
		t.Fatalf("%d events, want one", len(records))
	}
	names, err := Names(records[0].Data)
	if want := [maxWays]string{"172.21.206.198:56876", "", "172.21.206.198:56876", ""}; err != nil || names != want {
		t.Errorf("read %q, %v, want %q", names, err, want)
	}
}

func TestAnotherProcessIsNotProbed(t *testing.T) {
	probetest.Require(t)
	probed, other := startSubject(t), startSubject(t)
	if records := record(t, probed, probed.recipe(nil), func() { other.say(t, "hello\n") }); len(records) != 0 {
		t.Errorf("%d events of a process that is not probed", len(records))
	}
}

// record attaches a recipe to the subject, runs do, and returns the events.
func record(t *testing.T, s *subject, recipe Recipe, do func()) []probe.Record {
	t.Helper()
	return recordOf(t, s.command.Process.Pid, s.library, recipe, do)
}

// recordOf is record for any process.
func recordOf(t *testing.T, pid int, executable string, recipe Recipe, do func()) []probe.Record {
	t.Helper()
	p, err := Load()
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := p.Attach(pid, executable, []Recipe{recipe}); err != nil {
		t.Fatal(err)
	}
	for _, status := range p.Statuses() {
		if !status.Attached {
			t.Fatalf("probe %s is off: %s", status.Name, status.Problem)
		}
	}
	var records []probe.Record
	read := make(chan error, 1)
	go func() { read <- p.Read(func(r probe.Record) { records = append(records, r) }) }()
	do()
	if err := p.Detach(); err != nil {
		t.Fatal(err)
	}
	if err := p.Flush(); err != nil {
		t.Fatal(err)
	}
	if err := <-read; err != nil {
		t.Fatal(err)
	}
	if counts, err := p.Counts(); err != nil || counts.Lost+counts.Missed != 0 {
		t.Errorf("counts %+v, %v", counts, err)
	}
	return records
}

func TestWhatARecipeCannotHold(t *testing.T) {
	for name, r := range map[string]Recipe{
		"tables":   {Tables: make([]uint64, maxTables+1)},
		"ways":     {Ways: make([]Way, maxWays+1)},
		"pointers": {Ways: []Way{{Pointers: make([]int32, maxPointers+1)}}},
		"argument": {Ways: []Way{{From: maxArgument + 1}}},
	} {
		if _, err := r.raw(); err == nil {
			t.Errorf("too many %s are accepted", name)
		}
	}
}
