package filters

// Rows returns every row of the catalogue by the category under which Envoy lists its extensions.
func Rows() map[string][]Row {
	return map[string][]Row{"envoy.filters.http": httpTable.rows, "envoy.filters.network": networkTable.rows,
		"envoy.filters.listener": listenerTable.rows}
}
