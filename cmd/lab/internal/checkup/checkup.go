// Package checkup says what a cluster that is not the lab's own allows: which rights there are,
// which instruments would take part in a run, and which hops nothing would see. It asks, and
// changes nothing.
package checkup

import (
	"context"
	"slices"
	"strings"

	authorization "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typed "k8s.io/client-go/kubernetes/typed/authorization/v1"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// Schema is the version of the Report's JSON form.
const Schema = "flowproof.dev/cluster-doctor/v1"

// A Report is what a cluster allows.
type Report struct {
	Schema      string       `json:"schema"`
	Fit         bool         `json:"fit"` // a request can be traced
	Kubeconfig  string       `json:"kubeconfig,omitempty"`
	Context     string       `json:"context,omitempty"`
	Namespace   string       `json:"namespace"`
	Sidecars    []string     `json:"sidecars"` // pods of the namespace that have one
	AccessLog   string       `json:"accessLog"`
	Rights      []Right      `json:"rights"`
	Instruments []Instrument `json:"instruments"`
	Unseen      []string     `json:"unseen,omitempty"` // kinds of hops that no instrument would see
	Root        string       `json:"root,omitempty"`   // what root would add; "": this is root's
	Problems    []string     `json:"problems,omitempty"`
}

// A Right is one that a run takes.
type Right struct {
	Verb      string `json:"verb"`
	Resource  string `json:"resource"` // with its subresource
	Namespace string `json:"namespace,omitempty"`
	For       string `json:"for"`
	Required  bool   `json:"required"` // without it no request can be traced
	OK        bool   `json:"ok"`
	Problem   string `json:"problem,omitempty"` // why it is not known
}

// An Instrument is one that would take part in a run, or not.
type Instrument struct {
	Name  flow.Instrument `json:"name"`
	Takes bool            `json:"takes"`
	Why   string          `json:"why"` // what it needs, or why it would not
}

// An Environment is what is known of the machine and the cluster beside the apiserver.
type Environment struct {
	Mesh       *mesh.Mesh
	Review     typed.SelfSubjectAccessReviewInterface
	Root       bool   // this process is root's
	BPF        bool   // it may load BPF programs
	Local      bool   // the pods' processes are on this machine
	Kubeconfig string // as it was named
	Context    string
}

// rights are what a run asks the apiserver for. "" stands for the namespace of the pods.
var rights = []Right{
	{Verb: "get", Resource: "pods", For: "find the pods on the way", Required: true},
	{Verb: "list", Resource: "pods", Namespace: "*", For: "find which pod has an address", Required: true},
	{Verb: "list", Resource: "services", Namespace: "*", For: "find what is behind a URL", Required: true},
	{Verb: "create", Resource: "pods/portforward", For: "read the sidecars' dumps and counters", Required: true},
	{
		Verb:     "create",
		Resource: "pods/exec",
		For:      "send the request with curl, and read socket tables",
		Required: true,
	},
	{Verb: "get", Resource: "pods/log", For: "read the access log and Envoy's log"},
	{Verb: "get", Resource: "configmaps", Namespace: "istio-system", For: "read the form of the access log"},
	{Verb: "list", Resource: "nodes", Namespace: "*", For: "know the ports of nodes"},
	{Verb: "patch", Resource: "pods", For: "let two runs not disturb each other, with --cold or --log-level debug"},
}

// Examine asks what the cluster allows.
func Examine(ctx context.Context, e Environment) Report {
	r := Report{
		Schema:     Schema,
		Fit:        true,
		Kubeconfig: e.Kubeconfig,
		Context:    e.Context,
		Namespace:  e.Mesh.Namespace(),
		Sidecars:   []string{},
	}
	for _, right := range rights {
		r.Rights = append(r.Rights, e.ask(ctx, right))
	}
	for _, right := range r.Rights {
		if right.Required && !right.OK {
			r.Fit = false
		}
	}
	problem := func(err error) {
		r.Problems = append(r.Problems, err.Error())
	}
	if pods, err := e.Mesh.WithSidecar(ctx, r.Namespace); err != nil {
		problem(err)
	} else {
		r.Sidecars = append(r.Sidecars, pods...)
	}
	form, err := e.Mesh.AccessLog(ctx)
	if err != nil {
		problem(err)
	}
	r.AccessLog = form
	r.Instruments = e.instruments(&r)
	r.Unseen = unseen(r.Instruments)
	if !e.Root {
		r.Root = "nothing, as the pods' processes are on other machines"
		if e.Local {
			r.Root = "eBPF on the kernel and inside Envoy, and the counters of netfilter, as the pods' processes are " +
				"on this machine"
		}
	}
	return r
}

// ask asks the apiserver for one right.
func (e Environment) ask(ctx context.Context, r Right) Right {
	resource, sub, _ := strings.Cut(r.Resource, "/")
	namespace := r.Namespace
	switch namespace {
	case "":
		namespace = e.Mesh.Namespace()
		r.Namespace = namespace
	case "*":
		namespace = "" // of the whole cluster
	}
	answer, err := e.Review.Create(
		ctx,
		&authorization.SelfSubjectAccessReview{Spec: authorization.SelfSubjectAccessReviewSpec{
			ResourceAttributes: &authorization.ResourceAttributes{
				Verb:        r.Verb,
				Resource:    resource,
				Subresource: sub,
				Namespace:   namespace,
			}}},
		metav1.CreateOptions{},
	)
	if err != nil {
		r.Problem = err.Error()
		return r
	}
	r.OK = answer.Status.Allowed
	return r
}

func (r Report) may(verb, resource string) bool {
	return slices.ContainsFunc(
		r.Rights,
		func(right Right) bool { return right.Verb == verb && right.Resource == resource && right.OK },
	)
}

// instruments says of each whether it would take part.
func (e Environment) instruments(r *Report) []Instrument {
	on := instrument.Cluster{Exec: r.may("create", "pods/exec"), Forward: r.may("create", "pods/portforward"),
		Logs: r.may("get", "pods/log"), Local: e.Local, Root: e.Root, BPF: e.BPF, AccessLog: r.AccessLog}
	var all []Instrument
	for _, i := range observe.Instruments() {
		entry := Instrument{Name: i.Name(), Takes: true, Why: "it needs nothing of the cluster"}
		if demanding, ok := i.(instrument.Demanding); ok {
			entry.Takes, entry.Why = demanding.Takes(on)
		}
		all = append(all, entry)
	}
	return all
}

// unseen are the kinds of hops of which no instrument that takes part can see anything. What shows
// one value alone, as a counter of one filter does, is not counted: most requests have another.
func unseen(takes []Instrument) []string {
	var kinds []string
	for _, kind := range flow.Hops {
		seen := false
		for _, i := range observe.Instruments() {
			at := slices.IndexFunc(takes, func(t Instrument) bool { return t.Name == i.Name() })
			asked := i.Name() == flow.EnvoyLog // it is asked for
			seen = seen ||
				at >= 0 && takes[at].Takes && !asked &&
					slices.ContainsFunc(i.Sees(), func(c flow.Capability) bool {
						return c.Kind == kind.Kind && c.Value == ""
					})
		}
		if !seen && kind.Kind != flow.NodePort {
			kinds = append(kinds, string(kind.Kind))
		}
	}
	return kinds
}
