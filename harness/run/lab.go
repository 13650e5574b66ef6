package run

import (
	"context"
	"io"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/process"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/internal/undo"
)

// A Lab is what requests are sent in: a cluster with Istio, and what this host can
// do with its pods.
type Lab struct {
	Mesh    Mesh
	Cluster *cluster.Lab    // nil: what only a backend can do is not done
	Backend cluster.Backend // that the Cluster is of
	Bounds  *Bounds         // what may be changed in a cluster that is not the lab's own; nil: all of it
	Guard   []string        // command line of the undo guard; empty: none
	Restore undo.Kinds      // how what a run changes is restored; nil: UndoKinds, by connecting anew
}

// A Mesh is what a run needs of a cluster with Istio. Of makes one of a connection.
type Mesh interface {
	Pod(ctx context.Context, ref string) (Pod, error)
	Pods(ctx context.Context) ([]string, error)
	WithSidecar(ctx context.Context, namespace string) ([]string, error)
	Behind(ctx context.Context, host string, port uint16, namespace string) (mesh.Behind, error)
	CheckPort(ctx context.Context, host string, port uint16, namespace string) error
	Service(ctx context.Context, ref string) (*mesh.Service, error)
	Nodes(ctx context.Context) (map[string]string, error)
	AccessLog(ctx context.Context) (string, error)
	Namespace() string
	Kubeconfig() string
	Context() string
}

// A Pod is one that runs: see mesh.Pod.
type Pod interface {
	Ref() string
	Name() string
	Namespace() string
	IP() string
	Node() string
	Ready() (ready, total int)
	Containers() []string
	App() string
	Exec(ctx context.Context, container string, command []string, stdin io.Reader) (*mesh.Output, error)
	Follow(ctx context.Context, container string) (Window, error)
	Sidecar() (Sidecar, error)
}

// A Window is what a container logs: see mesh.Window.
type Window interface {
	Text() []byte
	From(at int) []byte
	WaitFor(ctx context.Context, texts ...string) error
	Close() error
}

// A Sidecar is the Envoy beside an application: see mesh.Sidecar.
type Sidecar interface {
	Pod() Pod
	Dump(ctx context.Context) ([]byte, error)
	Stats(ctx context.Context, filter string) ([]byte, error)
	Runtime(ctx context.Context) ([]byte, error)
	Loggers(ctx context.Context) (mesh.Levels, error)
	SetLevel(ctx context.Context, level string) error
	HoldLevels(ctx context.Context, wait func(mesh.Holder)) (*mesh.LevelLease, error)
	LowerLevels(ctx context.Context, lease string, levels mesh.Levels) error
	AwaitFree(ctx context.Context, wait func(mesh.Holder)) error
	Identity(ctx context.Context) (mesh.Identity, error)
	InUse(ctx context.Context, address string) (active, began uint64, err error)
	Reads() []mesh.Read
	Fence(ctx context.Context, w Window) error
	Quit(ctx context.Context) error
	Close() error
}

// Of makes a Mesh of a connection to a cluster.
func Of(m *mesh.Mesh) Mesh { return connection{m} }

type connection struct{ *mesh.Mesh }

func (c connection) Pod(ctx context.Context, ref string) (Pod, error) {
	p, err := c.Mesh.Pod(ctx, ref)
	if err != nil {
		return nil, err
	}
	return pod{p}, nil
}

type pod struct{ *mesh.Pod }

func (p pod) Follow(ctx context.Context, container string) (Window, error) {
	w, err := p.Pod.Follow(ctx, container)
	if err != nil {
		return nil, err
	}
	return w, nil
}

func (p pod) Sidecar() (Sidecar, error) {
	s, err := p.Pod.Sidecar()
	if err != nil {
		return nil, err
	}
	return sidecar{s, p}, nil
}

type sidecar struct {
	*mesh.Sidecar
	pod pod
}

func (s sidecar) Pod() Pod { return s.pod }

func (s sidecar) Fence(ctx context.Context, w Window) error {
	return s.Sidecar.Fence(ctx, w.(*mesh.Window)) // the only kind that its pod's Follow makes
}

// Processes are those of a pod's container on this host, its entry point first;
// process.ErrElsewhere where there are none.
func (l Lab) Processes(ctx context.Context, pod Pod, container string) ([]int, error) {
	if l.Backend == nil || l.Cluster == nil {
		return nil, process.ErrElsewhere
	}
	pids, err := l.Backend.Processes(ctx, l.Cluster, pod.Namespace(), pod.Name(), container)
	if err == nil && len(pids) == 0 {
		err = process.ErrElsewhere
	}
	return pids, err
}
