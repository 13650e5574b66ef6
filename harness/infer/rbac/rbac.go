// Package rbac evaluates Envoy's role-based access control for a connection or a request.
package rbac

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/expr"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/matcher"
	"github.com/flowproof/lab/harness/infer/passage"
	"github.com/flowproof/lab/harness/infer/proxy"
	"github.com/flowproof/lab/harness/infer/say"
	"github.com/flowproof/lab/internal/redact"
)

// Rules evaluates envoy.config.rbac.v3.RBAC for one connection or request. It follows
// RoleBasedAccessControlEngine and the matchers of source/extensions/filters/common/rbac.
type Rules struct {
	W      *passage.Walk
	Header *match.Headers // nil on a connection
	last   string         // the last condition that failed
	named  string         // of the policy that is asked, to be shown before its conditions
	failed string         // which part of the last policy failed
}

// allowed says whether the rules let the request through, and which policy decided: at is the
// policy, or the rules where none did. Policies are asked in the order of their names; the first
// that matches decides.
func (r *Rules) allowed(rules configdump.Value) (result match.Truth, code flow.Reason, why string,
	at configdump.Value) {
	action := rules.Get("action").Text()
	deny := action == "DENY" || action == "1"
	if action == "LOG" || action == "2" {
		return match.Yes, "", "RBAC only logs", rules
	}
	result, code = match.Of(deny), flow.RBACNoPolicy
	var failed []string
	for name, p := range rules.Get("policies").Fields() {
		r.named = name
		t := r.policy(p)
		r.named = ""
		switch {
		case t.Yes() && deny:
			return match.No, flow.RBACDenyPolicy, fmt.Sprintf("RBAC policy %s matches, action %s", name,
				cmp.Or(action, "ALLOW")), p
		case t.Yes():
			return match.Yes, "", fmt.Sprintf("RBAC policy %s matches, action %s", name, cmp.Or(action, "ALLOW")), p
		case t.Open():
			result, why = t, fmt.Sprintf("RBAC policy %s depends on %s", name, t.On)
		default:
			failed = append(failed, name+" ("+r.failed+")")
		}
	}
	if result.Open() {
		return result, code, why, rules
	}
	why = fmt.Sprintf("no RBAC policy matches, action %s", cmp.Or(action, "ALLOW"))
	if len(failed) > 0 {
		why += ": " + say.List(failed)
	}
	return result, code, why, rules
}

// policy matches when one permission and one principal do. Where it does not, failed says
// which part did not.
func (r *Rules) policy(p configdump.Value) match.Truth {
	permission := match.Some(p.Get("permissions"), func(v configdump.Value) match.Truth { return r.permission(v, 0) })
	if permission.No() {
		r.failed = say.Join("no permission holds", r.last)
		return permission
	}
	principal := match.Some(p.Get("principals"), func(v configdump.Value) match.Truth { return r.principal(v, 0) })
	if principal.No() {
		r.failed = say.Join("no principal holds", r.last)
		return principal
	}
	condition := match.Yes
	if v := p.Get("condition"); v.Exists() {
		if condition = r.condition(v, p.Get("cel_config")); condition.No() {
			r.failed = "its condition does not hold"
			return condition
		}
	}
	return permission.And(principal).And(condition)
}

// condition evaluates a policy's CEL expression. checked_condition is there to be
// read, not evaluated.
func (r *Rules) condition(v, config configdump.Value) match.Truth {
	result := r.W.Condition(r.W.Proxy.Programs.Of(v, expr.Policy, config), r.Header != nil)
	return r.saw(v, result, "", "the policy's CEL condition")
}

// byMatcher evaluates the matcher that may stand in the place of rules. Its actions are
// envoy.config.rbac.v3.Action; where it leads to none, the request is denied.
func (r *Rules) byMatcher(tree configdump.Value) (result match.Truth, why string) {
	m := matcher.Matching{W: r.W, What: flow.WhatAnswer, HTTP: r.Header != nil}
	var action configdump.Value
	m.Accept = func(v configdump.Value) bool {
		action, _ = v.Get("typed_config").Typed()
		return true
	}
	if !m.Evaluate(tree) {
		return match.No, "the RBAC matcher leads to no action, which denies"
	}
	verdict := cmp.Or(action.Get("action").Text(), "ALLOW")
	why = fmt.Sprintf("the RBAC matcher leads to %s, action %s, by %s", say.OrNone(action.Get("name").Text()), verdict,
		say.OrNone(strings.Join(m.Steps, ", ")))
	return match.Of(verdict != "DENY" && verdict != "1"), why
}

// Judge evaluates the rules or the matcher of a filter's configuration. ok is false
// where it has none.
func (r *Rules) Judge(config configdump.Value) (result match.Truth, code flow.Reason, why string,
	at configdump.Value, ok bool) {
	if tree := config.Get("matcher"); tree.Exists() {
		result, why = r.byMatcher(tree)
		return result, flow.RBACMatcher, why, tree, true
	}
	rules := config.Get("rules")
	if !rules.Exists() {
		return match.Yes, "", "", rules, false
	}
	result, code, why, at = r.allowed(rules)
	return result, code, why, at, true
}

