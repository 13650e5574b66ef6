package configdump

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// errForeign is a text of another shape than those that are read.
var errForeign = fmt.Errorf(`%w: no "configs" at the top (give what Envoy's /config_dump returns, `+
	`an Envoy bootstrap with static_resources, what istioctl proxy-config all|listener|route|cluster -o json `+
	`or egctl config envoy-proxy -o json prints, or a list of xDS resources)`, ErrRead)

// adopt rewrites a text that holds the same resources in another shape as a config dump: a
// bootstrap, a list of resources, a DiscoveryResponse, one section of a dump, or dumps by namespace
// and pod. Places are those of the dump that it makes.
func adopt(data []byte) ([]byte, error) {
	if data = bytes.TrimSpace(data); len(data) > 0 && data[0] == '[' {
		return adoptList(data)
	}
	var top map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		return nil, errForeign
	}
	for _, name := range []string{"static_resources", "staticResources"} {
		if top[name] != nil {
			return adoptBootstrap(data, top[name])
		}
	}
	var kind string
	switch _ = json.Unmarshal(top["@type"], &kind); {
	case strings.HasSuffix(kind, "ConfigDump"): // one section of a dump
		return json.Marshal(map[string]any{"configs": []json.RawMessage{data}})
	case len(top["resources"]) > 0 && top["resources"][0] == '[': // a DiscoveryResponse, or a file of xDS
		return adoptList(top["resources"])
	}
	found := map[string]json.RawMessage{}
	nested(top, "", 0, found)
	switch names := slices.Sorted(maps.Keys(found)); len(names) {
	case 0:
		return nil, errForeign
	case 1:
		return found[names[0]], nil
	default:
		return nil, fmt.Errorf("%w: it holds %d proxies (%s): give one of them alone", ErrRead, len(names),
			strings.Join(names, ", "))
	}
}

// nested collects the objects with "configs" by the names that lead to them, as egctl prints them
// by namespace and pod.
func nested(of map[string]json.RawMessage, path string, depth int, found map[string]json.RawMessage) {
	if depth > 3 {
		return
	}
	for name, text := range of {
		var inner map[string]json.RawMessage
		if json.Unmarshal(text, &inner) != nil {
			continue
		}
		if at := strings.TrimPrefix(path+"/"+name, "/"); inner["configs"] != nil {
			found[at] = text
		} else {
			nested(inner, at, depth+1, found)
		}
	}
}

// adoptBootstrap makes the sections of static resources.
func adoptBootstrap(data, static []byte) ([]byte, error) {
	var resources struct {
		Listeners []json.RawMessage `json:"listeners"`
		Clusters  []json.RawMessage `json:"clusters"`
	}
	if err := json.Unmarshal(static, &resources); err != nil {
		return nil, fmt.Errorf("%w: static_resources: %w", ErrRead, err)
	}
	all := map[string][]json.RawMessage{"Listener": resources.Listeners, "Cluster": resources.Clusters}
	return dumpOf(data, all)
}

// adoptList sorts a list of xDS resources by type: by @type, or by the fields that
// only one type has.
func adoptList(data []byte) ([]byte, error) {
	var list []json.RawMessage
	if err := json.Unmarshal(data, &list); err != nil {
		return nil, errForeign
	}
	all := map[string][]json.RawMessage{}
	for i, text := range list {
		var wrapped struct { // envoy.service.discovery.v3.Resource
			Resource json.RawMessage `json:"resource"`
		}
		if json.Unmarshal(text, &wrapped) == nil && len(wrapped.Resource) > 0 {
			text = wrapped.Resource
		}
		kind, err := kindOf(text)
		if err != nil {
			return nil, fmt.Errorf("%w: element %d of the list: %w", ErrRead, i, err)
		}
		all[kind] = append(all[kind], text)
	}
	if len(list) == 0 {
		return nil, errForeign
	}
	return dumpOf([]byte("{}"), all)
}

func kindOf(text []byte) (string, error) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(text, &fields) != nil {
		return "", errors.New("it is neither a JSON object nor a YAML mapping")
	}
	var kind string
	if json.Unmarshal(fields["@type"], &kind) == nil {
		kind = kind[strings.LastIndexByte(kind, '.')+1:]
		if sections[kind].list == "" {
			return "", fmt.Errorf("a %s is no listener, route configuration, cluster or endpoints", kind)
		}
		return kind, nil
	}
	has := func(names ...string) bool {
		return slices.ContainsFunc(names, func(n string) bool { return fields[n] != nil })
	}
	switch {
	case has("hostStatuses", "host_statuses"):
		return "", errors.New("it is a status of endpoints and not their configuration (give istioctl proxy-config " +
			"all -o json)")
	case has("filterChains", "filter_chains", "defaultFilterChain", "default_filter_chain", "listenerFilters",
		"listener_filters"):
		return "Listener", nil
	case has("virtualHosts", "virtual_hosts"):
		return "RouteConfiguration", nil
	case has("clusterName", "cluster_name"):
		return "ClusterLoadAssignment", nil
	case has("loadAssignment", "load_assignment", "connectTimeout", "connect_timeout", "edsClusterConfig",
		"eds_cluster_config", "lbPolicy", "lb_policy", "clusterType", "cluster_type"):
		return "Cluster", nil
	}
	return "", errors.New("its type cannot be told (give it an @type)")
}

// sections are where a dump has the resources of each type.
var sections = map[string]struct{ section, list, field string }{
	"Listener":              {"ListenersConfigDump", "static_listeners", "listener"},
	"Cluster":               {"ClustersConfigDump", "static_clusters", "cluster"},
	"RouteConfiguration":    {"RoutesConfigDump", "static_route_configs", "route_config"},
	"ClusterLoadAssignment": {"EndpointsConfigDump", "static_endpoint_configs", "endpoint_config"},
}

func dumpOf(bootstrap []byte, all map[string][]json.RawMessage) ([]byte, error) {
	const prefix = "type.googleapis.com/envoy.admin.v3."
	configs := []any{map[string]any{"@type": prefix + "BootstrapConfigDump", "bootstrap": json.RawMessage(bootstrap)}}
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		of := sections[kind]
		elements := make([]any, 0, len(all[kind]))
		for _, text := range all[kind] {
			elements = append(elements, map[string]any{of.field: text})
		}
		configs = append(configs, map[string]any{"@type": prefix + of.section, of.list: elements})
	}
	return json.Marshal(map[string]any{"configs": configs})
}
