package kind

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/internal/workshop"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/docker"
	"github.com/flowproof/lab/internal/enclosure"
	"github.com/flowproof/lab/internal/kube"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/wait"
)

// joinOwn waits for a lab in our own Docker that another process has brought or is bringing up. It
// returns nil when there is none.
func joinOwn(ctx context.Context, name string, p progress.Reporter) (*cluster.Lab, error) {
	s, err := docker.State(ctx, name, -1)
	if errors.Is(err, enclosure.ErrNoGuard) {
		return nil, nil
	}
	if err == nil && s.State == cluster.Starting {
		task := p.Start("Waiting for lab " + name + ", which another process is bringing up")
		for err == nil && s.State == cluster.Starting {
			s, err = docker.State(ctx, name, s.Version)
		}
		task.Done(err)
	}
	switch {
	case errors.Is(err, enclosure.ErrNoGuard):
		return nil, nil
	case err != nil:
		return nil, err
	case s.State != cluster.Running:
		return nil, fault.Environmentf("join lab %s: it is going down: %s", name, s.Reason)
	case s.Kubeconfig == "":
		return nil, fault.Environmentf("join lab %s: its Docker runs without a cluster (lab down --backend kind "+
			"--name %[1]s)", name)
	}
	lives, err := nodeLives(ctx, name)
	if err != nil {
		return nil, err
	}
	if !lives {
		p.Say("the node of lab %s has ended: making the lab anew", name)
		return nil, docker.Stop(ctx, name)
	}
	return &cluster.Lab{Name: name, Backend: "kind", Kubeconfig: s.Kubeconfig, Joined: true, Timings: s.Timings}, nil
}

// nodeLives says whether the node runs in our own Docker of that name.
func nodeLives(ctx context.Context, name string) (bool, error) {
	d, err := docker.Ours(ctx, name)
	if d == nil || err != nil {
		return false, err
	}
	all, err := containers(ctx, d, name)
	if err != nil {
		return false, err
	}
	return len(all) > 0 && all[0].State == "running", nil
}

// joinPatience is how long a node that was stopped may take to answer again.
const joinPatience = 90 * time.Second

// errHalf is in the chain of the error for a lab that never came up, or whose node does not come
// back after it was started again. Only that justifies that up removes it: what else goes wrong may
// pass, and the lab may have what a person needs.
var errHalf = errors.New("it is not whole")

// adviseAnew says how a lab is made anew that cannot be joined.
func adviseAnew(name string) string {
	return "lab down --backend kind --name " + name + " removes it; lab up then makes it anew"
}

// join joins a lab in another's Docker, after starting a node that does not run, as after a restart
// of the machine. errHalf is in the chain of the error when there is nothing to join.
func (u *upper) join(ctx context.Context, d *docker.Docker, all []container) (*cluster.Lab, error) {
	task := u.p.Start("Joining lab " + u.name)
	lab, err := u.revive(ctx, d, all)
	task.Done(err)
	return lab, err
}

func (u *upper) revive(ctx context.Context, d *docker.Docker, all []container) (*cluster.Lab, error) {
	ctx, cancel := context.WithTimeout(ctx, joinPatience)
	defer cancel()
	restarted := false
	for _, c := range all {
		if c.State == "running" {
			continue
		}
		restarted = true
		if _, err := d.Run(ctx, "start", c.ID); err != nil {
			return nil, err
		}
	}
	b := &builder{lab: u.name, docker: d, set: u.set, p: u.p}
	data, err := b.kubeconfig(ctx)
	if err != nil {
		return nil, err
	}
	path, err := keep(u.name, data)
	if err != nil {
		return nil, err
	}
	timings, err := whole(ctx, path, restarted)
	if err != nil {
		return nil, err
	}
	if restarted {
		if err := comeBack(ctx, path); err != nil {
			return nil, err
		}
	}
	return &cluster.Lab{Name: u.name, Backend: "kind", Kubeconfig: path, Joined: true, Timings: timings}, nil
}

// comeBack waits until the workshop answers on a node that was started again. At first the
// apiserver still tells of the pods as they were, so an attempt may fail that the next does not.
func comeBack(ctx context.Context, kubeconfig string) error {
	err := wait.Retry(ctx, time.Second, func() error {
		return workshop.Install(ctx, kubeconfig, progress.Quiet, progress.NewStopwatch())
	})
	if err != nil {
		return fmt.Errorf("wait for the workshop: %w: %w", errHalf, err)
	}
	return nil
}

// The mark of a lab that is whole is an object of its own cluster, so that it goes with it.
const (
	markNamespace = "kube-system"
	markName      = "flowproof-lab"
	markTimings   = "timings"
)

// markWhole notes that the lab came up, and how long its stages took.
func markWhole(ctx context.Context, kubeconfig string, timings []progress.Timing) error {
	client, err := clientOf(kubeconfig)
	if err != nil {
		return err
	}
	text, err := json.Marshal(timings)
	if err != nil {
		return err
	}
	mark := &corev1.ConfigMap{ObjectMeta: metav1.ObjectMeta{Name: markName, Namespace: markNamespace},
		Data: map[string]string{markTimings: string(text)}}
	if _, err := client.CoreV1().ConfigMaps(markNamespace).Create(ctx, mark,
		metav1.CreateOptions{FieldManager: kube.FieldManager}); err != nil {
		return fmt.Errorf("mark the lab as whole: %w", err)
	}
	return nil
}

// whole returns the timings of a lab that came up. errHalf is in the chain of the error when it
// never did, and when a node that was started again did not answer until ctx ended; other errors
// say nothing of the lab. A node that was restarted is asked until it answers.
func whole(ctx context.Context, kubeconfig string, restarted bool) ([]progress.Timing, error) {
	client, err := clientOf(kubeconfig)
	if err != nil {
		return nil, err
	}
	var mark *corev1.ConfigMap
	// An apiserver that is not there yet cannot be watched.
	late := wait.Until(ctx, 200*time.Millisecond, func() (bool, error) {
		mark, err = client.CoreV1().ConfigMaps(markNamespace).Get(ctx, markName, metav1.GetOptions{})
		return err == nil || apierrors.IsNotFound(err) || !restarted, nil
	})
	switch {
	case late != nil:
		return nil, fmt.Errorf("wait for the apiserver: %w: %w", errHalf, err)
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("look for the mark of a whole lab: %w: %w", errHalf, err)
	case err != nil:
		return nil, fmt.Errorf("look for the mark of a whole lab: %w", err)
	}
	var timings []progress.Timing
	if err := json.Unmarshal([]byte(mark.Data[markTimings]), &timings); err != nil {
		return nil, fmt.Errorf("read the mark of a whole lab: %w", err)
	}
	return timings, nil
}

func clientOf(kubeconfig string) (kubernetes.Interface, error) {
	config, err := kube.Config(kubeconfig)
	if err != nil {
		return nil, err
	}
	config.Timeout = 10 * time.Second
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		return nil, fmt.Errorf("make a client of the cluster: %w", err)
	}
	return client, nil
}
