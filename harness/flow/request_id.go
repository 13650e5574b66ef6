package flow

// SameRequestID compares two x-request-ids. In a UUID Envoy writes its reason for tracing into the
// 14th hexadecimal digit, so that digit is not compared (Envoy:
// UUIDRequestIDExtension::setTraceReason, TRACE_BYTE_POSITION).
func SameRequestID(a, b string) bool {
	const traceReason, length = 14, 36
	if len(a) != length || len(b) != length {
		return a == b && a != ""
	}
	return a[:traceReason] == b[:traceReason] && a[traceReason+1:] == b[traceReason+1:]
}
