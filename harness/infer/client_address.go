package infer

import (
	"fmt"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/filters"
	"github.com/flowproof/lab/harness/infer/match"
)

// A clientAddress is whose request the connection manager takes it to be: ConnectionManagerUtility::mutateRequestHeaders.
type clientAddress struct {
	addr     netip.Addr // not valid when unknown
	internal bool       // it counts as inside: x-envoy-internal
	edge     bool       // it comes from outside to a manager that is the first to see it
	why      string     // which field says so
}

// findClient decides who the client is, and adds the connection's own peer to x-forwarded-for where the manager does.
// With use_remote_address that is the peer, or, behind xff_num_trusted_hops proxies, what they wrote. Without, it is the
// address that stands last in x-forwarded-for, less the trusted ones.
func (w *walk) findClient() clientAddress {
	h, m := w.req.header, w.hcm.at
	forwarded, given := h.Get("x-forwarded-for")
	trusted := int(min(m.Get("xff_num_trusted_hops").Uint(), 1<<16))
	c := clientAddress{}
	single := !given
	if m.Get("use_remote_address").Bool() {
		if trusted > 0 {
			c.addr = lastForwarded(forwarded, trusted-1)
			c.why = fmt.Sprintf("by use_remote_address with xff_num_trusted_hops %d: the address that stands there in x-forwarded-for %q", trusted, forwarded)
		}
		if !c.addr.IsValid() {
			c.addr, c.why = w.conn.remote.Addr(), "by use_remote_address: the connection's own peer"
		}
		if peer := w.conn.remote.Addr(); peer.IsValid() && !m.Get("skip_xff_append").Bool() {
			if isLoopback(peer) && len(w.e.node.IPs) > 0 { // Envoy then writes its own address
				peer, _ = netip.ParseAddr(w.e.node.IPs[0])
			}
			h.Set("x-forwarded-for", strings.TrimPrefix(forwarded+","+peer.String(), ","))
		}
	} else {
		c.addr, single = w.detectClient(forwarded, trusted)
		c.why = fmt.Sprintf("without use_remote_address: the address in x-forwarded-for %q less xff_num_trusted_hops %d", forwarded, trusted)
		if w.hcm.at.Get("original_ip_detection_extensions").Len() > 0 {
			c.why = "by original_ip_detection_extensions"
		}
	}
	c.internal = single && c.addr.IsValid() && w.isInternal(c.addr)
	c.edge = !c.internal && m.Get("use_remote_address").Bool()
	if !c.addr.IsValid() {
		c.addr, c.why = w.conn.remote.Addr(), "x-forwarded-for names none: the connection's own peer"
	}
	if c.addr.IsValid() {
		w.cause("client address", c.addr.String(), c.why)
	}
	return c
}

// detectClient finds the client without use_remote_address: by original_ip_detection_extensions, or in x-forwarded-for.
// trusted says whether the address may make the request internal; one that nobody forwarded is external.
func (w *walk) detectClient(forwarded string, hops int) (addr netip.Addr, trusted bool) {
	extensions := w.hcm.at.Get("original_ip_detection_extensions")
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
			text, _ := w.req.header.Get(config.Get("header_name").Text())
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
			w.undetected = &refusal{status: status, code: flow.DetectionRefused, details: "rejecting_because_detection_failed", at: reject,
				why: "the extension finds no address of a client, and reject_with_status refuses such requests"}
			return addr, false
		}
	}
	return addr, false
}

// mutateEarly does to headers what early_header_mutation_extensions say, before anything else looks at them.
func (w *walk) mutateEarly() {
	for _, e := range w.hcm.at.Get("early_header_mutation_extensions").Elements() {
		config, kind := e.Get("typed_config").Typed()
		name := match.TypeOf(e)
		cause := match.Cause{On: "early header mutation " + name, Why: "what " + name + " does to headers is not known"}
		for _, m := range config.Get("mutations").Elements() {
			filters.Mutate(w.req.header, m, w.formatted, cause)
		}
		if !strings.HasSuffix(kind, ".header_mutation.v3.HeaderMutation") {
			w.req.header.LoosenAll(cause, true)
		}
	}
}

// lastForwarded returns the address in x-forwarded-for that stands so many places before the last; not valid where there is
// none. (Utility::getLastAddressFromXFF)
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
	netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("172.16.0.0/12"), netip.MustParsePrefix("192.168.0.0/16"),
	netip.MustParsePrefix("127.0.0.1/32"), netip.MustParsePrefix("::1/128"), netip.MustParsePrefix("fd00::/8"),
}

// isInternal evaluates internal_address_config. One without cidr_ranges means private addresses. None at all means no
// address since Envoy 1.33, and meant private ones before.
func (w *walk) isInternal(addr netip.Addr) bool {
	config := w.hcm.at.Get("internal_address_config")
	if ranges := prefixRanges(config.Get("cidr_ranges")); len(ranges) > 0 {
		return longest(ranges, addr) >= 0
	}
	return (config.Exists() || olderThan(w.e.node.EnvoyVersion, 1, 33)) && longest(privateNetworks, addr) >= 0
}

