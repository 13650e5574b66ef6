package envoybinary

import (
	"strconv"
	"strings"

	"golang.org/x/arch/x86/x86asm"
)

// A Statement is one log statement, named by the address that the gate returns to. File is empty
// where it could not be decoded.
type Statement struct {
	Return   uint64 `json:"return"`
	File     string `json:"file,omitempty"` // as compiled: source/common/router/router.cc
	Line     int    `json:"line,omitempty"`
	Function string `json:"function,omitempty"` // its bare name
	Format   string `json:"format,omitempty"`
	Level    string `json:"level,omitempty"` // at which it is logged; empty where it could not be told
}

// levels are the log levels in the order of their numbers. Source: spdlog's level_enum, by which
// Envoy's macros compare.
var levels = []string{"trace", "debug", "info", "warning", "error", "critical"}

// Where is "router.cc:600 decodeHeaders".
func (s Statement) Where() string {
	if s.File == "" {
		return "a statement that could not be decoded"
	}
	return s.File[strings.LastIndexByte(s.File, '/')+1:] + ":" + strconv.Itoa(s.Line) + " " + s.Function
}

// statement decodes what follows a call of the gate: the instructions that give the logger its
// file, line, function and format, in this order. Some statements ask the gate twice, the level
// first: where nothing is found before the next call of the gate, it is looked for behind it.
func (m *Image) statement(after, gate uint64) (Statement, bool) {
	for _, through := range []bool{false, true} {
		w := walk{image: m, gate: gate, through: through, seen: map[uint64]bool{}}
		if s, ok := w.run(after); ok {
			s.Return = after
			return s, true
		}
	}
	return Statement{Return: after}, false
}

// A walk follows a function's instructions over all its branches until a statement is found.
type walk struct {
	image   *Image
	gate    uint64
	through bool
	body    Function
	seen    map[uint64]bool
	queue   []branch
	steps   int
}

// A branch is where a path begins, and the level that was asked for on the way there.
type branch struct {
	at    uint64
	level int
}

// noLevel stands where no level was asked for yet.
const noLevel = -1

// maxSteps bounds a walk.
const maxSteps = 1500

func (w *walk) run(from uint64) (Statement, bool) {
	body, ok := w.image.FunctionAt(from)
	if !ok {
		return Statement{}, false
	}
	w.body, w.queue = body, []branch{{from, noLevel}}
	for len(w.queue) > 0 && w.steps < maxSteps {
		next := w.queue[0]
		w.queue = w.queue[1:]
		if s, ok := w.path(next); ok {
			return s, true
		}
	}
	return Statement{}, false
}

// path follows one branch to its end.
func (w *walk) path(b branch) (Statement, bool) {
	found := partial{level: b.level, compared: noLevel}
	for at := b.at; w.body.Contains(at) && !w.seen[at] && w.steps < maxSteps; {
		w.seen[at] = true
		w.steps++
		in, err := w.image.instruction(at)
		if err != nil {
			at++
			continue
		}
		next := at + uint64(in.Len)
		if found.take(w.image, in, next) {
			return found.Statement, true
		}
		var ends bool
		if at, ends = w.next(in, next, &found); ends {
			break
		}
	}
	return Statement{}, false
}

// next says where the path goes on after an instruction, and queues the other side of a branch.
func (w *walk) next(in x86asm.Inst, next uint64, found *partial) (at uint64, ends bool) {
	target, isDirect := direct(in, next)
	switch in.Op {
	case x86asm.RET, x86asm.UD2:
		return 0, true
	case x86asm.CALL:
		return next, isDirect && target == w.gate && !w.through
	case x86asm.JMP:
		return target, !isDirect
	}
	if isDirect {
		w.queue = append(w.queue, branch{target, found.branches(in.Op)})
	}
	return next, false
}

// partial is a statement whose parts are found one after the other. The distances keep parts of
// two statements apart.
type partial struct {
	Statement
	since    int // instructions since the last part
	compared int // what the last instruction compared something with
	level    int // that was asked for on the way here
}

// branches notes a conditional jump: a statement is logged when the logger's level, a
// signed number, is at most the statement's own. It returns the level that is known
// where the jump leads to.
func (p *partial) branches(op x86asm.Op) (there int) {
	there = p.level
	switch {
	case p.compared == noLevel:
	case op == x86asm.JG:
		p.level = p.compared
	case op == x86asm.JLE:
		there = p.compared
	}
	return there
}

// compares is the number that an instruction compares a signed one with.
func compares(in x86asm.Inst) int {
	switch in.Op {
	case x86asm.TEST:
		if in.Args[0] == in.Args[1] {
			return 0
		}
	case x86asm.CMP:
		if value, ok := in.Args[1].(x86asm.Imm); ok && value >= 0 && int(value) < len(levels) {
			return int(value)
		}
	}
	return noLevel
}

// The farthest that a part may be from the one before, in instructions.
const (
	lineDistance     = 8
	functionDistance = 12
	formatDistance   = 40
	maxSourceLine    = 20000
)

// take looks at one instruction; true when the statement is complete.
func (p *partial) take(m *Image, in x86asm.Inst, next uint64) bool {
	p.since++
	if in.Op != x86asm.JG && in.Op != x86asm.JLE {
		p.compared = compares(in)
	}
	switch in.Op {
	case x86asm.LEA:
		mem, ok := in.Args[1].(x86asm.Mem)
		if !ok || mem.Base != x86asm.RIP {
			return false
		}
		text, ok := m.literal(uint64(int64(next) + int64(int32(mem.Disp))))
		if ok {
			return p.text(text)
		}
	case x86asm.MOV:
		value, isImm := in.Args[1].(x86asm.Imm)
		if _, isMem := in.Args[0].(x86asm.Mem); isMem && isImm && p.File != "" && p.Line == 0 &&
			p.since < lineDistance && value > 0 && value < maxSourceLine {
			p.Line = int(value)
		}
	}
	return false
}

func (p *partial) text(text string) bool {
	switch {
	case isSource(text):
		p.Statement, p.since = Statement{File: strings.TrimPrefix(text, "./")}, 0
	case p.Line > 0 && p.Function == "" && p.since < functionDistance:
		p.Function = text
	case p.Line > 0 && p.Function != "" && p.since < formatDistance:
		p.Format = text
		if p.level != noLevel {
			p.Level = levels[p.level]
		}
		return true
	}
	return false
}

// isSource says whether a literal is the path of a source file, as __FILE__ gives it.
func isSource(text string) bool {
	return (strings.HasSuffix(text, ".cc") || strings.HasSuffix(text, ".h")) && strings.Contains(text, "/") &&
		!strings.ContainsAny(text, " {")
}
