package flow

// A Configuration says of one proxy on the way whether the configuration that the way was
// inferred from still held after the request. Without a Problem and without Changes it held
// at the request too.
type Configuration struct {
	Proxy    string   `json:"proxy"`              // "pod.namespace"
	Compared int      `json:"compared,omitempty"` // resources on the way that were compared
	Changes  []Change `json:"changes,omitempty"`
	Problem  string   `json:"problem,omitempty"` // why it is not known
}

// A Change is one difference between two dumps of a proxy, on the way of a request.
type Change struct {
	Proxy    string `json:"proxy"`
	Resource string `json:"resource"`        // its kind and name: listener virtualInbound
	Field    string `json:"field,omitempty"` // place in it, elements of lists by their names; empty: the whole resource
	How      string `json:"how"`             // one of the constants
}

// How something can have changed.
const (
	Added     = "added"
	Removed   = "removed"
	Changed   = "changed"
	Reordered = "reordered"
	Returned  = "changed and changed back" // both dumps have the same, and it was taken in anew in between
	Restarted = "loaded anew, by an Envoy that was started since"
)

// String is the change in one line.
func (c Change) String() string {
	if c.Field == "" {
		return c.Resource + " of " + c.Proxy + " was " + c.How
	}
	return c.Resource + " of " + c.Proxy + ": " + c.Field + " was " + c.How
}