// olderThan says whether a version is known and below major.minor.
func olderThan(version string, major, minor int) bool {
	parts := strings.Split(version, ".")
	if len(parts) < 2 {
		return false
	}
	have, err := strconv.Atoi(parts[0])
	haveMinor, err2 := strconv.Atoi(parts[1])
	return err == nil && err2 == nil && (have < major || have == major && haveMinor < minor)
}

// isLoopback is Network::Utility::isLoopbackAddress: 127.0.0.1 and ::1 only, not the rest of 127.0.0.0/8.
func isLoopback(addr netip.Addr) bool {
	return addr == netip.AddrFrom4([4]byte{127, 0, 0, 1}) || addr == netip.IPv6Loopback()
}

// onlyInternal are headers that a request from inside alone may carry to the router.
var onlyInternal = []string{
	"x-envoy-retriable-status-codes", "x-envoy-retriable-header-names", "x-envoy-retry-on", "x-envoy-retry-grpc-on", "x-envoy-max-retries",
	"x-envoy-upstream-alt-stat-name", "x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms",
	"x-envoy-upstream-rq-timeout-alt-response", "x-envoy-expected-rq-timeout-ms", "x-envoy-force-trace", "x-envoy-ip-tags",
	"x-envoy-original-url", "x-envoy-hedge-on-per-try-timeout",
}

// onlyBehindTheEdge are headers that no request from outside may carry.
var onlyBehindTheEdge = []string{"x-envoy-decorator-operation", "x-envoy-downstream-service-cluster", "x-envoy-downstream-service-node"}

// placeholderID has the form of the x-request-id that Envoy makes; which one it makes is chance.
const placeholderID = "00000000-0000-4000-8000-000000000000"

// sanitise takes from the request what it may not carry further, and adds what the manager says of its client.
func (w *walk) sanitise(c clientAddress) {
	h := w.req.header
	if !w.upgrades() {
		h.Remove("connection", "upgrade")
		if te, ok := h.Get("te"); ok && !hasToken(te, "trailers") {
			h.Remove("te")
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
		h.Remove(w.tableHeaders()...)
	}
	if c.edge && c.addr.IsValid() {
		h.Set("x-envoy-external-address", c.addr.String())
	}
	w.introduce(c)
	if m := w.hcm.at; !isFalse(m.Get("generate_request_id")) {
		if _, given := h.Get("x-request-id"); !given || c.edge && !m.Get("preserve_external_request_id").Bool() {
			h.Set("x-request-id", placeholderID)
		}
	}
	w.certificateHeader()
}

// introduce adds what the manager says of itself: add_user_agent, append_x_forwarded_port and via.
func (w *walk) introduce(c clientAddress) {
	h, m := w.req.header, w.hcm.at
	if m.Get("add_user_agent").Bool() {
		h.Set("x-envoy-downstream-service-cluster", w.e.node.Cluster)
		if _, given := h.Get("user-agent"); !given {
			h.Set("user-agent", w.e.node.Cluster)
		}
		if w.e.node.ID != "" {
			h.Set("x-envoy-downstream-service-node", w.e.node.ID)
		}
	}
	edge := m.Get("use_remote_address").Bool() && m.Get("xff_num_trusted_hops").Uint() == 0
	if _, given := h.Get("x-forwarded-port"); m.Get("append_x_forwarded_port").Bool() && (edge || !given) {
		h.Set("x-forwarded-port", strconv.Itoa(int(w.conn.local.Port())))
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

// isReferer says whether Envoy leaves a referer as it is: a path, or a URL with a host and neither user nor fragment.
func isReferer(text string) bool {
	u, err := url.Parse(text)
	if err != nil || strings.Contains(text, "#") || u.User != nil {
		return false
	}
	port, err := strconv.Atoi(first(u.Port(), "0"))
	return err == nil && port <= 65535 && (u.Scheme == "" || u.Host != "")
}

// certificateHeader does to x-forwarded-client-cert what forward_client_cert_details says.
func (w *walk) certificateHeader() {
	switch w.hcm.at.Get("forward_client_cert_details").Text() {
	case "ALWAYS_FORWARD_ONLY", "4":
	case "FORWARD_ONLY", "1", "APPEND_FORWARD", "2", "SANITIZE_SET", "3":
		if !w.mutual() {
			w.req.header.Remove("x-forwarded-client-cert")
		}
	default:
		w.req.header.Remove("x-forwarded-client-cert")
	}
}

// tableHeaders are the internal_only_headers of the route configuration.
func (w *walk) tableHeaders() []string {
	config, _ := w.routeConfiguration()
	if !config.Exists() {
		return nil
	}
	return w.e.routeTable(config).internalOnly
}

// upgrades says whether the request asks for another protocol: Http::Utility::isUpgrade.
func (w *walk) upgrades() bool {
	_, ok := w.req.header.Get("upgrade")
	connection, _ := w.req.header.Get("connection")
	return ok && hasToken(connection, "upgrade")
}
