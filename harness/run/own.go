package run

import (
	"context"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/curl"
)

// asSent is a call with the headers that the sender's curl adds to it by itself. Inference is told
// of them, because a route may ask for any. Where there is no cluster nothing is sent, and the call
// is what it says.
func (s *Session) asSent(ctx context.Context, call flow.Call) (flow.Call, error) {
	if s.Lab.Mesh == nil && !call.Outside {
		return call, nil
	}
	options, err := curl.Options(s.args)
	if err != nil {
		return call, fault.Usagef("%w", err)
	}
	version, err := s.curlVersion(ctx, call)
	if err != nil {
		return call, err
	}
	call.Own, call.Unknown = curl.Own(options, call, version)
	return call, nil
}

// curlVersion is the version of the curl that sends a call, asked once a session; the zero Version
// where it does not say it. That there is no curl is told when it is to send.
func (s *Session) curlVersion(ctx context.Context, call flow.Call) (curl.Version, error) {
	key := Caller(call) + "/" + call.Container
	if v, known := s.curls[key]; known {
		return v, nil
	}
	out, err := s.execAt(ctx, call, curl.Command{Line: curl.VersionCommand}, 0)
	if ctx.Err() != nil {
		return curl.Version{}, context.Cause(ctx)
	}
	var v curl.Version
	if err == nil && out.Code == 0 {
		v, _ = curl.ParseVersion(out.Stdout) // what cannot be read is not known
	}
	if s.curls == nil {
		s.curls = map[string]curl.Version{}
	}
	s.curls[key] = v
	return v, nil
}
