package explain

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// filters are HTTP and network filters whose name or type has a word.
func filters(d *configdump.Dump, word string) (found []flow.Found) {
	if word == "fault" { // Istio has the filter in every chain: the route's own configuration of it is what counts
		eachRoute(d, scope{}, func(_, route configdump.Value) {
			if v := route.Get("typed_per_filter_config", "envoy.filters.http.fault"); v.Exists() {
				found = append(found, place("a route injects faults", v.Pointer()))
			}
		})
		return unique(found)
	}
	plain := strings.ReplaceAll(word, "_", "")
	eachFilter(d, func(f configdump.Value) {
		name, kind := f.Get("name").Text(), f.Get("typed_config").Type()
		if strings.Contains(strings.ReplaceAll(name, "_", ""), plain) || strings.Contains(kind, "."+word+".") {
			found = append(found, place("filter "+name, f.Pointer()))
		}
	})
	return unique(found)
}

// upstreamTLS says how the cluster of the scope speaks to its endpoints.
func upstreamTLS(d *configdump.Dump, s scope) (found []flow.Found, done bool) {
	if s.cluster == "" {
		return nil, false
	}
	for _, r := range clustersOf(d, s) {
		for _, m := range r.Value().Get("transport_socket_matches").Elements() {
			found = append(found, place(r.Name+" has transport socket match "+m.Get("name").Text(), m.Pointer()))
		}
		if t := r.Value().Get("transport_socket"); t.Exists() {
			found = append(found, place(r.Name+" speaks TLS to every endpoint", t.Pointer()))
		}
	}
	return found, true
}

// protocols says which HTTP the cluster of the scope speaks.
func protocols(d *configdump.Dump, s scope) (found []flow.Found, done bool) {
	if s.cluster == "" {
		return nil, false
	}
	for _, r := range clustersOf(d, s) {
		options := r.Value().
			Get("typed_extension_protocol_options", "envoy.extensions.upstreams.http.v3.HttpProtocolOptions")
		for _, kind := range []string{"explicit_http_config", "use_downstream_protocol_config", "auto_config"} {
			for name := range options.Get(kind).Fields() {
				spoken := strings.TrimSuffix(configdump.FieldName(name), "_protocol_options")
				found = append(found, place(r.Name+" speaks "+spoken, options.Get(kind).Pointer()))
			}
		}
	}
	return found, true
}

// durations are limits on how long a stream or connection may last.
func durations(d *configdump.Dump, _ scope) (found []flow.Found, done bool) {
	eachManager(d, func(hcm configdump.Value) {
		for _, name := range []string{"max_stream_duration", "max_connection_duration"} {
			if v := hcm.Get("common_http_protocol_options", name); v.Exists() && v.Duration() > 0 {
				found = append(found, place(name+" "+v.Text(), v.Pointer()))
			}
		}
	})
	eachRoute(d, scope{}, func(_, route configdump.Value) {
		if v := route.Get("route", "max_stream_duration", "max_stream_duration"); v.Exists() && v.Duration() > 0 {
			found = append(found, place("a route's max_stream_duration "+v.Text(), v.Pointer()))
		}
	})
	return unique(found), true
}

// idle are idle timeouts that are set.
func idle(d *configdump.Dump, s scope) (found []flow.Found, done bool) {
	eachManager(d, func(hcm configdump.Value) {
		if v := hcm.Get("stream_idle_timeout"); v.Exists() && v.Duration() > 0 {
			found = append(found, place("stream_idle_timeout "+v.Text(), v.Pointer()))
		}
	})
	eachRoute(d, s, func(_, route configdump.Value) {
		if v := route.Get("route", "idle_timeout"); v.Exists() && v.Duration() > 0 {
			found = append(found, place("a route's idle_timeout "+v.Text(), v.Pointer()))
		}
	})
	return unique(found), true
}

// discovered are HTTP filters whose configuration comes by ECDS.
func discovered(d *configdump.Dump, _ scope) (found []flow.Found, done bool) {
	eachManager(d, func(hcm configdump.Value) {
		for _, f := range hcm.Get("http_filters").Elements() {
			if v := f.Get("config_discovery"); v.Exists() {
				found = append(found, place("filter "+f.Get("name").Text()+" is discovered", v.Pointer()))
			}
		}
	})
	return unique(found), true
}

// overload are the actions of the overload manager.
func overload(d *configdump.Dump, _ scope) (found []flow.Found, done bool) {
	for _, a := range d.Bootstrap().Get("overload_manager", "actions").Elements() {
		found = append(found, place("overload action "+a.Get("name").Text(), a.Pointer()))
	}
	return found, d.Bootstrap().Exists()
}

// byDNS are clusters whose hosts are resolved.
func byDNS(d *configdump.Dump, s scope) (found []flow.Found, done bool) {
	for _, r := range clustersOf(d, s) {
		switch kind := cmp.Or(r.Value().Get("type").Text(), r.Value().Get("cluster_type", "name").Text()); {
		case kind == "STRICT_DNS", kind == "LOGICAL_DNS", strings.Contains(kind, "dynamic_forward_proxy"):
			found = append(found, place(r.Name+" is of type "+kind, r.Value().Pointer()))
		}
	}
	return found, d.Has(configdump.Cluster)
}

// drops are policies that drop a share of the requests.
func drops(d *configdump.Dump, _ scope) (found []flow.Found, done bool) {
	for _, r := range d.Resources(configdump.Endpoints) {
		for _, drop := range r.Value().Get("policy", "drop_overloads").Elements() {
			share := drop.Get("drop_percentage")
			said := fmt.Sprintf(
				"%s drops %s of %s",
				cmp.Or(r.Value().Get("cluster_name").Text(), r.Name),
				share.Get("numerator").Text(),
				cmp.Or(share.Get("denominator").Text(), "HUNDRED"),
			)
			found = append(found, place(said, drop.Pointer()))
		}
	}
	return found, d.Has(configdump.Endpoints)
}
