package hcm

import (
	"cmp"
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/filters"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/matcher"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
)

// A clientAddress is whose request the connection manager takes it to be:
// ConnectionManagerUtility::mutateRequestHeaders.
type clientAddress struct {
	addr     netip.Addr // not valid when unknown
	internal bool       // it counts as inside: x-envoy-internal
	edge     bool       // it comes from outside to a manager that is the first to see it
	why      string     // which field says so
}

// findClient decides who the client is, and adds the connection's own peer to x-forwarded-for
// where the manager does. With use_remote_address that is the peer, or, behind
// xff_num_trusted_hops proxies, what they wrote. Without, it is the address that stands last in
// x-forwarded-for, less the trusted ones.
func findClient(w *passage.Walk) clientAddress {
	h, m := w.Req.Header, w.HCM.At
	forwarded, given := h.Get("x-forwarded-for")
	trusted := int(min(m.Get("xff_num_trusted_hops").Uint(), 1<<16))
	c := clientAddress{}
	single := !given
	if m.Get("use_remote_address").Bool() {
		if trusted > 0 {
			c.addr = lastForwarded(forwarded, trusted-1)
			c.why = fmt.Sprintf("by use_remote_address with xff_num_trusted_hops %d: the address that stands there "+
				"in x-forwarded-for %q", trusted, forwarded)
		}
		if !c.addr.IsValid() {
			c.addr, c.why = w.Conn.Remote.Addr(), "by use_remote_address: the connection's own peer"
		}
		if peer := w.Conn.Remote.Addr(); peer.IsValid() && !m.Get("skip_xff_append").Bool() {
			if passage.IsLoopback(peer) && len(w.Proxy.Node.IPs) > 0 { // Envoy then writes its own address
				peer, _ = netip.ParseAddr(w.Proxy.Node.IPs[0])
			}
			h.Set("x-forwarded-for", strings.TrimPrefix(forwarded+","+peer.String(), ","))
		}
	} else {
		c.addr, single = detectClient(w, forwarded, trusted)
		c.why = fmt.Sprintf("without use_remote_address: the address in x-forwarded-for %q less xff_num_trusted_hops "+
			"%d", forwarded, trusted)
		if w.HCM.At.Get("original_ip_detection_extensions").Len() > 0 {
			c.why = "by original_ip_detection_extensions"
		}
	}
	c.internal = single && c.addr.IsValid() && isInternal(w, c.addr)
	c.edge = !c.internal && m.Get("use_remote_address").Bool()
	if !c.addr.IsValid() {
		c.addr, c.why = w.Conn.Remote.Addr(), "x-forwarded-for names none: the connection's own peer"
	}
	if c.addr.IsValid() {
		cause(w, "client address", c.addr.String(), c.why)
	}
	return c
}

// detectClient finds the client without use_remote_address: by original_ip_detection_extensions, or
// in x-forwarded-for. trusted says whether the address may make the request internal; one that was
// not forwarded is external.
func detectClient(w *passage.Walk, forwarded string, hops int) (addr netip.Addr, trusted bool) {
	extensions := w.HCM.At.Get("original_ip_detection_extensions")
	if extensions.Len() == 0 {
		addr = lastForwarded(forwarded, hops)
		return addr, addr.IsValid() && !strings.Contains(forwarded, ",")
	}
	for _, e := range extensions.Elements() {
		config, kind := e.Get("typed_config").Typed()
		switch {
		case strings.HasSuffix(kind, ".xff.v3.XffConfig"):
			addr = lastForwarded(forwarded, int(min(config.Get("xff_num_trusted_hops").Uint(), 1<<16)))
			trusted = addr.IsValid() && !strings.Contains(forwarded, ",")
		case strings.HasSuffix(kind, ".custom_header.v3.CustomHeaderConfig"):
			text, _ := w.Req.Header.Get(config.Get("header_name").Text())
			addr, _ = netip.ParseAddr(text)
			trusted = config.Get("allow_extension_to_set_address_as_trusted").Bool()
		}
		if addr.IsValid() {
			return addr, trusted
		}
		if reject := config.Get("reject_with_status"); reject.Exists() {
			status := filters.StatusCode(reject.Get("code").Text())
			if status < 400 || status > 511 {
				status = 403
			}
			w.Undetected = &passage.Refusal{Status: status, Code: flow.DetectionRefused,
				Details: "rejecting_because_detection_failed", At: reject,
				Why: "the extension finds no address of a client, and reject_with_status refuses such requests"}
			return addr, false
		}
	}
	return addr, false
}

