package node

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/harness/components"
	"github.com/flowproof/lab/harness/kube"
	"github.com/flowproof/lab/harness/progress"
	"github.com/flowproof/lab/manifests"
)

// bakery is the lab name under which data are prepared. Its leading letter keeps it apart from a user's names by
// convention only; a second preparation at the same time finds it taken and waits.
const bakery = "bakery"

// prepare returns a directory with etcd data that already hold what is the same in every lab: Kubernetes' own
// bootstrap objects, cluster DNS, Istio, and the workshop's Services. They are made once for a set of components and
// manifests, by a real etcd and apiserver. Keys are not in them: every lab makes its own.
func prepare(ctx context.Context, set *components.Set, p progress.Reporter) (string, error) {
	istio, err := os.ReadFile(set.Istio)
	if err != nil {
		return "", fmt.Errorf("read Istio's manifest: %w", err)
	}
	dir := filepath.Join(filepath.Dir(set.Dir), "prepared", preparedKey(set, istio))
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	task := p.Start("Preparing the cluster's data, once for these versions")
	err = bake(ctx, set, istio, dir, task)
	task.Done(err)
	if err != nil {
		return "", fmt.Errorf("prepare the cluster's data: %w", err)
	}
	return dir, nil
}

// preparedKey names data by everything that they are made from.
func preparedKey(set *components.Set, istio []byte) string {
	h := sha256.New()
	fmt.Fprintln(h, "v1", filepath.Base(set.Dir), serviceCIDR, len(istio))
	for _, part := range [][]byte{istio, manifests.Cluster(), manifests.WorkshopServices()} {
		_, _ = h.Write(part)
	}
	return hex.EncodeToString(h.Sum(nil))[:24]
}

// bake runs etcd and the apiserver alone, applies the objects, stops both in order and keeps etcd's data.
func bake(ctx context.Context, set *components.Set, istio []byte, dir string, task progress.Task) error {
	ctx, cancel := context.WithTimeout(ctx, upDeadline)
	defer cancel()
	if err := sweepLeft(ctx, bakery); err != nil {
		return err
	}
	o, err := launch(bakery, initConfig{RootFS: set.RootFS, Bin: set.Bin, Store: set.Store, Bake: true})
	if errors.Is(err, errTaken) {
		if err := awaitGone(ctx, bakery); err != nil {
			return err
		}
		if _, err := os.Stat(dir); err == nil {
			return nil // the other one has made them
		}
		return bake(ctx, set, istio, dir, task)
	}
	if err != nil {
		return err
	}
	defer o.abandon()
	if err := o.await(ctx, "kube-apiserver ready"); err != nil {
		return err
	}
	config, err := kube.Config(o.state.Kubeconfig)
	if err != nil {
		return err
	}
	for _, part := range [][]byte{manifests.Cluster(), istioNamespace, istio, manifests.WorkshopServices()} {
		if err := kube.Apply(ctx, config, part); err != nil {
			return err
		}
	}
	if err := kube.WaitEstablished(ctx, config); err != nil {
		return err
	}
	task.Note("stopping etcd in order")
	if err := o.say(lease{Quiesce: true}); err != nil {
		return err
	}
	if err := o.await(ctx, "quiet"); err != nil {
		return err
	}
	return keep(filepath.Join("/proc", strconv.Itoa(o.state.InitPID), "root", etcdDir), dir)
}

// istioNamespace is what istioctl's manifest leaves to its installer.
var istioNamespace = []byte("apiVersion: v1\nkind: Namespace\nmetadata: {name: istio-system}\n")

// keep copies data to a place in the cache; the place appears whole or not at all.
func keep(from, dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o700); err != nil {
		return err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), ".making-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := copyTree(from, temp); err != nil {
		return err
	}
	if err := os.Rename(temp, dir); err != nil && !errors.Is(err, fs.ErrExist) && !errors.Is(err, unix.ENOTEMPTY) {
		return err
	}
	return nil
}
