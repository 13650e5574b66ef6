package flow

import "strings"

// A FlagRow says what one of Envoy's response flags means.
type FlagRow struct {
	Flag    string `json:"flag"` // as %RESPONSE_FLAGS% writes it
	Long    string `json:"long"` // as %RESPONSE_FLAGS_LONG% does
	Meaning string `json:"meaning"`
}

// Flags are Envoy's response flags: every one that Envoy 1.40 takes in a response_flag_filter. A
// test of package explain asks it.
// Source: Envoy's documentation on access logging, %RESPONSE_FLAGS%.
var Flags = []FlagRow{
	{"UH", "NoHealthyUpstream", "no healthy upstream host"},
	{"UF", "UpstreamConnectionFailure", "upstream connection failure"},
	{"UO", "UpstreamOverflow", "upstream overflow: a circuit breaker is open"},
	{"NR", "NoRouteFound", "no route configured"},
	{"URX", "UpstreamRetryLimitExceeded", "the limit of retries or of connection attempts was reached"},
	{"NC", "NoClusterFound", "the upstream cluster was not found"},
	{
		"DT", "DurationTimeout",
		"the request or connection exceeded max_connection_duration or max_downstream_connection_duration",
	},
	{"DC", "DownstreamConnectionTermination", "downstream connection terminated"},
	{"LH", "FailedLocalHealthCheck", "the local health check failed"},
	{"UT", "UpstreamRequestTimeout", "upstream request timeout"},
	{"LR", "LocalReset", "connection reset locally"},
	{"UR", "UpstreamRemoteReset", "upstream remote reset"},
	{"UC", "UpstreamConnectionTermination", "upstream connection terminated"},
	{"DI", "DelayInjected", "delayed by fault injection"},
	{"FI", "FaultInjected", "aborted by fault injection"},
	{"RL", "RateLimited", "rate limited"},
	{"UAEX", "UnauthorizedExternalService", "denied by the external authorization service"},
	{"RLSE", "RateLimitServiceError", "the rate limit service failed"},
	{"IH", "InvalidEnvoyRequestHeaders", "a header that is checked strictly has an invalid value"},
	{"SI", "StreamIdleTimeout", "stream idle timeout"},
	{"DPE", "DownstreamProtocolError", "HTTP protocol error of the client"},
	{"UPE", "UpstreamProtocolError", "HTTP protocol error of the upstream"},
	{"UMSDR", "UpstreamMaxStreamDurationReached", "the upstream request reached its maximum stream duration"},
	{"RFCF", "ResponseFromCacheFilter", "answered from the cache"},
	{"NFCF", "NoFilterConfigFound", "the configuration of a filter did not come in time"},
	{"DF", "DnsResolutionFailed", "DNS resolution failed"},
	{"DO", "DropOverload", "dropped by the cluster's drop_overload policy"},
	{"DR", "DownstreamRemoteReset", "downstream remote reset"},
	{"UDO", "UnconditionalDropOverload", "every request is dropped by the cluster's policy"},
	{"OM", "OverloadManagerTerminated", "terminated by the overload manager"},
}

// SplitFlags takes the value of FactFlags apart: "UF,URX" is two flags, "-" none.
func SplitFlags(value string) []string {
	var all []string
	for _, flag := range strings.Split(value, ",") {
		if flag = strings.TrimSpace(flag); flag != "" && flag != "-" {
			all = append(all, flag)
		}
	}
	return all
}

// FlagMeaning says in words what a response flag means, by its short or long name; "" of one that
// Flags does not have.
func FlagMeaning(flag string) string {
	for _, row := range Flags {
		if row.Flag == flag || row.Long == flag {
			return row.Meaning
		}
	}
	return ""
}