// mutateEarly does to headers what early_header_mutation_extensions say, before anything
// else looks at them.
func mutateEarly(w *passage.Walk) {
	for _, e := range w.HCM.At.Get("early_header_mutation_extensions").Elements() {
		config, kind := e.Get("typed_config").Typed()
		name := match.TypeOf(e)
		cause := match.Cause{On: "early header mutation " + name, Why: "what " + name + " does to headers is not known"}
		for _, m := range config.Get("mutations").Elements() {
			filters.Mutate(w.Req.Header, m, w.Formatted, cause)
		}
		if !strings.HasSuffix(kind, ".header_mutation.v3.HeaderMutation") {
			w.Req.Header.LoosenAll(cause, true)
		}
	}
}

// lastForwarded returns the address in x-forwarded-for that stands so many places before the last;
// not valid where there is none. (Utility::getLastAddressFromXFF)
func lastForwarded(list string, skip int) netip.Addr {
	parts := strings.Split(list, ",")
	if skip >= len(parts) {
		return netip.Addr{}
	}
	addr, err := netip.ParseAddr(strings.Trim(parts[len(parts)-1-skip], " \t"))
	if err != nil || addr.Zone() != "" {
		return netip.Addr{}
	}
	return addr
}

// privateNetworks are what counts as inside where internal_address_config names no cidr_ranges.
var privateNetworks = []netip.Prefix{
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"),
	netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fd00::/8"),
}

// isInternal evaluates internal_address_config. One without cidr_ranges means private addresses.
// None at all means no address since Envoy 1.33, and meant private ones before.
func isInternal(w *passage.Walk, addr netip.Addr) bool {
	config := w.HCM.At.Get("internal_address_config")
	if ranges := proxy.PrefixRanges(config.Get("cidr_ranges")); len(ranges) > 0 {
		return proxy.Longest(ranges, addr) >= 0
	}
	return (config.Exists() || w.Proxy.OlderThan(1, 33)) && proxy.Longest(privateNetworks, addr) >= 0
}

// onlyInternal are headers that a request from inside alone may carry to the router.
var onlyInternal = []string{
	"x-envoy-retriable-status-codes", "x-envoy-retriable-header-names", "x-envoy-retry-on", "x-envoy-retry-grpc-on",
	"x-envoy-max-retries",
	"x-envoy-upstream-alt-stat-name", "x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms",
	"x-envoy-upstream-rq-timeout-alt-response", "x-envoy-expected-rq-timeout-ms", "x-envoy-force-trace",
	"x-envoy-ip-tags", "x-envoy-original-url", "x-envoy-hedge-on-per-try-timeout",
}

// onlyBehindTheEdge are headers that no request from outside may carry.
var onlyBehindTheEdge = []string{"x-envoy-decorator-operation", "x-envoy-downstream-service-cluster",
	"x-envoy-downstream-service-node", "x-envoy-original-path", "x-envoy-original-host"}

// sanitise takes from the request what it may not carry further, and adds what the manager
// says of its client.
func sanitise(w *passage.Walk, c clientAddress) {
	h := w.Req.Header
	if !upgrades(w) {
		h.Remove("connection", "upgrade")
		if te, ok := h.Get("te"); ok {
			if h.Remove("te"); hasToken(te, "trailers") {
				h.Set("te", "trailers")
			}
		}
	}
	h.Remove("x-envoy-internal", "keep-alive", "proxy-connection", "transfer-encoding")
	if c.internal {
		h.Set("x-envoy-internal", "true")
	} else {
		if c.edge {
			h.Remove(onlyBehindTheEdge...)
		}
		h.Remove(onlyInternal...)
		if w.Proxy.Guarded("sanitize_upstream_stream_duration_header") {
			h.Remove("x-envoy-upstream-stream-duration-ms")
		}
		h.Remove(tableHeaders(w)...)
	}
	if c.edge && c.addr.IsValid() {
		h.Set("x-envoy-external-address", c.addr.String())
	}
	introduce(w)
	if m := w.HCM.At; !proxy.IsFalse(m.Get("generate_request_id")) {
		if _, given := h.Get("x-request-id"); !given || c.edge && !m.Get("preserve_external_request_id").Bool() {
			h.Set("x-request-id", passage.PlaceholderID)
		}
	}
	certificateHeader(w)
}

