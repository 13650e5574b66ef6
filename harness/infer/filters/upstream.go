package filters

import (
	"encoding/json"
	"strings"

	"github.com/flowproof/lab/harness/infer/match"
)

// grpcWeb turns gRPC-Web into gRPC: GrpcWebFilter::decodeHeaders.
func grpcWeb(r *Request, _ *Filter) Result {
	kind, _ := r.Headers.Get("content-type")
	if !strings.HasPrefix(kind, "application/grpc-web") {
		return Result{}
	}
	for name, value := range map[string]string{"te": "trailers", "grpc-accept-encoding": "identity",
		"content-type": "application/grpc"} {
		r.Headers.SetFrom(name, value, name, "content-type")
	}
	r.Headers.Remove("content-length")
	return Result{}
}

// grpcHTTP1Bridge changes a gRPC request over HTTP/1 in its body only, unless it upgrades protobuf.
func grpcHTTP1Bridge(r *Request, f *Filter) Result {
	kind, _ := r.Headers.Get("content-type")
	if f.Config.Get("upgrade_protobuf_to_grpc").Bool() && kind == "application/x-protobuf" {
		r.Headers.SetFrom("content-type", "application/grpc", "content-type")
		r.Headers.Remove("content-length")
		return Result{Reroute: true}
	}
	return Result{}
}

// grpcReverseBridge turns gRPC into HTTP/1.1 with the content type that is configured, and
// clears the route cache.
func grpcReverseBridge(r *Request, f *Filter) Result {
	if f.Route().Get("disabled").Bool() || !match.IsGRPC(r.Headers) {
		return Result{}
	}
	kind := f.Config.Get("content_type").Text()
	r.Headers.SetFrom("accept", kind, "content-type")
	r.Headers.SetFrom("content-type", kind, "content-type")
	return Result{Reroute: true}
}

// compressor compresses responses; with remove_accept_encoding_header the upstream does not see
// what the client accepts.
func compressor(r *Request, f *Filter) Result {
	config := f.Config.Get("response_direction_config")
	if config.Get("remove_accept_encoding_header").Bool() || f.Config.Get("remove_accept_encoding_header").Bool() {
		r.Headers.Remove("accept-encoding")
	}
	return Result{}
}

// awsLambda sends the request to a function: the path is the function's, and the host
// that of its region.
func awsLambda(r *Request, f *Filter) Result {
	config := f.Config
	if own := f.Route().Get("invoke_config"); own.Exists() {
		config = own
	}
	arn := config.Get("arn").Text()
	parts := strings.SplitN(arn, ":", 7)
	if len(parts) != 7 || !r.Way.Labelled(r.Cluster, "com.amazonaws.lambda", "egress_gateway") {
		return Result{}
	}
	r.Headers.Set(":path", "/2015-03-31/functions/"+arn+"/invocations")
	r.Headers.Set(":method", "POST")
	r.Headers.Set("content-type", "application/json")
	if host := config.Get("host_rewrite").Text(); host != "" {
		r.Headers.Set(":authority", host)
	}
	for _, name := range []string{"authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token",
		"content-length"} {
		r.Headers.Loosen(name, f.cause("the credentials"))
	}
	return Result{Note: "aws_lambda invokes " + parts[6]}
}

// awsSigning signs the request, and rewrites the host where it is told to.
func awsSigning(r *Request, f *Filter) Result {
	config := f.Config
	if own := f.Route().Get("aws_request_signing"); own.Exists() {
		config = own
	}
	if host := config.Get("host_rewrite").Text(); host != "" {
		r.Headers.Set(":authority", host)
	}
	for _, name := range []string{"authorization", "x-amz-date", "x-amz-content-sha256", "x-amz-security-token"} {
		r.Headers.Loosen(name, f.cause("the credentials"))
	}
	return Result{}
}

// credentialInjector adds a credential that no dump holds.
func credentialInjector(r *Request, f *Filter) Result {
	credential, _ := f.Config.Get("credential", "typed_config").Typed()
	header := credential.Get("header").Text()
	if header == "" {
		header = "authorization"
	}
	if _, given := r.Headers.Get(header); given && !f.Config.Get("overwrite").Bool() {
		return Result{}
	}
	r.Headers.Set(header, credential.Get("header_value_prefix").Text())
	r.Headers.Loosen(header, f.cause("the credential"))
	return Result{}
}

// structOf decodes a JSON object as a google.protobuf.Struct.
func structOf(text []byte) map[string]any {
	var values map[string]any
	if json.Unmarshal(text, &values) != nil {
		return nil
	}
	return values
}
