package filters

import (
	"slices"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// maxNesting bounds how deep requirements may nest.
const maxNesting = 64

// jwt asks for a token: which rule applies, whether a token is there, what it says of issuer,
// audience and time, and, where the keys are in the dump, its signature. Of a token that is good
// claims go to headers and metadata. (jwt_authn/filter.cc)
func jwt(r *Request, f *Filter) Result {
	requires := r.jwtRequirement(f)
	if !requires.Exists() {
		return Result{}
	}
	t := &tokens{r: r, f: f, providers: f.Config.Get("providers")}
	met, why := t.met(requires, 0)
	code := flow.JWTRefused
	if t.absent {
		code = flow.JWTMissing
	}
	holds := r.Way.Holds(met, flow.WhatAnswer, requires, "JWT: the requirement is met")
	if r.Way.Compared(map[bool]string{true: "met", false: why}[why == ""]); !holds {
		status := 401
		if t.audience && !met.Open() {
			status = 403
		}
		return answered(Reply{Status: status, Code: code, Denied: true,
			Why: "JWT: " + why + ": Envoy answers " + map[int]string{401: "401", 403: "403"}[status], Source: requires})
	}
	result := Result{}
	for _, g := range t.good {
		if result.Reroute = t.take(g) || result.Reroute; met.Yes() && g.doubt.Open() { // it passes with a bad one too
			t.loosen(g)
		}
	}
	for _, l := range t.loose {
		t.loosen(l)
		if !result.Reroute && l.provider.Get("clear_route_cache").Bool() {
			result.Reroute, result.Perhaps = true, true
		}
	}
	return result
}

// jwtRequirement returns what the first rule that matches requires; the route may name a
// requirement or disable it.
func (r *Request) jwtRequirement(f *Filter) configdump.Value {
	if route := f.Route(); route.Exists() {
		if route.Get("disabled").Bool() {
			return configdump.Value{}
		}
		return f.Config.Get("requirement_map").Key(route.Get("requirement_name").Text())
	}
	if f.Config.Get("bypass_cors_preflight").Bool() {
		method, _ := r.Headers.Get(":method")
		origin, _ := r.Headers.Get("origin")
		asks, _ := r.Headers.Get("access-control-request-method")
		preflight := match.Of(method == "OPTIONS" && origin != "" && asks != "")
		for _, name := range []string{":method", "origin", "access-control-request-method"} {
			preflight = r.Headers.Or(name, preflight)
		}
		if r.Way.Holds(preflight, flow.WhatAnswer, f.At, "JWT: the request is a preflight, which needs no token") {
			return configdump.Value{}
		}
	}
	for _, rule := range f.Config.Get("rules").Elements() {
		if r.Way.Match(rule.Get("match")) {
			if name := rule.Get("requirement_name").Text(); name != "" {
				return f.Config.Get("requirement_map").Key(name)
			}
			return rule.Get("requires")
		}
	}
	return configdump.Value{}
}

// tokens evaluates JwtRequirement.
type tokens struct {
	r         *Request
	f         *Filter
	providers configdump.Value
	good      []goodToken
	loose     []goodToken // of providers whose token may be another
	absent    bool        // the last provider that was asked found no token
	audience  bool        // what the last token lacks is the audience
}

// A goodToken is a token that a provider accepts.
type goodToken struct {
	provider configdump.Value
	token    string
	header   string // that it stood in, or ""
	doubt    match.Truth
}

func (t *tokens) met(v configdump.Value, depth int) (match.Truth, string) {
	if depth > maxNesting {
		return match.Depends("requirements that nest too deep", "only so many levels are followed"),
			"requirements that nest too deep"
	}
	for kind, r := range v.Fields() {
		switch configdump.FieldName(kind) {
		case "provider_name":
			return t.provider(r.Text(), nil)
		case "provider_and_audiences":
			return t.provider(r.Get("provider_name").Text(), r.Get("audiences").Texts())
		case "requires_any":
			return t.several(r, depth, match.Yes)
		case "requires_all":
			return t.several(r, depth, match.No)
		case "allow_missing_or_failed":
			_, _ = t.missing()
			return match.Yes, ""
		case "allow_missing":
			return t.missing()
		case "extract_only_without_validation":
			return match.Depends("requirement "+kind, "which claims are taken without validation is not followed").
				Guessing(true), ""
		}
	}
	return match.Yes, ""
}

// several combines requirements: of requires_any one has to be met, of requires_all each.
func (t *tokens) several(v configdump.Value, depth int, decisive match.Truth) (match.Truth, string) {
	result, why := decisive.Not(), ""
	for _, r := range v.Get("requirements").Elements() {
		met, because := t.met(r, depth+1)
		if met == decisive {
			return decisive, because
		}
		if met.Open() {
			result = met
		}
		why = because
	}
	return result, why
}

// missing evaluates allow_missing: a token that is there has to be good for one of the providers.
func (t *tokens) missing() (match.Truth, string) {
	result, why := match.Yes, ""
	for name, p := range t.providers.Fields() {
		if token, _, open := t.token(p); token == "" && !open.Open() {
			continue
		}
		met, because := t.provider(name, nil)
		if !met.No() {
			return met, because
		}
		result, why = match.No, because
	}
	return result, why
}

// provider says whether a token for it is there and good as far as it can be read.
func (t *tokens) provider(name string, audiences []string) (match.Truth, string) {
	t.absent, t.audience = false, false
	p := t.providers.Key(name)
	token, header, open := t.token(p)
	if open.Open() {
		t.loose = append(t.loose, goodToken{provider: p, doubt: open})
		return open, "a token for provider " + name
	}
	if token == "" {
		t.absent = true
		return match.No, "the request has no token for provider " + name
	}
	c, ok := claimsOf(token)
	switch {
	case !ok:
		return match.No, "the token for provider " + name + " is not a JWT"
	case p.Get("issuer").Text() != "" && p.Get("issuer").Text() != c.Issuer:
		return match.No, "the token's issuer is not that of provider " + name
	}
	if why := c.outOfTime(p); why != "" {
		return match.No, why
	}
	if audiences == nil {
		audiences = p.Get("audiences").Texts()
	}
	if len(audiences) > 0 && !slices.ContainsFunc(audiences, func(a string) bool {
		return slices.Contains(c.Audience, a)
	}) {
		t.audience = true
		return match.No, "the token's audience is not one that provider " + name + " accepts"
	}
	if cluster := p.Get("remote_jwks", "http_uri", "cluster").Text(); cluster != "" && !t.r.Way.Reachable(cluster) {
		return match.No, "the keys of provider " + name + " cannot be fetched from cluster " + cluster
	}
	signed, why := signedBy(p, token, name)
	if !signed.No() {
		t.good = append(t.good, goodToken{provider: p, token: token, header: header, doubt: signed})
	}
	return signed, why
}

// outOfTime says why the token's time is wrong, or "". Clocks may differ by clock_skew_seconds, of
// which 60 is the default.
func (c *claims) outOfTime(p configdump.Value) string {
	skew := time.Minute
	if s := p.Get("clock_skew_seconds").Uint(); s > 0 {
		skew = time.Duration(s) * time.Second
	}
	now := time.Now()
	if c.Expires != 0 && now.After(time.Unix(int64(c.Expires), 0).Add(skew)) {
		return "the token is expired"
	}
	if c.NotBefore != 0 && now.Add(skew).Before(time.Unix(int64(c.NotBefore), 0)) {
		return "the token is not valid yet"
	}
	return ""
}

// token finds a provider's token where it says: headers, query parameters, cookies; by default a
// bearer token or the parameter access_token. open says that a filter may have changed the place.
func (t *tokens) token(p configdump.Value) (token, header string, open match.Truth) {
	path, _, openPath := t.r.Headers.Known(":path")
	params := match.QueryParams(path)
	for _, h := range p.Get("from_headers").Elements() {
		name := h.Get("name").Text()
		value, ok, unknown := t.r.Headers.Known(name)
		if unknown.Open() {
			return "", "", unknown
		}
		if prefix := h.Get("value_prefix").Text(); ok && strings.Contains(value, prefix) {
			_, value, _ = strings.Cut(value, prefix)
			return strings.TrimSpace(value), name, match.No
		}
	}
	for _, name := range p.Get("from_params").Texts() {
		if openPath.Open() || params[name] != "" {
			return params[name], "", openPath
		}
	}
	cookies, _, openCookie := t.r.Headers.Known("cookie")
	for _, name := range p.Get("from_cookies").Texts() {
		if openCookie.Open() {
			return "", "", openCookie
		}
		if value := match.Cookies(cookies)[name]; value != "" {
			return value, "", match.No
		}
	}
	if p.Get("from_headers").Len()+p.Get("from_params").Len()+p.Get("from_cookies").Len() > 0 {
		return "", "", match.No
	}
	authorization, _, unknown := t.r.Headers.Known("authorization")
	if token, ok := strings.CutPrefix(authorization, "Bearer "); ok || unknown.Open() {
		return token, "authorization", unknown
	}
	return params["access_token"], "", openPath
}

// loosen opens what a provider writes of a token that is in doubt.
func (t *tokens) loosen(g goodToken) {
	h, p, c := t.r.Headers, g.provider, match.Cause{On: g.doubt.On, Why: g.doubt.Why}
	if name := p.Get("forward_payload_header").Text(); name != "" {
		h.Loosen(name, c)
	}
	for _, claim := range p.Get("claim_to_headers").Elements() {
		h.Loosen(claim.Get("header_name").Text(), c)
	}
	if p.Get("header_in_metadata").Text()+p.Get("payload_in_metadata").Text() != "" {
		t.r.Metadata.Loosen(jwtNamespace, c)
	}
}

// jwtNamespace is where tokens are written in metadata.
const jwtNamespace = "envoy.filters.http.jwt_authn"

// take does with a good token what its provider says, and says whether the route is chosen again.
func (t *tokens) take(g goodToken) (reroute bool) {
	h, p := t.r.Headers, g.provider
	c, _ := claimsOf(g.token)
	if name := p.Get("forward_payload_header").Text(); name != "" {
		payload := strings.Split(g.token, ".")[1]
		if p.Get("pad_forward_payload_header").Bool() {
			payload += strings.Repeat("=", (4-len(payload)%4)%4)
		}
		h.Append(name, payload)
	}
	for _, claim := range p.Get("claim_to_headers").Elements() {
		if text, ok := claimText(c.All, claim.Get("claim_name").Text()); ok {
			h.Append(claim.Get("header_name").Text(), text)
		}
	}
	if !p.Get("forward").Bool() && g.header != "" {
		h.Remove(g.header)
	}
	if key := p.Get("header_in_metadata").Text(); key != "" {
		t.r.Metadata.Set(jwtNamespace, map[string]any{key: c.Header})
	}
	if key := p.Get("payload_in_metadata").Text(); key != "" {
		t.r.Metadata.Set(jwtNamespace, map[string]any{key: normalised(c.All, p)})
	}
	return p.Get("clear_route_cache").Bool()
}

// normalised applies normalize_payload_in_metadata: claims whose text is a list by
// spaces become lists too.
func normalised(all map[string]any, p configdump.Value) map[string]any {
	for _, name := range p.Get("normalize_payload_in_metadata", "space_delimited_claims").Texts() {
		if text, ok := all[name].(string); ok {
			var parts []any
			for _, part := range strings.Fields(text) {
				parts = append(parts, part)
			}
			all[name] = parts
		}
	}
	return all
}
