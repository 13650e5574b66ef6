package infer

import (
	"fmt"
	"net/netip"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// An rbac evaluates envoy.config.rbac.v3.RBAC for one connection or request. It follows RoleBasedAccessControlEngine
// and the matchers of source/extensions/filters/common/rbac.
type rbac struct {
	w       *walk
	header  headers // nil map on a connection
	unknown string  // the first thing that was asked for and is not known
}

// allowed says whether the rules let the request through, and which policy decided.
func (r *rbac) allowed(rules configdump.Value) (result truth, why string) {
	action := rules.Get("action").Text()
	deny := action == "DENY" || action == "1"
	if action == "LOG" || action == "2" {
		return yes, "RBAC only logs"
	}
	result = truthOf(deny)
	for name, p := range rules.Get("policies").Fields() {
		switch r.policy(p) {
		case yes:
			return truthOf(!deny), fmt.Sprintf("RBAC policy %s matches, action %s", name, first(action, "ALLOW"))
		case depends:
			result, why = depends, fmt.Sprintf("RBAC policy %s depends on %s", name, r.unknown)
		}
	}
	if result == depends {
		return result, why
	}
	return result, fmt.Sprintf("no RBAC policy matches, action %s", first(action, "ALLOW"))
}

// policy matches when one permission and one principal do.
func (r *rbac) policy(p configdump.Value) truth {
	permission := some(p.Get("permissions"), func(v configdump.Value) truth { return r.permission(v, 0) })
	if permission == no {
		return no
	}
	principal := some(p.Get("principals"), func(v configdump.Value) truth { return r.principal(v, 0) })
	if principal == no {
		return no
	}
	condition := yes
	if v := p.Get("condition"); v.Exists() {
		if condition = r.condition(v); condition == no {
			return no
		}
	}
	if permission == depends || principal == depends || condition == depends {
		return depends
	}
	return yes
}

// condition evaluates a policy's CEL expression. checked_condition is there to be read, not evaluated.
func (r *rbac) condition(v configdump.Value) truth {
	result, what := r.w.condition(r.w.e.expression(v, barely), r.header.all != nil)
	if result == depends {
		return r.dontKnow(what)
	}
	return r.saw(v, result == yes, "the policy's CEL condition")
}

// byMatcher evaluates the matcher that may stand in the place of rules. Its actions are envoy.config.rbac.v3.Action; where
// it leads to none, the request is denied.
func (r *rbac) byMatcher(tree configdump.Value) (result truth, why string) {
	m := matching{w: r.w, http: r.header.all != nil}
	var action configdump.Value
	m.accept = func(v configdump.Value) bool {
		action, _ = v.Get("typed_config").Typed()
		return true
	}
	matched := m.evaluate(tree, 0)
	if m.unknown != "" {
		r.dontKnow(m.unknown)
		return depends, "the RBAC matcher depends on " + m.unknown
	}
	if !matched {
		return no, "the RBAC matcher leads to no action, which denies"
	}
	verdict := first(action.Get("action").Text(), "ALLOW")
	why = fmt.Sprintf("the RBAC matcher leads to %s, action %s, by %s", orNone(action.Get("name").Text()), verdict, orNone(strings.Join(m.steps, ", ")))
	return truthOf(verdict != "DENY" && verdict != "1"), why
}

// judge evaluates the rules or the matcher of a filter's configuration. ok is false where it has none.
func (r *rbac) judge(config configdump.Value) (result truth, why string, at configdump.Value, ok bool) {
	if tree := config.Get("matcher"); tree.Exists() {
		result, why = r.byMatcher(tree)
		return result, why, tree, true
	}
	rules := config.Get("rules")
	if !rules.Exists() {
		return yes, "", rules, false
	}
	result, why = r.allowed(rules)
	return result, why, rules, true
}

func (r *rbac) dontKnow(what string) truth {
	setDefault(&r.unknown, what)
	return depends
}

func (r *rbac) permission(v configdump.Value, depth int) truth {
	if depth > maxMatcherDepth {
		return r.dontKnow("rules that nest too deep")
	}
	deeper := func(e configdump.Value) truth { return r.permission(e, depth+1) }
	for kind, rule := range v.Fields() {
		switch kind = configdump.FieldName(kind); kind {
		case "any":
			return truthOf(rule.Bool())
		case "and_rules":
			return all(rule.Get("rules"), deeper)
		case "or_rules":
			return some(rule.Get("rules"), deeper)
		case "not_rule":
			return deeper(rule).not()
		case "destination_ip":
			return inRange(rule, r.w.conn.local.Addr())
		case "destination_port":
			return r.saw(rule, uint64(r.w.conn.local.Port()) == rule.Uint(), "destination port %s", rule.Text())
		case "destination_port_range":
			port := uint64(r.w.conn.local.Port())
			return truthOf(port >= rule.Get("start").Uint() && port < rule.Get("end").Uint())
		case "requested_server_name":
			return truthOf(stringMatches(rule, r.w.conn.serverName))
		default:
			return r.common(kind, rule)
		}
	}
	return no
}

func (r *rbac) principal(v configdump.Value, depth int) truth {
	if depth > maxMatcherDepth {
		return r.dontKnow("rules that nest too deep")
	}
	deeper := func(e configdump.Value) truth { return r.principal(e, depth+1) }
	for kind, rule := range v.Fields() {
		switch kind = configdump.FieldName(kind); kind {
		case "any":
			return truthOf(rule.Bool())
		case "and_ids":
			return all(rule.Get("ids"), deeper)
		case "or_ids":
			return some(rule.Get("ids"), deeper)
		case "not_id":
			return deeper(rule).not()
		case "authenticated":
			return r.authenticated(rule)
		case "custom":
			return r.custom(rule)
		case "source_ip":
			return r.from(rule, r.w.conn.remote.Addr())
		case "direct_remote_ip":
			return r.from(rule, r.w.conn.direct.Addr())
		case "remote_ip": // what x-forwarded-for says counts too
			if r.header.all != nil {
				return r.from(rule, r.w.client)
			}
			return r.from(rule, r.w.conn.remote.Addr())
		default:
			return r.common(kind, rule)
		}
	}
	return no
}

func (r *rbac) from(rule configdump.Value, addr netip.Addr) truth {
	if !addr.IsValid() {
		return r.dontKnow("the request's source address")
	}
	return inRange(rule, addr)
}

// common evaluates what permissions and principals share.
func (r *rbac) common(kind string, rule configdump.Value) truth {
	switch kind {
	case "header":
		return r.saw(rule, r.header.all != nil && headerMatches(rule, r.header), "header %s", headerMatchText(rule))
	case "url_path":
		path, ok := r.header.get(":path")
		return r.saw(rule, ok && stringMatches(rule.Get("path"), pathOnly(path)), "path %s", matcherText(rule.Get("path")))
	case "uri_template":
		path, _ := r.header.get(":path")
		config, _ := rule.Get("typed_config").Typed()
		p := templatePattern(config.Get("path_template").Text())
		return truthOf(p != nil && p.MatchString(pathOnly(path)))
	case "filter_state":
		if rule.Get("key").Text() == "io.istio.peer_principal" {
			return r.peer(rule.Get("string_match"))
		}
		return r.dontKnow("filter state " + rule.Get("key").Text())
	case "metadata", "sourced_metadata":
		return r.dontKnow("metadata that filters set, such as a token's claims")
	}
	return r.dontKnow("what " + kind + " tests")
}

// authenticated matches the identity of the client's certificate. Without a name any TLS will do, also without a certificate,
// and a client without one is compared as the empty name. (AuthenticatedMatcher)
func (r *rbac) authenticated(rule configdump.Value) truth {
	name := rule.Get("principal_name")
	switch {
	case !r.w.conn.terminated:
		return no
	case !name.Exists():
		return yes
	case !r.w.mutual():
		return truthOf(stringMatches(name, ""))
	}
	return r.peer(name)
}

// custom evaluates an extension in the place of a principal: mtls_authenticated is the one that there is.
func (r *rbac) custom(rule configdump.Value) truth {
	config, kind := rule.Get("typed_config").Typed()
	if !strings.HasSuffix(kind, ".mtls_authenticated.v3.Config") {
		return r.dontKnow("what principal " + first(kind, rule.Get("name").Text()) + " tests")
	}
	san := config.Get("san_matcher")
	switch {
	case !r.w.mutual():
		return no
	case !san.Exists():
		return truthOf(config.Get("any_validated_client_certificate").Bool())
	case !oneOf(san.Get("san_type").Text(), "URI", "3"):
		return r.dontKnow("a name in the client's certificate that is no URI")
	}
	return r.peer(san.Get("matcher"))
}

func (r *rbac) peer(name configdump.Value) truth {
	if !r.w.mutual() {
		return no
	}
	if r.w.opts.Peer == "" {
		return r.dontKnow("the identity in the client's certificate")
	}
	return r.saw(name, stringMatches(name, r.w.opts.Peer), "client's identity %s", matcherText(name))
}

func (r *rbac) saw(at configdump.Value, holds bool, format string, args ...any) truth {
	return truthOf(r.w.check(at, holds, "RBAC: "+format, args...))
}

func inRange(rule configdump.Value, addr netip.Addr) truth {
	p, ok := prefixRange(rule)
	return truthOf(ok && p.Contains(addr))
}

// networkRBAC evaluates the RBAC network filter. It returns true when the connection ends here.
func (w *walk) networkRBAC(config configdump.Value, names []string, hop *flow.Hop) bool {
	engine := rbac{w: w}
	allowed, why, rules, ok := engine.judge(config)
	switch {
	case !ok, allowed == yes:
		return false
	case allowed == depends:
		hop.Rejected = append(hop.Rejected, flow.Alternative{Name: "connection denied", Source: rules.Pointer(), Why: why})
		return false
	}
	hop.Decision, hop.Why = "denied by "+names[len(names)-1], why+": Envoy closes the connection"
	w.add(flow.NetworkFilters, rules, *hop)
	w.fail(flow.Denied, "")
	return true
}
