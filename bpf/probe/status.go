package probe

// A Status says of one probe whether it is attached, and if not, why.
type Status struct {
	Name     string `json:"name"`
	Attached bool   `json:"attached"`
	Problem  string `json:"problem,omitempty"`
}

// LeftOff is the problem of a probe that was not wanted.
const LeftOff = "left off, as asked"

// Counts are what the programs of a set counted.
type Counts struct {
	Emitted uint64 `json:"emitted"`
	Lost    uint64 `json:"lost"`   // refused by a full ring buffer
	Missed  uint64 `json:"missed"` // not run at all, because the program was running on that CPU already
}
