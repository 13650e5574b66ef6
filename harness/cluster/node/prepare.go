//go:build linux

package node

import (
	"context"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/internal/workshop"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/enclosure"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/manifests"
)

// prepare returns a directory with etcd data that already hold what is the same in every lab:
// Kubernetes' own bootstrap objects, cluster DNS, Istio, the workshop's Services, and their pods as
// a whole lab made them of the manifests. They are made once for a set of components and
// manifests, by a real etcd and apiserver. Keys are not in them: every lab makes its own.
func prepare(ctx context.Context, set *components.Set, objects [][]byte, p progress.Reporter) (string, error) {
	inputs := append([][]byte{[]byte(strings.Join(append(etcd().args, apiserver().args...), " ")),
		[]byte("pods held"), manifests.WorkshopPods()}, objects...)
	return set.Derived(ctx, p, "etcd-data", "Preparing the cluster's data, once for these versions", inputs,
		func(ctx context.Context, dir string, task progress.Task) error {
			task.Note("bringing a lab up, for its pods as injector and scheduler leave them")
			pods, err := rehearse(ctx, set, objects)
			if err != nil {
				return err
			}
			task.Note("")
			return bake(ctx, set, objects, pods, dir, task)
		})
}

// bake runs etcd and the apiserver alone, applies the objects, stops both in order and keeps etcd's
// data. The cache's lock keeps a second preparation waiting.
func bake(ctx context.Context, set *components.Set, objects [][]byte, pods *cast, dir string,
	task progress.Task) error {
	ctx, cancel := context.WithTimeout(ctx, upDeadline)
	defer cancel()
	o, err := launchBakery(ctx, set, initConfig{Bake: true})
	if err != nil {
		return err
	}
	defer o.Abandon()
	if err := o.Await(ctx, "kube-apiserver ready"); err != nil {
		return err
	}
	client, err := clientOf(o.State().Kubeconfig)
	if err != nil {
		return err
	}
	if err := pods.enterFree(ctx, client); err != nil {
		return err
	}
	if err := workshop.Apply(ctx, o.State().Kubeconfig, objects); err != nil {
		return err
	}
	if err := pods.enterOwned(ctx, client); err != nil {
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

// launchBakery starts an enclosure that no lab can have the name of. One that lost its owner is
// about to end, and is waited for.
func launchBakery(ctx context.Context, set *components.Set, c initConfig) (*enclosure.Owner, error) {
	if err := enclosed.AwaitGone(ctx, cluster.Bakery); err != nil {
		return nil, err
	}
	if err := enclosed.SweepLeft(ctx, cluster.Bakery); err != nil {
		return nil, err
	}
	return launch(ctx, cluster.Bakery, set, c)
}
