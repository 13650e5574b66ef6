package capture

// A Feature is one thing that the instrument can use of the kernel. Without a needed one it does
// not work at all; without another it sees less or takes longer.
type Feature struct {
	Name   string `json:"name"`
	Needed bool   `json:"needed"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // what it gives, or why it is not there
}
