package envoybinary

import (
	"fmt"
	"slices"
	"strings"
)

// A Table is what was found in one binary. Addresses are as linked; Offset of them is
// the place in the file.
type Table struct {
	Schema     string              `json:"schema"` // TableSchema
	BuildID    string              `json:"buildId"`
	Gate       Place               `json:"gate"`
	Statements []Statement         `json:"statements"` // in the order of Return
	Functions  map[string]Place    `json:"functions"`  // by the names of Functions
	Classes    map[string][]Vtable `json:"classes"`    // by the mangled names of Classes
	Slots      map[uint64]Place    `json:"slots"`      // the functions of the classes' tables
	Missing    map[string]string   `json:"missing,omitempty"`
}

// TableSchema is the version of the Table's JSON form, and of the ways by which it is found.
const TableSchema = "flowproof.dev/symbols/v2"

// A Place is a function, and where in the file a probe on it goes.
type Place struct {
	Function
	Probe  uint64 `json:"probe"`  // address of the probe; the function's beginning but for the gate
	Offset uint64 `json:"offset"` // of the probe in the file
}

// Names of functions that probes are put on.
const (
	OnFileEvent   = "Network::ConnectionImpl::onFileEvent"
	AcceptHeaders = "Router::UpstreamRequest::acceptHeadersFromRouter"
	OnPoolReady   = "Router::UpstreamRequest::onPoolReady"
	OnServerName  = "ListenerFilters::TlsInspector::Filter::onServername"
	NewConnection = "Server::ActiveStreamListenerBase::newConnection"
	DecodeHeaders = "Router::Filter::decodeHeaders"
	// NewRequest is the constructor of UpstreamRequest. It runs where
	// acceptHeadersFromRouter does, once a try.
	NewRequest = "Router::UpstreamRequest::UpstreamRequest"
)

// Mangled names of the classes whose objects are read.
const (
	ServerConnection = "N5Envoy7Network20ServerConnectionImplE"
	ClientConnection = "N5Envoy7Network20ClientConnectionImplE"
	UpstreamRequest  = "N5Envoy6Router15UpstreamRequestE"
	FilterChain      = "N5Envoy6Server15FilterChainImplE"
	ClusterInfo      = "N5Envoy8Upstream15ClusterInfoImplE"
	TLSInspector     = "N5Envoy10Extensions15ListenerFilters12TlsInspector6FilterE"
)

// Classes are all of them.
var Classes = []string{ServerConnection, ClientConnection, UpstreamRequest, FilterChain, ClusterInfo, TLSInspector}

// An anchor finds a function: by its symbol where there is one, else as the function that
// holds the log statement with a format, whose compiled-in name has to agree. Where one
// function was inlined into another, the name and the bounds disagree, and the check of the
// object's type or the proof fails.
type anchor struct {
	name, symbol, file, function, format string
}

var anchors = []anchor{
	{OnFileEvent, "_ZN5Envoy7Network14ConnectionImpl11onFileEventEj", "network/connection_impl.cc", "onFileEvent",
		"{}socket event: {}"},
	{AcceptHeaders, "_ZN5Envoy6Router15UpstreamRequest23acceptHeadersFromRouterEb", "router/upstream_request.cc",
		"acceptHeadersFromRouter", "upstream request aborted during onHostSelected"},
	{OnPoolReady, "", "router/upstream_request.cc", "onPoolReady", "{}pool ready"},
	{OnServerName,
		"_ZN5Envoy10Extensions15ListenerFilters12TlsInspector6Filter12" +
			"onServernameESt17basic_string_viewIcSt11char_traitsIcEE",
		"tls_inspector/tls_inspector.cc", "onServername", "tls:onServerName(), requestedServerName: {}"},
	{NewConnection, "", "active_stream_listener_base.cc", "newConnection",
		"closing connection from {}: no matching filter chain found"},
	{DecodeHeaders, "", "router/router.cc", "decodeHeaders", "{}cluster '{}' match for URL '{}'"},
}

// Recover finds what it can. Each thing that it cannot find stands in Missing with the reason;
// without the gate nothing else can be told by statements, and the error says so.
func Recover(m *Image) (*Table, error) {
	t := &Table{Schema: TableSchema, BuildID: m.BuildID, Functions: map[string]Place{}, Classes: map[string][]Vtable{},
		Slots: map[uint64]Place{}, Missing: map[string]string{}}
	gate, err := m.gate()
	if err != nil {
		return nil, fmt.Errorf("recover symbols of build %s: %w", m.BuildID, err)
	}
	body, ok := m.FunctionAt(gate)
	if !ok || body.From != gate {
		return nil, fmt.Errorf("recover symbols of build %s: what most log statements call is no function", m.BuildID)
	}
	if t.Gate, ok = m.place(body, m.probePoint(gate)); !ok {
		return nil, fmt.Errorf("recover symbols of build %s: the gate is not in the file", m.BuildID)
	}
	t.Statements = m.statements(gate)
	for _, a := range anchors {
		t.anchor(m, a)
	}
	for _, class := range Classes {
		if tables := m.Class(class); len(tables) > 0 {
			t.Classes[class] = tables
			t.slots(m, tables)
		} else {
			t.Missing[class] = "it has no type information in this binary"
		}
	}
	t.constructor(m)
	return t, nil
}

