package script

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/internal/kube"
	"github.com/flowproof/lab/internal/lazyregexp"
)

var applyCommand = Command{
	Name:    "apply",
	touches: changes,
	changes: flow.TouchObjects,
	Usage:   "apply FILE",
	Summary: "Create the objects of a manifest until the scenario ends",
	Detail: "FILE is one of the scenario's own. Its objects are deleted when the scenario ends, also when the " +
		"command is killed; one that is\n" +
		"there already is an error, so that another's object is never touched. The sidecars hear of it a moment " +
		"later: wait with\n" +
		"`eventually`. In the manifest $NAME_IP stands for the address of a pod that show pod has read; ${NAME_IP} " +
		"is left for a shell.",
	hand:   func(_ string, args []string) []string { return []string{"kubectl apply -f " + args[0]} },
	replay: nothingRecorded,
	run: func(s *session, args []string) error {
		if len(args) != 1 {
			return badUsage("it needs one file")
		}
		manifest, err := s.readFile(args[0])
		if err != nil {
			return fault.Usagef("apply: %w", err)
		}
		if manifest, err = s.withAddresses(manifest); err != nil {
			return fault.Usagef("apply %s: %w", args[0], err)
		}
		objects, err := kube.Decode(manifest)
		if err != nil || len(objects) == 0 {
			return fault.Usagef("apply %s: no object can be read from it: %w", args[0], err)
		}
		for _, o := range objects {
			if err := s.create(o); err != nil {
				return fault.Environmentf("apply %s: %w", args[0], err)
			}
			s.print("%s %s in %s", o.GetKind(), o.GetName(), o.GetNamespace())
		}
		return nil
	},
}

// addressName is $NAME_IP in a manifest.
var addressName = lazyregexp.New(`\$[A-Z][A-Z0-9_]*_IP\b`)

// withAddresses puts the addresses of pods where a manifest has their names.
func (s *session) withAddresses(manifest []byte) ([]byte, error) {
	var unknown error
	manifest = addressName.ReplaceAllFunc(manifest, func(name []byte) []byte {
		address, ok := s.variables[string(name[1:])]
		if !ok {
			unknown = fmt.Errorf("%s stands for nothing yet (call show pod before)", name)
		}
		return []byte(address)
	})
	return manifest, unknown
}

// create creates one object. What deletes it is noted before, but never for an object
// that was there already.
func (s *session) create(o *unstructured.Unstructured) error {
	config, err := kube.ContextConfig(s.Lab.Mesh.Kubeconfig(), s.Lab.Mesh.Context())
	if err != nil {
		return err
	}
	text, err := o.MarshalJSON()
	if err != nil {
		return err
	}
	there, err := kube.Exists(s.ctx, config, o)
	if err != nil {
		return err
	}
	if there {
		return fmt.Errorf("%s %s is there already (delete it, or give yours another name)", o.GetKind(), o.GetName())
	}
	what := fmt.Sprintf("delete %s %s", o.GetKind(), o.GetName())
	args := deleteArgs{Reach: s.Lab.Reach(), Object: text}
	remove, err := s.Undo.Add(undoDelete, what, args)
	if err != nil {
		return err
	}
	s.Touched(flow.Touch{Kind: flow.TouchObjects, What: fmt.Sprintf("%s %s in %s", o.GetKind(), o.GetName(),
		o.GetNamespace())}, undoDelete, args)
	s.applied = append(s.applied, remove)
	s.objects = append(s.objects, o)
	return kube.Create(s.ctx, config, o)
}

// deleteArgs name an object that a scenario created.
type deleteArgs struct {
	run.Reach
	Object json.RawMessage `json:"object"`
}

func deleteObject(ctx context.Context, raw json.RawMessage) error {
	var args deleteArgs
	if err := json.Unmarshal(raw, &args); err != nil {
		return err
	}
	return args.UnlessGone(ctx, args.delete(ctx))
}

func (args deleteArgs) delete(ctx context.Context) error {
	config, err := kube.ContextConfig(args.Kubeconfig, args.Context)
	if err != nil {
		return err
	}
	object := new(unstructured.Unstructured)
	if err := object.UnmarshalJSON(args.Object); err != nil {
		return err
	}
	return kube.Delete(ctx, config, object)
}
