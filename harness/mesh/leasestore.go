package mesh

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/platform"
)

var (
	errConflict = errors.New("it was changed in between")
	errNoRight  = errors.New("the cluster does not allow it")
)

// The kinds of stores.
const (
	annotationStore = "annotation"
	lockFileStore   = "file"
)

// A leaseStore keeps the lease of one sidecar. A write succeeds only where nothing was written
// since the version was read.
type leaseStore interface {
	kind() string
	read(ctx context.Context) (record *leaseRecord, version string, err error)
	write(ctx context.Context, record *leaseRecord, version string) (next string, err error) // nil: it is given up
}

func (s *Sidecar) store() leaseStore { return podStore{s.pod} }

// podStore keeps it in an annotation of the pod, which every process with the cluster's kubeconfig
// sees, and which goes with the pod. The right that it takes is to patch pods.
type podStore struct{ pod *Pod }

func (podStore) kind() string { return annotationStore }

func (p podStore) read(ctx context.Context) (*leaseRecord, string, error) {
	obj, err := p.pod.mesh.core.Pods(p.pod.Namespace()).Get(ctx, p.pod.Name(), metav1.GetOptions{})
	if err != nil {
		return nil, "", environment(err, "read the lease of %s", p.pod.Ref())
	}
	text, ok := obj.Annotations[LeaseAnnotation]
	if !ok {
		return nil, obj.ResourceVersion, nil
	}
	record, err := decodeLease(text)
	if err != nil {
		return nil, "", fault.Environmentf("read the lease of %s: %w (take it off with kubectl annotate pod -n %s %s "+
			"%s-)",
			p.pod.Ref(), err, p.pod.Namespace(), p.pod.Name(), LeaseAnnotation)
	}
	return record, obj.ResourceVersion, nil
}

func (p podStore) write(ctx context.Context, record *leaseRecord, version string) (string, error) {
	var value any
	if record != nil {
		text, err := json.Marshal(record)
		if err != nil {
			return "", err
		}
		value = string(text)
	}
	patch, err := json.Marshal(map[string]any{"metadata": map[string]any{
		"resourceVersion": version, "annotations": map[string]any{LeaseAnnotation: value}}})
	if err != nil {
		return "", err
	}
	obj, err := p.pod.mesh.core.Pods(p.pod.Namespace()).Patch(ctx, p.pod.Name(), types.MergePatchType, patch,
		metav1.PatchOptions{})
	switch {
	case err == nil:
		return obj.ResourceVersion, nil
	case apierrors.IsConflict(err):
		return "", errConflict
	case apierrors.IsForbidden(err):
		return "", fmt.Errorf("%w: %w", errNoRight, err)
	case apierrors.IsNotFound(err) && record == nil:
		return "", nil // it went with the pod
	}
	return "", environment(err, "write the lease of %s", p.pod.Ref())
}

// leased are the pods that have the annotation.
func (m *Mesh) leased(ctx context.Context) ([]*Pod, error) {
	list, err := m.core.Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{})
	if err != nil {
		return nil, fault.Environmentf("list pods: %w (is the lab up? see `lab status`)", err)
	}
	var pods []*Pod
	for n := range list.Items {
		if _, ok := list.Items[n].Annotations[LeaseAnnotation]; ok {
			pods = append(pods, &Pod{mesh: m, obj: &list.Items[n]})
		}
	}
	return pods, nil
}

// fileStore is where the cluster does not let us write to pods: a file of this user on this
// machine. Processes elsewhere do not see it.
func (s *Sidecar) fileStore() leaseStore {
	dir, err := os.UserCacheDir()
	if err != nil {
		dir = os.TempDir()
	}
	name := sha256.Sum256([]byte(s.pod.Ref() + " " + string(s.pod.obj.UID)))
	return lockFile{filepath.Join(dir, "flowproof", "leases", hex.EncodeToString(name[:16])+".json")}
}

// lockFile keeps a lease in a file; its version is a digest of what is in it. A lock on the file
// beside it orders writes.
type lockFile struct{ path string }

func (lockFile) kind() string { return lockFileStore }

func (f lockFile) read(context.Context) (*leaseRecord, string, error) {
	text, err := os.ReadFile(f.path)
	if errors.Is(err, os.ErrNotExist) {
		return nil, "", nil
	}
	if err != nil {
		return nil, "", fault.Environmentf("read lease: %w", err)
	}
	record, err := decodeLease(string(text))
	if err != nil {
		return nil, digest(text), nil // cut by a full disk: nothing can be known of it
	}
	return record, digest(text), nil
}

func (f lockFile) write(ctx context.Context, record *leaseRecord, version string) (string, error) {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o700); err != nil {
		return "", fault.Environmentf("write lease: %w", err)
	}
	guard, err := os.OpenFile(f.path+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		defer guard.Close() // and with it the lock
		err = platform.LockWait(guard, platform.Exclusive)
	}
	if err != nil {
		return "", fault.Environmentf("write lease: %w", err)
	}
	if _, now, err := f.read(ctx); err != nil {
		return "", err
	} else if now != version {
		return "", errConflict
	}
	if record == nil {
		return "", os.Remove(f.path)
	}
	text, err := json.Marshal(record)
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(f.path+".new", text, 0o600); err != nil {
		return "", fault.Environmentf("write lease: %w", err)
	}
	if err := os.Rename(f.path+".new", f.path); err != nil {
		return "", fault.Environmentf("write lease: %w", err)
	}
	return digest(text), nil
}

func digest(text []byte) string {
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:])
}