// slots notes where the functions of tables are.
func (t *Table) slots(m *Image, tables []Vtable) {
	for _, table := range tables {
		for _, slot := range table.Slots {
			if f, ok := m.FunctionAt(slot); ok {
				if p, ok := m.place(f, slot); ok {
					t.Slots[slot] = p
				}
			}
		}
	}
}

// Slot is the function at an address of a table.
func (t *Table) Slot(address uint64) (Place, bool) {
	p, ok := t.Slots[address]
	return p, ok
}

func (m *Image) place(body Function, probe uint64) (Place, bool) {
	offset, ok := m.FileOffset(probe)
	return Place{body, probe, offset}, ok
}

// statements decodes the statement behind every call of the gate.
func (m *Image) statements(gate uint64) []Statement {
	calls := m.calls(gate)
	all := make([]Statement, len(calls))
	each(len(calls), func(i int) { all[i], _ = m.statement(calls[i]+callSize, gate) })
	return all
}

// callSize is the length of a direct call.
const callSize = 5

// anchor finds one function. All statements that fit have to be in the same one.
func (t *Table) anchor(m *Image, a anchor) {
	var bodies []Function
	if at := m.names[a.symbol]; at != 0 {
		if f, ok := m.FunctionAt(at); ok {
			bodies = append(bodies, f)
		}
	}
	for _, s := range t.Statements {
		if len(bodies) == 0 && s.Format == a.format && s.Function == a.function && strings.HasSuffix(s.File, a.file) {
			if f, ok := m.FunctionAt(s.Return); ok && !slices.Contains(bodies, f) {
				bodies = append(bodies, f)
			}
		}
	}
	switch len(bodies) {
	case 0:
		t.Missing[a.name] = fmt.Sprintf("no statement %q of %s was found", a.format, a.function)
	case 1:
		if p, ok := m.place(bodies[0], bodies[0].From); ok {
			t.Functions[a.name] = p
		}
	default:
		t.Missing[a.name] = fmt.Sprintf("the statement %q is in %d functions", a.format, len(bodies))
	}
}

// constructor finds the constructor of UpstreamRequest. The class has virtual bases: beside its
// destructors and their thunks, which stand in its tables themselves, only the constructor refers
// to the table of its tables (VTT). Source: Itanium C++ ABI, 2.6.2.
func (t *Table) constructor(m *Image) {
	want, destructors := map[uint64]bool{}, map[uint64]bool{}
	primary, secondary := m.tables(UpstreamRequest)
	for _, table := range primary {
		want[table.At] = true
		for _, vtt := range m.pointedAt[table.At] {
			want[vtt] = true
		}
	}
	for _, table := range slices.Concat(primary, secondary) {
		for _, slot := range table.Slots {
			destructors[slot] = true
		}
	}
	found := map[Function]bool{}
	for _, at := range m.references(want) {
		if f, ok := m.FunctionAt(at); ok && !destructors[f.From] {
			found[f] = true
		}
	}
	if len(found) != 1 {
		t.Missing[NewRequest] = fmt.Sprintf("%d functions could be it", len(found))
		return
	}
	for f := range found {
		if p, ok := m.place(f, f.From); ok {
			t.Functions[NewRequest] = p
		}
	}
}

// Statement finds the statement that the gate returns to.
func (t *Table) Statement(address uint64) (Statement, bool) {
	i, ok := slices.BinarySearchFunc(t.Statements, address, func(s Statement, a uint64) int {
		switch {
		case s.Return < a:
			return -1
		case s.Return > a:
			return 1
		}
		return 0
	})
	if !ok {
		return Statement{}, false
	}
	return t.Statements[i], true
}

// RequestBegins names the function in which an upstream request begins: where
// acceptHeadersFromRouter holds no statement by which it is found, the request's constructor, which
// runs where it does.
func (t *Table) RequestBegins() (name string, ok bool) {
	for _, name := range []string{AcceptHeaders, NewRequest} {
		if _, ok := t.Functions[name]; ok {
			return name, true
		}
	}
	return "", false
}

// A Site is where a statement calls the gate.
type Site struct {
	Offset uint64 // of the call in the file
	Return uint64 // address that the gate returns to
}

// Sites are those of the statements that are wanted. They are in the same part of
// the file as the gate.
func (t *Table) Sites(wanted func(Statement) bool) (all []Site) {
	for _, s := range t.Statements {
		if wanted(s) {
			all = append(all, Site{s.Return - callSize - t.Gate.Probe + t.Gate.Offset, s.Return})
		}
	}
	return all
}

// Decoded counts the statements that are known by file, line and format.
func (t *Table) Decoded() int {
	n := 0
	for _, s := range t.Statements {
		if s.File != "" {
			n++
		}
	}
	return n
}
