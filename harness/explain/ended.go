package explain

import (
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/explain/logformat"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/glossary"
)

// beyond and client are ends that are none of the proxy's own hops.
const (
	beyond flow.HopKind = "beyond"
	client flow.HopKind = "client"
)

// byDetails says at which hop a request ends with each details string of Envoy's. A string that is
// not here says nothing of the hop.
var byDetails = map[string]flow.HopKind{
	"via_upstream":                            beyond,
	"direct_response":                         flow.Route,
	"internal_redirect":                       beyond,
	"route_not_found":                         flow.Route,
	"route_configuration_not_found":           flow.Route,
	"filter_chain_not_found":                  flow.FilterChain,
	"cluster_not_found":                       flow.Cluster,
	"maintenance_mode":                        flow.Cluster,
	"no_healthy_upstream":                     flow.Endpoint,
	"drop_overload":                           flow.Cluster,
	"unconditional_drop_overload":             flow.Cluster,
	"dns_resolution_failure":                  flow.Cluster,
	"upstream_response_timeout":               beyond,
	"response_timeout":                        beyond,
	"upstream_per_try_timeout":                beyond,
	"upstream_per_try_idle_timeout":           beyond,
	"upstream_max_stream_duration_reached":    beyond,
	"upstream_reset_after_response_started":   beyond,
	"downstream_remote_disconnect":            client,
	"downstream_remote_reset":                 client,
	"request_overall_timeout":                 client,
	"request_header_timeout":                  client,
	"rbac_access_denied_matched_policy":       flow.HTTPFilters,
	"jwt_authn_access_denied":                 flow.HTTPFilters,
	"ext_authz_denied":                        flow.HTTPFilters,
	"ext_authz_error":                         flow.HTTPFilters,
	"fault_filter_abort":                      flow.HTTPFilters,
	"csrf_origin_mismatch":                    flow.HTTPFilters,
	"local_rate_limited":                      flow.HTTPFilters,
	"request_rate_limited":                    flow.HTTPFilters,
	"request_headers_failed_strict_check":     flow.HTTPFilters,
	"filter_removed_required_request_headers": flow.HTTPFilters,
	"request_payload_too_large":               flow.HTTPFilters,
	"upgrade_failed":                          flow.NetworkFilters,
	"missing_host_header":                     flow.NetworkFilters,
	"missing_path_rejected":                   flow.NetworkFilters,
	"absolute_path_rejected":                  flow.NetworkFilters,
	"path_normalization_failed":               flow.NetworkFilters,
	"low_version":                             flow.NetworkFilters,
	"overload":                                flow.NetworkFilters,
	"max_duration_timeout":                    flow.NetworkFilters,
	"duration_timeout":                        flow.NetworkFilters,
}

// byReason is the same of the reason in the braces of upstream_reset_before_response_started.
var byReason = map[string]flow.HopKind{
	"remote_connection_failure":   flow.Connect,
	"local_connection_failure":    flow.Connect,
	"connection_failure":          flow.Connect,
	"connection_timeout":          flow.Connect,
	"overflow":                    flow.Cluster,
	"connection_termination":      beyond,
	"remote_reset":                beyond,
	"remote_refused_stream_reset": beyond,
	"protocol_error":              beyond,
}

// byFlag is the same of the flags, the one that says most first.
var byFlag = []struct {
	flag string
	hop  flow.HopKind
}{
	{"NC", flow.Cluster},
	{"UH", flow.Endpoint},
	{"UO", flow.Cluster},
	{"UF", flow.Connect},
	{"DF", flow.Cluster},
	{"DO", flow.Cluster},
	{"UDO", flow.Cluster},
	{"UT", beyond},
	{"UC", beyond},
	{"UR", beyond},
	{"UPE", beyond},
	{"UMSDR", beyond},
	{"DC", client},
	{"DR", client},
	{"DPE", flow.NetworkFilters},
	{"FI", flow.HTTPFilters},
	{"RL", flow.HTTPFilters},
	{"RLSE", flow.HTTPFilters},
	{"UAEX", flow.HTTPFilters},
	{"IH", flow.HTTPFilters},
	{"LH", flow.HTTPFilters},
	{"NFCF", flow.HTTPFilters},
	{"RFCF", flow.HTTPFilters},
	{"OM", flow.NetworkFilters},
	{"DT", flow.NetworkFilters},
}

// ending says where the line says that the request ended. Details say it more exactly than flags.
func ending(line logformat.Line, details string, flags []string) flow.Ending {
	base := glossary.Base(details)
	hop := byDetails[base]
	why := line.Value(logformat.UpstreamWhy)
	if inside := glossary.Inside(details); base == "upstream_reset_before_response_started" && len(inside) > 0 {
		hop = byReason[inside[0]]
		if why == "" && len(inside) > 1 {
			why = inside[1]
		}
	}
	switch {
	case strings.HasPrefix(base, "http1.") || strings.HasPrefix(base, "http2."):
		hop = flow.NetworkFilters
	case base == "rbac_access_denied_matched_policy" && !line.HTTP():
		hop = flow.NetworkFilters
	case (hop == "" || hop == beyond && base == "via_upstream") && slices.Contains(flags, "NR"):
		hop = flow.Route
		if !line.HTTP() {
			hop = flow.FilterChain
		}
	}
	for _, row := range byFlag {
		if hop == "" && slices.Contains(flags, row.flag) {
			hop = row.hop
		}
	}
	e := flow.Ending{Hop: hop, Why: strings.ReplaceAll(why, "_", " ")}
	if hop == flow.Connect && inTLS(why) {
		e.Hop = flow.UpstreamTLS
	}
	switch hop {
	case beyond:
		e.Hop, e.Beyond = flow.App, true
	case client:
		e.Hop, e.Client = "", true
	case "":
		if !line.IsFailed() && line.Value(logformat.Host) != "" {
			e.Hop, e.Beyond = flow.App, true
		}
	case flow.Cluster, flow.Endpoint:
		e.At = line.Value(logformat.Cluster)
	case flow.Connect:
		e.At = line.Value(logformat.Host)
	case flow.HTTPFilters, flow.NetworkFilters:
		if inside := glossary.Inside(details); len(inside) > 0 && strings.HasPrefix(base, "rbac_") {
			e.At = "RBAC policy " + inside[0]
		}
	}
	return e
}

// inTLS says whether a transport failure is of TLS: Envoy's TLS socket and BoringSSL name it so.
func inTLS(why string) bool {
	for _, word := range []string{"TLS_error", "TLS error", "CERTIFICATE", "SSL", "WRONG_VERSION", "SECRET"} {
		if strings.Contains(why, word) {
			return true
		}
	}
	return false
}
