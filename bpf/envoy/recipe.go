package envoy

import "fmt"

// A Way leads to a std::string of libc++: from an argument along pointers.
type Way struct {
	From     int     // number of the argument, 0 to 5; 0 is the object
	Pointers []int32 // offsets of the pointers to follow, at most 5
	Offset   int32   // of the string in the last object
}

// A Site is one log statement's own call of the gate.
type Site struct {
	FileOffset uint64 // of the call
	Return     uint64 // the address, as linked, that the gate returns to
}

// A Recipe is one probe: where it is, what has to hold there, and what it tells. Addresses are as
// linked, the offset is that of the probe in the file.
type Recipe struct {
	Name       string // for its status
	Kind       uint16
	Probe      uint64
	FileOffset uint64
	// of a Statement: only these statements, each by a probe of its own, which needs HaveMulti;
	// none: all, by one probe on the gate
	Sites      []Site
	Tables     []uint64 // what the object's first word has to be one of, at most 4; none: not looked at
	CallerFrom uint64   // the caller has to be in [CallerFrom, CallerTo); 0: not looked at
	CallerTo   uint64
	View       bool // of a Value: the string_view in the second and third argument is told
	Number     *Way // of a Ready: to a number of 64 bits; nil: none is read
	// the first one of a Value; up to four of a Ready, of which the last one may lead to a longer
	// string
	Ways []Way
}

// Limits of a recipe: see envoy.bpf.c.
const (
	maxTables   = 4
	maxPointers = 5
	maxWays     = 4
	maxRecipes  = 256
	maxArgument = 5
	returnBits  = 48
)

// On is the name of the recipe's probe on a process, by which Statuses tells of it.
func (r Recipe) On(pid int) string { return fmt.Sprintf("%s of process %d", r.Name, pid) }
