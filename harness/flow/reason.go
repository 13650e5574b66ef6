package flow

// A Reason is the code of why a decision is as it is, or of something that was taken for granted.
// Codes are stable; the sentence beside them is not.
type Reason string

// A ReasonRow says what a code means.
type ReasonRow struct {
	Code    Reason `json:"code"`
	Meaning string `json:"meaning"`
}

// Codes of why the proxy refused, answered or did not find something.
const (
	RBACNoPolicy     Reason = "rbac.no-policy-matches"
	RBACDenyPolicy   Reason = "rbac.deny-policy-matches"
	RBACMatcher      Reason = "rbac.matcher-denies"
	JWTMissing       Reason = "jwt.no-token"
	JWTRefused       Reason = "jwt.token-refused"
	FaultAbort       Reason = "fault.abort"
	CORSPreflight    Reason = "cors.preflight-answered"
	CORSForbidden    Reason = "cors.origin-not-allowed"
	CSRFRefused      Reason = "csrf.origin-not-allowed"
	BasicAuthRefused Reason = "basic-auth.no-valid-credentials"
	APIKeyRefused    Reason = "api-key.no-valid-key"
	BodyTooLarge     Reason = "buffer.body-too-large"
	LoopDetected     Reason = "cdn-loop.too-often"
	NotItsProtocol   Reason = "filter.not-its-protocol"
	HealthAnswered   Reason = "health-check.answered"
	ExtAuthzDenies   Reason = "ext-authz.no-service"
	UpgradeRefused   Reason = "upgrade.not-allowed"
	DetectionRefused Reason = "client-address.detection-failed"
	Malformed        Reason = "request.malformed"
	TooManyHeaders   Reason = "request.too-many-headers"
	NoRouterFilter   Reason = "filters.no-router"
	RouteNotFound    Reason = "route.none-matches"
	HostNotFound     Reason = "virtual-host.none-matches"
	ConfigNotFound   Reason = "route-config.not-in-dump"
	RouteMatched     Reason = "route.first-that-matches"
	RequireTLS       Reason = "virtual-host.requires-tls"
	RouteRedirects   Reason = "route.redirects"
	RouteAnswers     Reason = "route.answers"
)

// Codes of what was taken for granted.
const (
	AssumeIstioRules Reason = "netfilter.istio-default-rules"
	AssumeSidecar    Reason = "endpoint.has-a-sidecar"
	AssumeEndpoint   Reason = "endpoint.is-the-pod-called"
)

// Reasons are all codes of reasons, and Assumptions all of assumptions, each with what it means.
var Reasons = []ReasonRow{
	{RBACNoPolicy, "no policy of an ALLOW rule set takes the request"},
	{RBACDenyPolicy, "a policy of a DENY rule set takes the request"},
	{RBACMatcher, "the matcher of an RBAC filter leads to DENY or to nothing"},
	{JWTMissing, "a token is required and the request has none where the provider looks for it"},
	{JWTRefused, "the token's issuer, audience, time or form is not what the provider takes"},
	{FaultAbort, "the fault filter aborts every request here"},
	{CORSPreflight, "the CORS filter answers a preflight by itself"},
	{CORSForbidden, "the CORS filter refuses a preflight of an origin that the policy does not allow"},
	{CSRFRefused, "the CSRF filter refuses a request whose source origin is neither the target nor an additional one"},
	{BasicAuthRefused, "the request has no user and password that the filter knows"},
	{APIKeyRefused, "the request has no API key that the filter knows"},
	{BodyTooLarge, "the body is larger than the filter may hold"},
	{NotItsProtocol, "a filter lets only requests of its own protocol pass, and the request is none"},
	{LoopDetected, "the request has come through this CDN more often than the filter allows"},
	{HealthAnswered, "the health check filter answers by itself"},
	{ExtAuthzDenies, "the authorization service cannot be reached and failure_mode_allow is not set"},
	{UpgradeRefused, "the request asks for an upgrade that neither the route nor the connection manager allows"},
	{DetectionRefused, "an original_ip_detection extension found no address and rejects such requests"},
	{Malformed, "the request is not one that HTTP or the connection manager allows"},
	{TooManyHeaders, "the request has more headers than max_headers_count"},
	{NoRouterFilter, "no filter of the chain sends the request on or answers it: it waits for ever"},
	{RouteNotFound, "no route of the virtual host matches"},
	{HostNotFound, "no virtual host has a domain for the authority"},
	{ConfigNotFound, "the route configuration is not in the dump"},
	{RouteMatched, "the first route whose match holds is taken"},
	{RequireTLS, "require_tls redirects a request that came as http"},
	{RouteRedirects, "the route's action is a redirect"},
	{RouteAnswers, "the route's action is a direct response"},
}

// Assumptions are the codes of Hop.Assumptions.
var Assumptions = []ReasonRow{
	{AssumeIstioRules, "the pod's netfilter rules were not given: those that Istio makes by default"},
	{AssumeSidecar, "the endpoint's metadata is not known: it has a sidecar"},
	{AssumeEndpoint, "the dump has no endpoints: the pod that the way goes to is one"},
}
