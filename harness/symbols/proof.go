package symbols

// A Proof is what was proven about a binary by running it: which probes tell the truth. It belongs to exactly one build.
type Proof struct {
	Schema  string  `json:"schema"` // ProofSchema
	BuildID string  `json:"buildId"`
	Table   *Table  `json:"table"`
	Values  []Value `json:"values,omitempty"`
	// Gate says that statements can be seen; Statements are the formats of those that were seen exactly where they had to
	// be, and so are evidence. The others are shown, and prove nothing.
	Gate       bool     `json:"gate"`
	Statements []string `json:"statements,omitempty"`
	// Join names the probes that follow a request from its downstream to its upstream connection; empty: none.
	Join []string `json:"join,omitempty"`
	// Off says of each probe that is off why.
	Off map[string]string `json:"off,omitempty"`
}

// ProofSchema is the version of the Proof's JSON form and of what is proven.
const ProofSchema = "flowproof.dev/proof/v3"

// Names of values.
const (
	ValueFilterChain = "filter.chain"
	ValueCluster     = "cluster"
	ValueSNI         = "sni"
)

// A Value is a string that a probe reads from an object.
type Value struct {
	Name     string   `json:"name"`
	At       Place    `json:"at"`
	Tables   []uint64 `json:"tables"`             // what the object's first word is one of
	Caller   Function `json:"caller,omitzero"`    // who has to call; zero: anybody
	Pointers []uint32 `json:"pointers,omitempty"` // to follow from the object
	Offset   uint32   `json:"offset"`             // of the string
	Argument bool     `json:"argument,omitempty"` // the string is an argument, and nothing is read from the object
}

// Tables are the addresses of a class's primary virtual tables, at most 4.
func (t *Table) Tables(classes ...string) []uint64 {
	const most = 4
	var all []uint64
	for _, class := range classes {
		for _, table := range t.Classes[class] {
			all = append(all, table.At)
		}
	}
	if len(all) > most {
		return nil
	}
	return all
}

// TurnOff notes that a probe is off, and why.
func (p *Proof) TurnOff(name, why string) {
	if p.Off == nil {
		p.Off = map[string]string{}
	}
	p.Off[name] = why
}
