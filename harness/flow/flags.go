package flow

import "strings"

// A FlagRow says what one of Envoy's response flags means.
type FlagRow struct {
	Flag    string `json:"flag"`
	Meaning string `json:"meaning"`
}

// Flags are Envoy's response flags. Source: Envoy's documentation on access logging, %RESPONSE_FLAGS%.
var Flags = []FlagRow{
	{"UH", "no healthy upstream host"},
	{"UF", "upstream connection failure"},
	{"UO", "upstream overflow: a circuit breaker is open"},
	{"NR", "no route configured"},
	{"URX", "the limit of retries or of connection attempts was reached"},
	{"NC", "the upstream cluster was not found"},
	{"DT", "the request or connection exceeded max_connection_duration or max_downstream_connection_duration"},
	{"DC", "downstream connection terminated"},
	{"LH", "the local health check failed"},
	{"UT", "upstream request timeout"},
	{"LR", "connection reset locally"},
	{"UR", "upstream remote reset"},
	{"UC", "upstream connection terminated"},
	{"DI", "delayed by fault injection"},
	{"FI", "aborted by fault injection"},
	{"RL", "rate limited"},
	{"UAEX", "denied by the external authorization service"},
	{"RLSE", "the rate limit service failed"},
	{"IH", "a header that is checked strictly has an invalid value"},
	{"SI", "stream idle timeout"},
	{"DPE", "HTTP protocol error of the client"},
	{"UPE", "HTTP protocol error of the upstream"},
	{"UMSDR", "the upstream request reached its maximum stream duration"},
	{"RFCF", "answered from the cache"},
	{"NFCF", "not found in the cache, and only that was asked"},
	{"DF", "DNS resolution failed"},
	{"DO", "dropped by overload"},
	{"DR", "downstream remote reset"},
	{"OM", "terminated by the overload manager"},
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

// FlagMeaning says in words what a response flag means; "" of one that Envoy's documentation does not have.
func FlagMeaning(flag string) string {
	for _, row := range Flags {
		if row.Flag == flag {
			return row.Meaning
		}
	}
	return ""
}
