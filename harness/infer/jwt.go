package infer

import (
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// jwtAnswers evaluates envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication. Which rule applies, whether a token
// is there, and what it says of issuer, audience and time is decided; its signature is not, because the keys are fetched.
func (w *walk) jwtAnswers(f httpFilter) (answer *reply, may string) {
	requires := w.jwtRequirement(f)
	if !requires.Exists() {
		return nil, ""
	}
	t := &tokens{w: w, providers: f.config.Get("providers")}
	result, why := t.met(requires, 0)
	if result.Yes() {
		return nil, ""
	}
	if result.Open() {
		may = why
	}
	code := flow.JWTRefused
	if t.absent {
		code = flow.JWTMissing
	}
	return &reply{status: 401, code: code, denied: true, why: "JWT: " + why + ": Envoy answers 401", source: requires}, may
}

// jwtRequirement returns what the first rule that matches requires; the route may name a requirement or disable it.
func (w *walk) jwtRequirement(f httpFilter) configdump.Value {
	if f.route.Exists() {
		if f.route.Get("disabled").Bool() {
			return configdump.Value{}
		}
		return named(f.config.Get("requirement_map"), f.route.Get("requirement_name").Text())
	}
	if f.config.Get("bypass_cors_preflight").Bool() && w.req.Method == "OPTIONS" {
		_, origin := w.req.header.Get("origin")
		if _, method := w.req.header.Get("access-control-request-method"); origin && method {
			return configdump.Value{}
		}
	}
	for i, rule := range f.config.Get("rules").Elements() {
		entry := newRouteEntry(rule, i)
		if lacks, _ := w.routeLacks(entry); lacks == "" {
			if name := rule.Get("requirement_name").Text(); name != "" {
				return named(f.config.Get("requirement_map"), name)
			}
			return rule.Get("requires")
		}
	}
	return configdump.Value{}
}

// named returns a map's value by its key, which is no field name.
func named(m configdump.Value, key string) configdump.Value {
	for k, v := range m.Fields() {
		if k == key {
			return v
		}
	}
	return configdump.Value{}
}

// tokens evaluates JwtRequirement.
type tokens struct {
	w         *walk
	providers configdump.Value
	absent    bool // the last provider that was asked found no token
}

func (t *tokens) met(v configdump.Value, depth int) (match.Truth, string) {
	if depth > maxMatcherDepth {
		return match.Depends("requirements that nest too deep", "only so many levels are followed"), "requirements that nest too deep"
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
			return match.Yes, ""
		case "allow_missing":
			return t.missing()
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
		if t.token(p) == "" {
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
	p := named(t.providers, name)
	token := t.token(p)
	if t.absent = token == ""; t.absent {
		return match.No, "the request has no token for provider " + name
	}
	claims, ok := claimsOf(token)
	if !ok {
		return match.No, "the token for provider " + name + " is not a JWT"
	}
	if issuer := p.Get("issuer").Text(); issuer != "" && issuer != claims.Issuer {
		return match.No, "the token's issuer is not that of provider " + name
	}
	if claims.Expires != 0 && time.Now().After(time.Unix(int64(claims.Expires), 0).Add(time.Minute)) {
		return match.No, "the token is expired"
	}
	if audiences == nil {
		audiences = p.Get("audiences").Texts()
	}
	if len(audiences) > 0 && !slices.ContainsFunc(audiences, func(a string) bool { return slices.Contains(claims.Audience, a) }) {
		return match.No, "the token's audience is not one that provider " + name + " accepts"
	}
	why := "the signature of the token for provider " + name
	return match.Depends(why, "the provider's keys are fetched, and are not in the dump"), why
}

// token finds a provider's token where it says: headers, query parameters, cookies; by default a bearer token or the
// parameter access_token.
func (t *tokens) token(p configdump.Value) string {
	path, _ := t.w.req.header.Get(":path")
	params := match.QueryParams(path)
	for _, h := range p.Get("from_headers").Elements() {
		value, ok := t.w.req.header.Get(h.Get("name").Text())
		if prefix := h.Get("value_prefix").Text(); ok && strings.Contains(value, prefix) {
			_, value, _ = strings.Cut(value, prefix)
			return strings.TrimSpace(value)
		}
	}
	for _, name := range p.Get("from_params").Texts() {
		if params[name] != "" {
			return params[name]
		}
	}
	if p.Has("from_headers") || p.Has("from_params") || p.Has("from_cookies") {
		return ""
	}
	authorization, _ := t.w.req.header.Get("authorization")
	if token, ok := strings.CutPrefix(authorization, "Bearer "); ok {
		return token
	}
	return params["access_token"]
}

// claims are what is read of a token.
type claims struct {
	Issuer   string
	Audience []string
	Expires  float64
}

func claimsOf(token string) (claims, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}, false
	}
	text, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return claims{}, false
	}
	var raw struct {
		Issuer   string          `json:"iss"`
		Audience json.RawMessage `json:"aud"`
		Expires  float64         `json:"exp"`
	}
	if json.Unmarshal(text, &raw) != nil {
		return claims{}, false
	}
	c := claims{Issuer: raw.Issuer, Expires: raw.Expires}
	var one string
	if json.Unmarshal(raw.Audience, &one) == nil {
		c.Audience = []string{one}
	} else {
		_ = json.Unmarshal(raw.Audience, &c.Audience) // absent or odd: no audience
	}
	return c, true
}
