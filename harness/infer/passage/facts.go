package passage

import (
	"fmt"

	"github.com/flowproof/lab/harness/flow"
)

// StatusFact is the status of an answer, as an instrument must see it.
func StatusFact(status int) []flow.Fact {
	return []flow.Fact{Fact(flow.FactStatus, fmt.Sprint(status))}
}

// Fact is a value that an instrument must see.
func Fact(name, value string) flow.Fact { return flow.Fact{Name: name, Value: value} }

// Joined is a fact that has to have the same value wherever it is seen.
func Joined(name, value, join string) flow.Fact {
	return flow.Fact{Name: name, Value: value, Join: join}
}

// Absent is a value that an instrument must not see.
func Absent(name, value string) flow.Fact { return flow.Fact{Name: name, Value: value, Absent: true} }

// The connections of a way that several instruments see from both ends, by the Join of their facts.
const (
	JoinMesh = "mesh" // client's sidecar to server's sidecar
	JoinApp  = "app"  // server's sidecar to the application
)

// Connection is the Join of what names the proxy's downstream connection by Envoy's id: all that
// name it have to mean the same one.
func (w *Walk) Connection() string {
	if w.Side == "" {
		return "downstream connection"
	}
	return string(w.Side) + "'s downstream connection"
}