func (r *Rules) permission(v configdump.Value, depth int) match.Truth {
	if depth > match.MaxDepth {
		return match.Depends("rules that nest too deep", "only so many levels are followed")
	}
	deeper := func(e configdump.Value) match.Truth { return r.permission(e, depth+1) }
	for kind, rule := range v.Fields() {
		switch kind = configdump.FieldName(kind); kind {
		case "any":
			return match.Of(rule.Bool())
		case "and_rules":
			return match.All(rule.Get("rules"), deeper)
		case "or_rules":
			return match.Some(rule.Get("rules"), deeper)
		case "not_rule":
			return deeper(rule).Not()
		case "destination_ip":
			p, ok := proxy.PrefixRange(rule)
			local := r.W.Conn.Local.Addr()
			return r.saw(rule, match.Of(ok && p.Contains(local)), local.String(), "destination address in %s", p)
		case "destination_port":
			return r.saw(rule, match.Of(uint64(r.W.Conn.Local.Port()) == rule.Uint()),
				fmt.Sprint(r.W.Conn.Local.Port()), "destination port %s", rule.Text())
		case "destination_port_range":
			port := uint64(r.W.Conn.Local.Port())
			from, to := rule.Get("start").Uint(), rule.Get("end").Uint()
			return r.saw(rule, match.Of(port >= from && port < to), fmt.Sprint(port),
				"destination port in [%d, %d)", from, to)
		case "requested_server_name":
			return r.saw(rule, match.String(rule, r.W.Conn.ServerName), strconv.Quote(r.W.Conn.ServerName),
				"server name has to be %s", match.StringText(rule))
		case "matcher":
			return r.upstream(rule)
		default:
			return r.common(kind, rule)
		}
	}
	return match.No
}

// upstream evaluates UpstreamIpPortMatcher: the address of the upstream is there only once a filter
// dynamic_forward_proxy with save_upstream_address has noted it.
func (r *Rules) upstream(rule configdump.Value) match.Truth {
	config, kind := rule.Get("typed_config").Typed()
	open := match.Depends("rule matcher", "what the rule matcher tests is not known")
	if !strings.HasSuffix(kind, ".UpstreamIpPortMatcher") || r.W.HCM == nil {
		return open
	}
	for _, f := range r.W.HCM.Filters {
		if strings.Contains(f.Kind, "dynamic_forward_proxy") || f.Kind == "" {
			return open
		}
	}
	return r.saw(config, match.No, "", "a filter notes the address of the upstream")
}

func (r *Rules) principal(v configdump.Value, depth int) match.Truth {
	if depth > match.MaxDepth {
		return match.Depends("rules that nest too deep", "only so many levels are followed")
	}
	deeper := func(e configdump.Value) match.Truth { return r.principal(e, depth+1) }
	for kind, rule := range v.Fields() {
		switch kind = configdump.FieldName(kind); kind {
		case "any":
			return match.Of(rule.Bool())
		case "and_ids":
			return match.All(rule.Get("ids"), deeper)
		case "or_ids":
			return match.Some(rule.Get("ids"), deeper)
		case "not_id":
			return deeper(rule).Not()
		case "authenticated":
			return r.authenticated(rule)
		case "custom":
			return r.custom(rule)
		case "source_ip":
			return r.from(rule, r.W.Conn.Remote.Addr())
		case "direct_remote_ip":
			return r.from(rule, r.W.Conn.Direct.Addr())
		case "remote_ip": // what x-forwarded-for says counts too
			if r.Header != nil {
				return r.from(rule, r.W.Client)
			}
			return r.from(rule, r.W.Conn.Remote.Addr())
		default:
			return r.common(kind, rule)
		}
	}
	return match.No
}

func (r *Rules) from(rule configdump.Value, addr netip.Addr) match.Truth {
	if !addr.IsValid() {
		return matcher.Known(false, "the request's source address")
	}
	p, ok := proxy.PrefixRange(rule)
	return r.saw(rule, match.Of(ok && p.Contains(addr)), addr.String()+r.whose(addr), "address in %s", p)
}

// whose says by which field the address is the client's.
func (r *Rules) whose(addr netip.Addr) string {
	if why := r.W.Causes["client address"]; why != "" && addr == r.W.Client {
		return " (" + why + ")"
	}
	return ""
}

// matched is the path that a rule is held against: as the route's configuration has it, where the
// request has a route. (rbac_respect_ignore_path_parameters)
func (r *Rules) matched(path string) string {
	if r.W.Route == nil || !r.W.Proxy.Guarded("rbac_respect_ignore_path_parameters") {
		return match.PathOnly(path)
	}
	return r.W.MatchedPath(path)
}

