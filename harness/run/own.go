package run

import (
	"context"
	"slices"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/infer"
	"github.com/flowproof/lab/harness/observe/curl"
)

// inferSent infers the way of a call with the headers that the sender's curl adds to it by itself:
// a route may ask for any. Which curl it is, is asked only where the way depends on what it sends,
// because a process is started in the pod for it. Where there is no cluster nothing is sent, and
// the call is what it says.
func (s *Session) inferSent(ctx context.Context, call flow.Call, opts infer.WayOptions) (flow.Path, error) {
	if s.Lab.Mesh == nil && !call.Outside {
		return s.infer(ctx, call, opts, s.dumps)
	}
	options, err := curl.Options(s.args)
	if err != nil {
		return flow.Path{}, fault.Usagef("%w", err)
	}
	call.Own, call.Unknown = curl.Own(options, call, curl.Version{})
	path, err := s.infer(ctx, call, opts, s.dumps)
	if err != nil || !slices.ContainsFunc(path.Depends, func(d flow.Dependency) bool { return d.On == flow.OnClient }) {
		return path, err
	}
	version, err := s.curlVersion(ctx, call)
	if err != nil {
		return path, err
	}
	call.Own, call.Unknown = curl.Own(options, call, version)
	return s.infer(ctx, call, opts, s.dumps)
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
