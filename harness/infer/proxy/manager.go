package proxy

import "github.com/flowproof/lab/harness/configdump"

// A BaseFilter is one filter of the connection manager.
type BaseFilter struct {
	At       configdump.Value
	Name     string
	Kind     string // type of its configuration
	Config   configdump.Value
	Fallback configdump.Value // config_discovery.default_config, of a filter by ECDS
	Disabled bool
}

// NewBaseFilter reads an HttpFilter.
func NewBaseFilter(v configdump.Value) BaseFilter {
	f := BaseFilter{At: v, Name: v.Get("name").Text(), Disabled: v.Get("disabled").Bool(),
		Fallback: v.Get("config_discovery", "default_config")}
	f.Config, f.Kind = v.Get("typed_config").Typed()
	return f
}

// A Manager is envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.
type Manager struct {
	At      configdump.Message
	Filters []BaseFilter
}

func newManager(v configdump.Value) *Manager {
	m := &Manager{At: v.Message()}
	for _, f := range m.At.Get("http_filters").Elements() {
		m.Filters = append(m.Filters, NewBaseFilter(f))
	}
	return m
}
