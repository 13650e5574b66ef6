package mesh

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"

	v1 "k8s.io/api/core/v1"
	"k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/remotecommand"
	utilexec "k8s.io/client-go/util/exec"
	"k8s.io/streaming/pkg/httpstream"

	"github.com/flowproof/lab/harness/fault"
)

// Output is what a command in a container wrote, and the code it ended with.
type Output struct {
	Stdout []byte
	Stderr []byte
	Code   int
}

// Exec runs a command in a container of the pod, as kubectl exec does. A command that ends with a
// code other than 0 is not an error: the code stands in the Output. When ctx ends the streams are
// closed; the command itself may go on.
func (p *Pod) Exec(ctx context.Context, container string, command []string, stdin io.Reader) (*Output, error) {
	return p.ExecHead(ctx, container, command, stdin, math.MaxInt)
}

// ExecHead is Exec for a command that may write more to its standard output than is wanted: the
// Output has the first bytes of it, and the command writes all of it.
func (p *Pod) ExecHead(ctx context.Context, container string, command []string, stdin io.Reader, most int) (*Output,
	error) {
	if !slices.Contains(p.Containers(), container) {
		return nil, fault.Usagef("exec in %s: no container %q (there are: %s)", p.Ref(), container,
			strings.Join(p.Containers(), ", "))
	}
	executor, err := p.executor(container, command, stdin != nil)
	if err != nil {
		return nil, fault.Environmentf("exec %s in %s/%s: %w", command[0], p.Ref(), container, err)
	}
	var stderr bytes.Buffer
	stdout := head{most: most}
	err = executor.StreamWithContext(ctx, remotecommand.StreamOptions{Stdin: stdin, Stdout: &stdout, Stderr: &stderr})
	out := &Output{Stdout: stdout.text.Bytes(), Stderr: stderr.Bytes()}
	if noProgram(err, out) {
		return nil, p.withoutProgram(container, command[0])
	}
	if failed, ok := errors.AsType[utilexec.CodeExitError](err); ok {
		out.Code = failed.ExitStatus()
		return out, nil
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("exec %s in %s/%s: %w", command[0], p.Ref(), container, context.Cause(ctx))
	}
	if err != nil {
		return nil, environment(err, "exec %s in %s/%s", command[0], p.Ref(), container)
	}
	return out, nil
}

// head keeps the first bytes of what is written to it.
type head struct {
	text bytes.Buffer
	most int
}

func (h *head) Write(p []byte) (int, error) {
	h.text.Write(p[:min(len(p), h.most-h.text.Len())])
	return len(p), nil
}

// executor prefers WebSocket, which newer servers speak, and falls back to SPDY.
func (p *Pod) executor(container string, command []string, stdin bool) (remotecommand.Executor, error) {
	options := &v1.PodExecOptions{Container: container, Command: command, Stdin: stdin, Stdout: true, Stderr: true}
	target := p.subresource("exec").VersionedParams(options, scheme.ParameterCodec).URL()
	websocket, err := remotecommand.NewWebSocketExecutor(p.mesh.config, "GET", target.String())
	if err != nil {
		return nil, err
	}
	spdy, err := remotecommand.NewSPDYExecutor(p.mesh.config, "POST", target)
	if err != nil {
		return nil, err
	}
	return remotecommand.NewFallbackExecutor(websocket, spdy, noWebsocket)
}

// noWebsocket says that the apiserver, or a proxy before it, refused to speak websockets.
func noWebsocket(err error) bool {
	return httpstream.IsUpgradeFailure(err) || httpstream.IsHTTPSProxyError(err)
}

// subresource begins a request for a streaming subresource of the pod.
func (p *Pod) subresource(name string) *rest.Request {
	return p.mesh.core.RESTClient().Post().Resource("pods").Namespace(p.Namespace()).Name(p.Name()).SubResource(name)
}

// ErrNoProgram is in the chain of the error about a command that the container's
// image does not have.
var ErrNoProgram = errors.New("there is no such program in it")

// noProgram recognises runc's and crun's words for a program that is not there. Runtimes differ in
// whether they come as an error or as the output of a command that ended with 126 or 127.
func noProgram(err error, out *Output) bool {
	if err == nil {
		return false
	}
	text := err.Error() + string(out.Stdout) + string(out.Stderr)
	return strings.Contains(text, "executable file not found") || strings.Contains(text, "executable file `") &&
		strings.Contains(text, "not found")
}

// withoutProgram says what can be done: a container for debugging shares the pod's network, and its
// traffic is captured as the application's is.
func (p *Pod) withoutProgram(container, program string) error {
	return fault.Environmentf("run %s in %s/%s: %w (name another container as POD/CONTAINER, or add one that has it: "+
		"kubectl debug -n %s %s --image docker.io/nicolaka/netshoot -c tools -- sleep 1d, then POD/tools)",
		program, p.Ref(), container, ErrNoProgram, p.Namespace(), p.Name())
}
