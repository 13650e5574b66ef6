package run

import (
	"context"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
)

// Behind asks the cluster who is behind the URL of a call: the apiserver, and no sidecar.
func (s *Session) Behind(ctx context.Context, call flow.Call) (mesh.Behind, error) {
	host, port, err := endOf(call)
	if err != nil {
		return mesh.Behind{}, err
	}
	return s.Lab.Mesh.Behind(ctx, host, port, call.Namespace)
}
