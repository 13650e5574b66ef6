package hcm

import (
	"slices"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/passage"
)

// Words of x-envoy-retry-on and x-envoy-retry-grpc-on. (RetryStateImpl::parseRetryOn)
var (
	retryOn = strings.Fields(`5xx gateway-error connect-failure envoy-ratelimited retriable-4xx refused-stream
retriable-status-codes retriable-headers reset reset-before-request http3-post-connect-failure`)
	retryGRPCOn = strings.Fields("cancelled deadline-exceeded internal resource-exhausted unavailable")
)

// routerConfig is the configuration of the router that ends the list of filters.
func routerConfig(w *passage.Walk) configdump.Value {
	list, _ := filterList(w)
	for _, f := range list {
		if f.Kind == routerType {
			return f.Config
		}
	}
	return configdump.Value{}
}

// strictLacks names a header of the router's strict_check_headers whose value is not of its form,
// or "". (FilterUtility::StrictHeaderChecker)
func strictLacks(w *passage.Walk) (name string, at configdump.Value) {
	list := routerConfig(w).Get("strict_check_headers")
	for _, header := range list.Elements() {
		name := header.Text()
		value, given := w.Req.Header.Get(name)
		if given && !strictlyValid(name, value) {
			return name, header
		}
	}
	return "", list
}

func strictlyValid(name, value string) bool {
	words := retryOn
	switch name {
	case "x-envoy-upstream-rq-timeout-ms", "x-envoy-upstream-rq-per-try-timeout-ms", "x-envoy-max-retries":
		_, err := strconv.ParseUint(strings.TrimSpace(value), 10, 64)
		return err == nil
	case "x-envoy-retry-on":
	case "x-envoy-retry-grpc-on":
		words = retryGRPCOn
	default:
		return true
	}
	for word := range strings.SplitSeq(value, ",") {
		if word = strings.TrimSpace(word); word != "" && !slices.Contains(words, word) {
			return false
		}
	}
	return true
}
