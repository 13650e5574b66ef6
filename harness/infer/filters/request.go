package filters

import (
	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer/match"
)

// A Request is a request as the filters before have left it.
type Request struct {
	Headers  *match.Headers
	Metadata *match.Metadata
	State    *match.Metadata // filter state: each key is a namespace with one value, ""
	Cluster  string          // that the route chose; "" when none did
	HTTP2    bool
	Routed   bool // there is a route
	Forwards bool // the route has an action that forwards
	Limits   RateLimits
	Way      Way
}

// A Way answers what a filter cannot know by itself.
type Way interface {
	// Holds decides a condition, which may depend on something, and keeps it to be shown.
	Holds(t match.Truth, what flow.What, at configdump.Value, format string, args ...any) bool
	// Compared says which value the last condition was held against, and ComparedHeader
	// that it was a header's.
	Compared(value string)
	ComparedHeader(name string)
	// Lot draws for something that happens to so many of so many requests.
	Lot(what flow.What, at configdump.Value, numerator, of uint64, why string) bool
	// May asks whether something happens that is not known.
	May(what flow.What, on, why string, at configdump.Value) bool
	// Format fills a substitution format string; known is false where it holds a command whose
	// value is not known.
	Format(text, missing string) (filled string, known bool)
	// Fraction reads RuntimeFractionalPercent.
	Fraction(v configdump.Value) (numerator, of uint64)
	// Flag reads RuntimeFeatureFlag or BoolValue.
	Flag(v configdump.Value, otherwise bool) bool
	// Runtime returns what the runtime says of a key, or a Value that does not exist.
	Runtime(key string) configdump.Value
	// Match evaluates a RouteMatch.
	Match(rule configdump.Value) bool
	// Cluster says whether a cluster could be reached at all: it is in the dump and
	// has an endpoint.
	Reachable(cluster string) bool
	// Labelled says whether a cluster's filter_metadata has true under a key of a namespace.
	Labelled(cluster, namespace, key string) bool
	// Dynamic says whether a cluster may ask DNS for the host that the request names.
	Dynamic(cluster string) bool
	// Open notes something that decides and whose outcomes cannot be named.
	Open(what flow.What, on, why string, at configdump.Value)
	// Unhealthy says how many percent of a cluster's endpoints are healthy; known is false where
	// the dump does not say.
	Healthy(cluster string) (percent float64, known bool)
}

// A Filter is a filter with its configuration.
type Filter struct {
	At     configdump.Value
	Name   string
	Kind   string
	Config configdump.Value
	Routes []configdump.Value // what route, virtual host and route configuration say of it, the most specific first
	// Late asks for Routes only now, for a filter that does its own part before.
	Late func() []configdump.Value
}

// Route returns the most specific configuration, or a Value that does not exist.
func (f *Filter) Route() configdump.Value {
	if len(f.Routes) == 0 {
		return configdump.Value{}
	}
	return f.Routes[0]
}

// own returns the most specific configuration, and the filter's own where there is none.
func (f *Filter) own() configdump.Value {
	if len(f.Routes) > 0 {
		return f.Routes[0]
	}
	return f.Config
}

// A Reply is an answer that a filter gives by itself.
type Reply struct {
	Status  int // 0: not known
	Code    flow.Reason
	Flag    string
	Denied  bool
	Why     string
	Source  configdump.Value
	Details string
}

// A Result is what a filter did.
type Result struct {
	Reply   *Reply
	Reroute bool   // it cleared the route cache
	Perhaps bool   // with Reroute: or it did not
	Note    string // what it did, for the hop's why
}

// answered is the result of a filter that answers.
func answered(r Reply) Result { return Result{Reply: &r} }

// computed are the filters whose doing is computed, by the type of their configuration.
var computed = map[string]func(*Request, *Filter) Result{
	httpPrefix + "cors.v3.Cors":                              cors,
	httpPrefix + "csrf.v3.CsrfPolicy":                        csrf,
	httpPrefix + "basic_auth.v3.BasicAuth":                   basicAuth,
	httpPrefix + "api_key_auth.v3.ApiKeyAuth":                apiKey,
	httpPrefix + "fault.v3.HTTPFault":                        fault,
	httpPrefix + "health_check.v3.HealthCheck":               healthCheck,
	httpPrefix + "buffer.v3.Buffer":                          buffer,
	httpPrefix + "body_size_limit.v3.BodySizeLimit":          bodySize,
	httpPrefix + "cdn_loop.v3.CdnLoopConfig":                 cdnLoop,
	httpPrefix + "header_mutation.v3.HeaderMutation":         headerMutation,
	httpPrefix + "set_metadata.v3.Config":                    setMetadata,
	httpPrefix + "set_filter_state.v3.Config":                setFilterState,
	httpPrefix + "header_to_metadata.v3.Config":              headerToMetadata,
	httpPrefix + "json_to_metadata.v3.JsonToMetadata":        jsonToMetadata,
	httpPrefix + "ext_authz.v3.ExtAuthz":                     extAuthz,
	httpPrefix + "ext_authz.v2alpha.ExtAuthz":                extAuthz,
	httpPrefix + "jwt_authn.v3.JwtAuthentication":            jwt,
	httpPrefix + "ratelimit.v3.RateLimit":                    rateLimit,
	httpPrefix + "local_ratelimit.v3.LocalRateLimit":         localRateLimit,
	httpPrefix + "grpc_web.v3.GrpcWeb":                       grpcWeb,
	httpPrefix + "grpc_http1_bridge.v3.Config":               grpcHTTP1Bridge,
	httpPrefix + "grpc_http1_reverse_bridge.v3.FilterConfig": grpcReverseBridge,
	httpPrefix + "compressor.v3.Compressor":                  compressor,
	httpPrefix + "aws_lambda.v3.Config":                      awsLambda,
	httpPrefix + "aws_request_signing.v3.AwsRequestSigning":  awsSigning,
	httpPrefix + "credential_injector.v3.CredentialInjector": credentialInjector,
	httpPrefix + "original_src.v3.OriginalSrc":               nothing,
	httpPrefix + "on_demand.v3.OnDemand":                     nothing,
}

const httpPrefix = "envoy.extensions.filters.http."

func nothing(*Request, *Filter) Result { return Result{} }

// Run lets a filter act on the request. ok is false where what the filter does to this
// request is not computed.
func Run(r *Request, f *Filter) (result Result, ok bool) {
	if does := idle[f.Kind]; does != nil && does(r, f) {
		return Result{}, true
	}
	if run := partly[f.Kind]; run != nil {
		return run(r, f)
	}
	run, ok := computed[f.Kind]
	if !ok {
		return Result{}, false
	}
	return run(r, f), true
}

// cause says that a filter may have changed something.
func (f *Filter) cause(on string) match.Cause {
	return match.Cause{On: "filter " + f.Name, Why: "filter " + f.Name + " may have changed it: that depends on " + on}
}
