package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"

	typed "k8s.io/client-go/kubernetes/typed/authorization/v1"

	"github.com/flowproof/lab/cmd/lab/internal/checkup"
	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/internal/doctor"
	"github.com/flowproof/lab/internal/kube"
)

// doctorOfCluster says what a cluster that is not the lab's own allows.
func (a *app) doctorOfCluster(ctx context.Context) error {
	backend, lab, err := a.lab(ctx)
	if err != nil {
		return err
	}
	config, err := kube.ContextConfig(lab.Kubeconfig, lab.Context)
	if err != nil {
		return fault.Environmentf("%w", err)
	}
	client, err := typed.NewForConfig(config)
	if err != nil {
		return fault.Environmentf("reach the cluster: %w", err)
	}
	m, err := a.connect(lab)
	if err != nil {
		return err
	}
	root := os.Geteuid() == 0
	report := checkup.Examine(ctx, checkup.Environment{
		Mesh:       m,
		Review:     client.SelfSubjectAccessReviews(),
		Root:       root,
		BPF:        root && doctor.BPFWorks(ctx),
		Local:      isLocal(ctx, backend, lab, m),
		Kubeconfig: lab.Kubeconfig,
		Context:    lab.Context,
	})
	if err := a.table(report, func(w io.Writer) error { return printCluster(w, report) }); err != nil {
		return err
	}
	if !report.Fit {
		return silentError{fault.Environmentf("a right is missing that a request takes")}
	}
	return nil
}

// isLocal says whether the processes of a pod with a sidecar are on this machine.
func isLocal(ctx context.Context, backend cluster.Backend, lab *cluster.Lab, m *mesh.Mesh) bool {
	pods, err := m.WithSidecar(ctx, m.Namespace())
	if err != nil || len(pods) == 0 {
		return false
	}
	name, namespace := mesh.SplitRef(pods[0], m.Namespace())
	pids, err := backend.Processes(ctx, lab, namespace, name, mesh.SidecarContainer)
	return err == nil && len(pids) > 0
}

func printCluster(w io.Writer, r checkup.Report) error {
	fmt.Fprintf(
		w,
		"The cluster of context %s, namespace %s, %d pods with a sidecar\n",
		r.Context,
		r.Namespace,
		len(r.Sidecars),
	)
	fmt.Fprintln(w, "\nRights")
	for _, right := range r.Rights {
		mark, detail := "✓", ""
		switch {
		case !right.OK && right.Required:
			mark = "✗"
		case !right.OK:
			mark = "·"
		}
		if right.Problem != "" {
			detail = " (not known: " + right.Problem + ")"
		}
		where := "in " + right.Namespace
		if right.Namespace == "*" {
			where = "in every namespace"
		}
		fmt.Fprintf(w, " %s %-26s %s: %s%s\n", mark, right.Verb+" "+right.Resource, where, right.For, detail)
	}
	fmt.Fprintln(w, "\nInstruments")
	for _, i := range r.Instruments {
		mark := "✓"
		if !i.Takes {
			mark = "·"
		}
		fmt.Fprintf(w, " %s %-26s %s\n", mark, i.Name, i.Why)
	}
	fmt.Fprintln(w)
	if len(r.Unseen) > 0 {
		fmt.Fprintf(w, "Nothing would see: %s\n", strings.Join(r.Unseen, ", "))
	} else {
		fmt.Fprintln(w, "Every kind of hop has an instrument that can see it.")
	}
	if r.Root != "" {
		fmt.Fprintf(w, "Root would add %s.\n", r.Root)
	}
	for _, p := range r.Problems {
		fmt.Fprintf(w, "Not known: %s\n", p)
	}
	last := "A request can be traced here: lab trace --from POD --to URL."
	if !r.Fit {
		last = "No request can be traced here yet: see what has ✗."
	}
	_, err := fmt.Fprintln(w, last)
	return err
}
