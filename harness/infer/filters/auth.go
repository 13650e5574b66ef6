package filters

import (
	"crypto/sha1"
	"encoding/base64"
	"net/url"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/say"
	"github.com/flowproof/lab/internal/redact"
)

// redacted is what Envoy writes in a dump in the place of a secret.
const redacted = "[redacted]"

// basicAuth asks for a user and password: BasicAuthFilter::decodeHeaders. A dump of Envoy's
// redacts the list of users.
func basicAuth(r *Request, f *Filter) Result {
	users := f.Config.Get("users")
	if u := f.Route().Get("users"); u.Exists() {
		users = u
	}
	header := f.Config.Get("authentication_header").Text()
	if header == "" {
		header = "authorization"
	}
	value, given := r.Headers.Get(header)
	refused := func(details, why string) *Reply {
		return &Reply{Status: 401, Code: flow.BasicAuthRefused, Denied: true, Details: details, Source: users,
			Why: "basic_auth refuses the request, since " + why + ", and Envoy answers 401"}
	}
	var reply *Reply
	token, basic := strings.CutPrefix(value, "Basic ")
	user, password, pair := strings.Cut(decoded(token), ":")
	known := match.Yes
	switch {
	case !given:
		reply = refused("no_credential_for_basic_auth", "the request has no credentials in its header "+header)
	case !basic:
		reply = refused("invalid_scheme_for_basic_auth", "header "+header+" does not have the scheme Basic")
	case !pair:
		reply = refused("invalid_format_for_basic_auth", "the credentials are not a user and a password")
	default:
		known = validUser(users, user, password)
		reply = refused("invalid_credential_for_basic_auth", "user and password are not in the list")
	}
	if !given || !basic || !pair {
		known = match.No
	}
	holds := r.Way.Holds(r.Headers.Or(header, known), flow.WhatAnswer, users,
		"user and password are in the list of basic_auth")
	if r.Way.ComparedHeader(header); !holds {
		return Result{Reply: reply}
	}
	if forward := f.Config.Get("forward_username_header").Text(); forward != "" {
		r.Headers.SetFrom(forward, user, header)
	}
	return Result{}
}

func decoded(base string) string {
	text, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(base, "="))
	if err != nil {
		return ""
	}
	return string(text)
}

// validUser looks a user up in an htpasswd list with SHA-1 hashes.
func validUser(users configdump.Value, user, password string) match.Truth {
	list := users.Get("inline_string").Text()
	if b := users.Get("inline_bytes").Text(); b != "" {
		list = decoded(b)
	}
	if list == "" || list == redacted || decoded(list) == redacted {
		return match.Cause{On: "the list of users", Why: "the list of users is not in the dump"}.Opened(match.Yes)
	}
	sum := sha1.Sum([]byte(password)) // as htpasswd -s and Envoy have it
	for line := range strings.Lines(list) {
		name, hash, _ := strings.Cut(strings.TrimSpace(line), ":")
		if name == user {
			return match.Of(strings.TrimPrefix(hash, "{SHA}") == base64.StdEncoding.EncodeToString(sum[:]))
		}
	}
	return match.No
}