// introduce adds what the manager says of itself: add_user_agent, append_x_forwarded_port and via.
func introduce(w *passage.Walk) {
	h, m := w.Req.Header, w.HCM.At
	if m.Get("add_user_agent").Bool() {
		h.Set("x-envoy-downstream-service-cluster", w.Proxy.Node.Cluster)
		if _, given := h.Get("user-agent"); !given {
			h.Set("user-agent", w.Proxy.Node.Cluster)
		}
		if w.Proxy.Node.ID != "" {
			h.Set("x-envoy-downstream-service-node", w.Proxy.Node.ID)
		}
	}
	edge := m.Get("use_remote_address").Bool() && m.Get("xff_num_trusted_hops").Uint() == 0
	if _, given := h.Get("x-forwarded-port"); m.Get("append_x_forwarded_port").Bool() && (edge || !given) {
		h.Set("x-forwarded-port", strconv.Itoa(int(w.Conn.Local.Port())))
	}
	if via := m.Get("via").Text(); via != "" {
		before, given := h.Get("via")
		if given {
			via = before + ", " + via
		}
		h.Set("via", via)
	}
	if referer, given := h.Get("referer"); given && !isReferer(referer) {
		h.Remove("referer")
	}
	if expect, _ := h.Get("expect"); strings.EqualFold(expect, "100-continue") && !m.Get("proxy_100_continue").Bool() {
		h.Remove("expect")
	}
}

// isReferer says whether Envoy leaves a referer as it is: a path, or a URL with a host and
// neither user nor fragment.
func isReferer(text string) bool {
	u, err := url.Parse(text)
	if err != nil || strings.Contains(text, "#") || u.User != nil {
		return false
	}
	port, err := strconv.Atoi(cmp.Or(u.Port(), "0"))
	return err == nil && port <= 65535 && (u.Scheme == "" || u.Host != "")
}

// certificateHeader does to x-forwarded-client-cert what forward_client_cert_details says.
func certificateHeader(w *passage.Walk) {
	switch forwardClientCert(w).Text() {
	case "ALWAYS_FORWARD_ONLY", "4":
	case "FORWARD_ONLY", "1", "APPEND_FORWARD", "2", "SANITIZE_SET", "3":
		if !w.Mutual() {
			w.Req.Header.Remove("x-forwarded-client-cert")
		}
	default:
		w.Req.Header.Remove("x-forwarded-client-cert")
	}
}

// forwardClientCert is the forward_client_cert_details that counts: that of the action which
// forward_client_cert_matcher leads to, or else the connection manager's own.
func forwardClientCert(w *passage.Walk) (details configdump.Value) {
	details = w.HCM.At.Get("forward_client_cert_details")
	if tree := w.HCM.At.Get("forward_client_cert_matcher"); tree.Exists() {
		m := matcher.Matching{W: w, What: flow.WhatHeaders, HTTP: true, Accept: func(v configdump.Value) bool {
			action, _ := v.Get("typed_config").Typed()
			details = action.Get("forward_client_cert_details")
			return true
		}}
		m.Evaluate(tree)
	}
	return details
}

// tableHeaders are the internal_only_headers of the route configuration.
func tableHeaders(w *passage.Walk) []string {
	config, _ := routeConfiguration(w)
	if !config.Exists() {
		return nil
	}
	return w.Proxy.RouteTable(config).InternalOnly
}

// upgrades says whether the request asks for another protocol: Http::Utility::isUpgrade.
func upgrades(w *passage.Walk) bool {
	_, ok := w.Req.Header.Get("upgrade")
	connection, _ := w.Req.Header.Get("connection")
	return ok && hasToken(connection, "upgrade")
}