// common evaluates what permissions and principals share.
func (r *Rules) common(kind string, rule configdump.Value) match.Truth {
	switch kind {
	case "header":
		if r.Header == nil {
			return match.No
		}
		return r.header(rule)
	case "url_path":
		path, ok, open := r.Header.Known(":path")
		result := open
		if ok {
			result = match.String(rule.Get("path"), r.matched(path))
		}
		return r.saw(rule, result, r.pathShown(result, path), "path %s", match.StringText(rule.Get("path")))
	case "uri_template":
		path, _, open := r.Header.Known(":path")
		if open.Open() {
			return open
		}
		config, _ := rule.Get("typed_config").Typed()
		p := match.TemplatePattern(config.Get("path_template").Text())
		result := match.Of(p != nil && p.MatchString(match.Latin1(r.matched(path))))
		return r.saw(rule, result, r.pathShown(result, path), "path %s", config.Get("path_template").Text())
	case "filter_state":
		if rule.Get("key").Text() == "io.istio.peer_principal" {
			return r.peer(rule.Get("string_match"))
		}
		result := r.saw(rule, r.W.State.State(rule), "", "filter state %s", rule.Get("key").Text())
		r.W.ComparedState(rule.Get("key").Text())
		return result
	case "metadata":
		return r.metadata(rule, &r.W.Meta, "metadata %s")
	case "sourced_metadata":
		return r.sourced(rule)
	}
	return match.Depends("rule "+kind, "what the rule "+kind+" tests is not known")
}

// sourced evaluates SourcedMetadata: dynamic metadata, or that of the route.
func (r *Rules) sourced(rule configdump.Value) match.Truth {
	m := rule.Get("metadata_matcher")
	if !slices.Contains([]string{"ROUTE", "1"}, rule.Get("metadata_source").Text()) {
		return r.metadata(m, &r.W.Meta, "metadata %s")
	}
	var of match.Metadata
	if r.W.Route != nil {
		for name, values := range r.W.Route.At.Get("metadata", "filter_metadata").Fields() {
			of.Set(name, match.Struct(values))
		}
	}
	return r.metadata(m, &of, "metadata %s of the route")
}

// metadata matches what filters, or the route, have written.
func (r *Rules) metadata(m configdump.Value, of *match.Metadata, format string) match.Truth {
	result := r.saw(m, of.Matches(m), "", format, m.Get("filter").Text())
	r.W.ComparedMetadata(of, m)
	return result
}

// pathShown is the path as it may be shown, where it is to be.
func (r *Rules) pathShown(result match.Truth, path string) string {
	if !r.W.Explain && !result.No() {
		return ""
	}
	return redact.Path(match.PathOnly(path))
}

// header matches a header. The last that failed says the value too.
func (r *Rules) header(rule configdump.Value) match.Truth {
	name := rule.Get("name").Text()
	result := match.Header(rule, r.Header)
	value := ""
	if r.W.Explain || result.No() {
		value = "none"
		if text, given := r.Header.Joined(name); given {
			value = redact.Header(name, text)
		}
	}
	result = r.saw(rule, result, value, "header %s", match.HeaderText(rule))
	r.W.ComparedHeader(name)
	return result
}

// authenticated matches the identity of the client's certificate. Without a name any TLS will do,
// also without a certificate, and a client without one is compared as the empty name.
// (AuthenticatedMatcher)
func (r *Rules) authenticated(rule configdump.Value) match.Truth {
	name := rule.Get("principal_name")
	switch {
	case !r.W.Conn.Terminated:
		return r.saw(rule, match.No, "clear text", "the client is authenticated by TLS")
	case !name.Exists():
		return r.saw(rule, match.Yes, "TLS", "the client is authenticated by TLS")
	case !r.W.Mutual():
		return r.saw(rule, match.String(name, ""), "no certificate", "client's identity %s", match.StringText(name))
	}
	return r.peer(name)
}

// custom evaluates an extension in the place of a principal: mtls_authenticated is
// the one that there is.
func (r *Rules) custom(rule configdump.Value) match.Truth {
	config, kind := rule.Get("typed_config").Typed()
	if !strings.HasSuffix(kind, ".mtls_authenticated.v3.Config") {
		return match.Depends("principal "+match.TypeOf(rule),
			"what the principal "+match.TypeOf(rule)+" tests is not known")
	}
	san := config.Get("san_matcher")
	switch {
	case !r.W.Mutual():
		return match.No
	case !san.Exists():
		return match.Of(config.Get("any_validated_client_certificate").Bool())
	case !slices.Contains([]string{"URI", "3"}, san.Get("san_type").Text()):
		return matcher.Known(false, "a name in the client's certificate that is no URI")
	}
	return r.peer(san.Get("matcher"))
}

func (r *Rules) peer(name configdump.Value) match.Truth {
	if !r.W.Mutual() {
		return r.saw(name, match.No, "no certificate", "client's identity %s", match.StringText(name))
	}
	if r.W.Opts.Peer == "" {
		return matcher.Known(false, "the identity in the client's certificate")
	}
	return r.saw(name, match.String(name, r.W.Opts.Peer), r.W.Opts.Peer, "client's identity %s", match.StringText(name))
}