// apiKey asks for a key: ApiKeyAuthFilter::decodeHeaders. Keys are redacted in a dump of Envoy's.
func apiKey(r *Request, f *Filter) Result {
	pick := func(field string) configdump.Value {
		if v := f.Route().Get(field); v.Len() > 0 || v.IsObject() {
			return v
		}
		return f.Config.Get(field)
	}
	sources, credentials, forwarding := pick("key_sources"), pick("credentials"), pick("forwarding")
	refused := func(details, why string) Result {
		return answered(Reply{Status: 401, Code: flow.APIKeyRefused, Denied: true, Details: details, Source: f.own(),
			Why: "api_key_auth refuses the request, since " + why + ", and Envoy answers 401"})
	}
	switch {
	case sources.Len() == 0:
		return refused("missing_key_sources", "the filter has no key_sources")
	case credentials.Len() == 0:
		return refused("missing_credentials", "the filter has no credentials")
	}
	key, open := r.keyOf(sources)
	holds := r.Way.Holds(match.Of(key != "").Or(open), flow.WhatAnswer, sources,
		"the request has a key where key_sources look")
	if r.Way.Compared(shownKey(key)); !holds {
		return refused("missing_api_key", "the request has no key where key_sources look")
	}
	client, known := clientOf(credentials, key)
	if open.Open() { // another key may be there
		open.Guess = known.Guess || known.Yes()
		known = open
	}
	holds = r.Way.Holds(known, flow.WhatAnswer, credentials,
		"the key is one of the credentials of api_key_auth")
	if r.Way.Compared(shownKey(key)); !holds {
		return refused("unkonwn_api_key", "the key is none of the credentials")
	}
	if allowed := f.Route().Get("allowed_clients"); allowed.Len() > 0 {
		is := match.Some(allowed, func(v configdump.Value) match.Truth { return match.Of(v.Text() == client) })
		if known.Open() {
			is = match.Depends("the client of the API key", known.Why)
			is.Guess = true
		}
		holds = r.Way.Holds(is, flow.WhatAnswer, allowed, "the client of the key may use the route")
		if r.Way.Compared(say.OrNone(client)); !holds {
			return answered(Reply{Status: 403, Code: flow.APIKeyRefused, Denied: true, Details: "client_not_allowed",
				Source: allowed, Why: "the client of the key is not in allowed_clients: Envoy answers 403"})
		}
	}
	if header := forwarding.Get("header").Text(); header != "" {
		r.Headers.Set(header, client)
		if known.Open() {
			r.Headers.Loosen(header, f.cause("the client of the API key"))
		}
	}
	if forwarding.Get("hide_credentials").Bool() {
		for _, s := range sources.Elements() {
			r.hide(s)
		}
	}
	return Result{}
}

// shownKey says that there is a key, and not which.
func shownKey(key string) string {
	if key == "" {
		return say.OrNone("")
	}
	return redact.Mark(key)
}

// hide takes the place away where a key may have stood: a header, a parameter of the query, a
// cookie. (api_key_auth: KeySources::removeKey)
func (r *Request) hide(source configdump.Value) {
	if name := source.Get("header").Text(); name != "" {
		r.Headers.Remove(name)
		return
	}
	if name := source.Get("query").Text(); name != "" {
		path, _ := r.Headers.Get(":path")
		params, err := url.ParseQuery(strings.TrimPrefix(match.QueryOf(path), "?"))
		if err != nil || !params.Has(name) {
			return
		}
		params.Del(name)
		r.setQuery(path, params)
		return
	}
	name := source.Get("cookie").Text()
	text, _ := r.Headers.Get("cookie")
	var kept []string
	for pair := range strings.SplitSeq(text, ";") {
		if key, _, _ := strings.Cut(strings.TrimSpace(pair), "="); key != name && key != "" {
			kept = append(kept, strings.TrimSpace(pair))
		}
	}
	if _, open := r.Headers.Open("cookie"); len(kept) == 0 && !open {
		r.Headers.Remove("cookie")
		return
	}
	r.Headers.SetFrom("cookie", strings.Join(kept, "; "), "cookie")
}

// keyOf returns the first key that the sources find.
func (r *Request) keyOf(sources configdump.Value) (key string, open match.Truth) {
	for _, s := range sources.Elements() {
		if name := s.Get("header").Text(); name != "" {
			value, _ := r.Headers.Get(name)
			key = strings.TrimPrefix(value, "Bearer ")
			open = r.Headers.Or(name, match.No)
		} else if name := s.Get("query").Text(); name != "" {
			path, _ := r.Headers.Get(":path")
			values, _ := url.ParseQuery(strings.TrimPrefix(match.QueryOf(path), "?"))
			key = values.Get(name)
			open = r.Headers.Or(":path", match.No)
		} else {
			cookies, _ := r.Headers.Get("cookie")
			key = match.Cookies(cookies)[s.Get("cookie").Text()]
			open = r.Headers.Or("cookie", match.No)
		}
		if key != "" || open.Open() {
			return key, open
		}
	}
	return "", match.No
}

// clientOf looks a key up.
func clientOf(credentials configdump.Value, key string) (client string, known match.Truth) {
	for _, c := range credentials.Elements() {
		have := c.Get("key").Text()
		switch have {
		case key:
			return c.Get("client").Text(), match.Yes
		case redacted, "":
			return "", match.Cause{On: "the API keys", Why: "the API keys are redacted in the dump"}.Opened(match.Yes)
		}
	}
	return "", match.No
}

