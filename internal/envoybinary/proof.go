package envoybinary

// A Proof is what was proven about a binary by running it: which probes tell the truth. It belongs
// to exactly one build.
type Proof struct {
	Schema  string  `json:"schema"` // ProofSchema
	BuildID string  `json:"buildId"`
	Sum     string  `json:"sha256"` // of the whole binary
	Table   *Table  `json:"table"`
	Values  []Value `json:"values,omitempty"`
	// Gate says that statements can be seen; Statements are the formats of those that were seen
	// exactly where they had to be, and so are evidence. The others are shown, and prove nothing.
	Gate       bool     `json:"gate"`
	Statements []string `json:"statements,omitempty"`
	// Join tells which two connections a request is on; nil: it cannot be told.
	Join *Join `json:"join,omitempty"`
	// Off says of each probe that is off why.
	Off map[string]string `json:"off,omitempty"`
}

// ProofSchema is the version of the Proof's JSON form and of what is proven.
const ProofSchema = "flowproof.dev/proof/v6"

// A Value is a string that a probe reads from an object.
type Value struct {
	Name     string   `json:"name"`
	At       Place    `json:"at"`
	Tables   []uint64 `json:"tables"`          // what the object's first word is one of
	Caller   Function `json:"caller,omitzero"` // who has to call; zero: anybody
	Way      Way      `json:"way"`
	Argument bool     `json:"argument,omitempty"` // the string is an argument, and nothing is read from the object
}

// A Way leads to a std::string of libc++: from an argument of a function along pointers.
type Way struct {
	From     int     `json:"from,omitempty"` // number of the argument; 0 is the object
	Pointers []int32 `json:"pointers,omitempty"`
	Offset   int32   `json:"offset"` // of the string in the last object
}

// A Join is read where a request is given its upstream connection, and from the request itself, so
// what the thread did meanwhile does not matter.
type Join struct {
	Downstream Way  `json:"downstream"`        // to the client's end of the downstream connection
	Local      Way  `json:"local"`             // to Envoy's own end of the upstream connection
	Remote     Way  `json:"remote"`            // to its other end
	Cluster    *Way `json:"cluster,omitempty"` // to the cluster's name; nil: it is not told with the join
	// Connection leads to the downstream connection's id, a number, by which logs name it; nil: it
	// is not told with the join.
	Connection *Way `json:"connection,omitempty"`
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
