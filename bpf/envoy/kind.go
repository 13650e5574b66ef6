package envoy

// The kinds of events: enum kind of envoy.bpf.c. Result is the number of the recipe.
const (
	Statement uint16 = iota + 1 // Value is the address, as linked, that the gate returns to
	Value                       // Value is the object, Data what was read
	Dispatch                    // a thread turns to a connection; Value is the connection
	Request                     // a request for the upstream begins; Value is the request
	// a request is given its connection; Value is the request, Socket its number, Data its Names
	Ready
	Call   // Value is the object, Socket the caller as linked, Data its Arguments
	thread // the names of the thread of the events that follow
)