// extAuthz asks an authorization service, whose answer is in no dump. Where the service cannot be
// reached its failure mode decides: 403, or what status_on_error says, or the request goes on.
// Without a route nothing is asked. (ext_authz::Filter::getPerRouteFlags)
func extAuthz(r *Request, f *Filter) Result {
	if !r.Routed {
		return Result{}
	}
	if f.Route().Get("disabled").Bool() {
		return Result{}
	}
	if v := f.Config.Get("filter_enabled"); v.Exists() {
		numerator, of := r.Way.Fraction(v)
		if numerator == 0 || numerator < of && !r.Way.Lot(flow.WhatAnswer, v, numerator, of,
			"ext_authz is on for a part of all requests") {
			if !r.Way.Flag(f.Config.Get("deny_at_disable"), false) {
				return Result{}
			}
			return answered(deniedByAuthz(f, 403, "ext_authz is off and deny_at_disable is set"))
		}
	}
	if m := f.Config.Get("filter_enabled_metadata"); m.Exists() && !r.Way.Holds(r.Metadata.Matches(m),
		flow.WhatAnswer, m, "ext_authz: filter_enabled_metadata") {
		return Result{}
	}
	service := f.Config.Get("grpc_service", "envoy_grpc", "cluster_name").Text()
	if http := f.Config.Get("http_service", "server_uri", "cluster").Text(); http != "" {
		service = http
	}
	if service != "" && !r.Way.Reachable(service) {
		if f.Config.Get("failure_mode_allow").Bool() {
			return Result{
				Note: "ext_authz cannot reach " + service + ", and failure_mode_allow lets the request through",
			}
		}
		status := 403
		if code := f.Config.Get("status_on_error", "code"); code.Exists() {
			status = statusCode(code.Text())
		}
		reply := deniedByAuthz(f, status, "ext_authz cannot reach "+service)
		reply.Code, reply.Details = flow.ExtAuthzDenies, "ext_authz_error"
		return answered(reply)
	}
	on := "an authorization service"
	if r.Way.May(flow.WhatAnswer, f.Name, "filter "+f.Name+" may answer by itself: that depends on "+on, f.At) {
		reply := deniedByAuthz(f, 0, "the authorization service refuses the request or does not answer")
		return answered(reply)
	}
	r.Headers.LoosenAll(f.cause(on), false)
	r.Metadata.LoosenAll(f.cause(on))
	// The cache is cleared only where the service changes a header. (ext_authz.cc:
	// Filter::onComplete)
	return Result{Reroute: f.Config.Get("clear_route_cache").Bool(), Perhaps: true}
}

func deniedByAuthz(f *Filter, status int, why string) Reply {
	return Reply{Status: status, Flag: "UAEX", Denied: true, Source: f.Config, Why: why}
}

// statusCode reads envoy.type.v3.StatusCode, an enum of names.
func statusCode(text string) int {
	names := map[string]int{"OK": 200, "BadRequest": 400, "Unauthorized": 401, "PaymentRequired": 402, "Forbidden": 403,
		"NotFound": 404, "MethodNotAllowed": 405,
		"NotAcceptable": 406, "RequestTimeout": 408, "Conflict": 409, "Gone": 410, "PreconditionFailed": 412,
		"PayloadTooLarge": 413, "MisdirectedRequest": 421,
		"UnprocessableEntity": 422, "Locked": 423, "TooEarly": 425, "UpgradeRequired": 426, "TooManyRequests": 429,
		"InternalServerError": 500, "NotImplemented": 501,
		"BadGateway": 502, "ServiceUnavailable": 503, "GatewayTimeout": 504, "Created": 201, "Accepted": 202,
		"NoContent": 204, "MovedPermanently": 301, "Found": 302}
	if n, ok := names[text]; ok {
		return n
	}
	n := 0
	for _, c := range text {
		if c < '0' || c > '9' {
			return 0
		}
		n = n*10 + int(c-'0')
	}
	return n
}

// StatusCode reads envoy.type.v3.StatusCode.
func StatusCode(text string) int { return statusCode(text) }
