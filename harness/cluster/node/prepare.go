//go:build linux

package node

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/workshop"
)

// prepare returns a directory with etcd data that already hold what is the same in every lab:
// Kubernetes' own bootstrap objects, cluster DNS, Istio, and the workshop's Services. They are made
// once for a set of components and manifests, by a real etcd and apiserver. Keys are not in them:
// every lab makes its own.
func prepare(ctx context.Context, set *components.Set, objects [][]byte, p progress.Reporter) (string, error) {
	inputs := append([][]byte{[]byte(strings.Join(append(etcd().args, apiserver().args...), " "))}, objects...)
	return set.Derived(ctx, p, "etcd-data", "Preparing the cluster's data, once for these versions", inputs,
		func(ctx context.Context, dir string, task progress.Task) error {
			return bake(ctx, set, objects, dir, task)
		})
}

// bake runs etcd and the apiserver alone, applies the objects, stops both in order and keeps etcd's
// data. The cache's lock keeps a second preparation waiting.
func bake(ctx context.Context, set *components.Set, objects [][]byte, dir string, task progress.Task) error {
	ctx, cancel := context.WithTimeout(ctx, upDeadline)
	defer cancel()
	if err := enclosed.AwaitGone(ctx, cluster.Bakery); err != nil { // one that lost its owner is about to end
		return err
	}
	if err := enclosed.SweepLeft(ctx, cluster.Bakery); err != nil {
		return err
	}
	o, err := launch(ctx, cluster.Bakery, set, initConfig{Bake: true})
	if err != nil {
		return err
	}
	defer o.Abandon()
	if err := o.Await(ctx, "kube-apiserver ready"); err != nil {
		return err
	}
	if err := workshop.Apply(ctx, o.State().Kubeconfig, objects); err != nil {
		return err
	}
	task.Note("stopping etcd in order")
	if err := o.Command(quiesce); err != nil {
		return err
	}
	if err := o.Await(ctx, quiet); err != nil {
		return err
	}
	return copyTree(filepath.Join("/proc", strconv.Itoa(o.State().InitPID), "root", etcdDir), dir)
}
