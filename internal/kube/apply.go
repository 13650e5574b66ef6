// Package kube does with a Kubernetes API what every backend needs: apply manifests,
// and wait by watches.
package kube

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"golang.org/x/sync/errgroup"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/util/yaml"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// FieldManager is whose fields the lab's objects are, as server-side apply sees it.
const FieldManager = "flowproof-lab"

// Decode reads the objects of a stream of YAML or JSON documents; empty documents are left out.
func Decode(stream []byte) ([]*unstructured.Unstructured, error) {
	reader := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(stream)))
	var objects []*unstructured.Unstructured
	for n := 1; ; n++ {
		doc, err := reader.Read()
		if errors.Is(err, io.EOF) {
			return objects, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read document %d: %w", n, err)
		}
		o := &unstructured.Unstructured{}
		if err := yaml.Unmarshal(doc, &o.Object); err != nil {
			return nil, fmt.Errorf("read document %d: %w", n, err)
		}
		if len(o.Object) == 0 {
			continue
		}
		if o.GetKind() == "" || o.GetName() == "" {
			return nil, fmt.Errorf("read document %d: an object needs kind and metadata.name", n)
		}
		objects = append(objects, o)
	}
}

// rank orders kinds so that what others live in comes first.
func rank(o *unstructured.Unstructured) int {
	switch o.GetKind() {
	case "Namespace", "CustomResourceDefinition":
		return 0
	case "MutatingWebhookConfiguration", "ValidatingWebhookConfiguration":
		return 2
	}
	return 1
}

// Apply applies every object of a manifest on the server side, taking over fields that another
// manager has. Objects of one rank go in parallel.
func Apply(ctx context.Context, c *rest.Config, manifest []byte) error {
	objects, err := Decode(manifest)
	if err != nil {
		return fmt.Errorf("apply manifest: %w", err)
	}
	client, err := dynamic.NewForConfig(c)
	if err != nil {
		return fmt.Errorf("apply manifest: %w", err)
	}
	return InOrder(ctx, objects, func(ctx context.Context, o *unstructured.Unstructured) error {
		return applyOne(ctx, client, o)
	})
}

// InOrder calls f for every object, so that what others live in comes first: namespaces
// and definitions, then the rest, then webhooks. Objects of one rank go in parallel.
// The first error ends it.
func InOrder(ctx context.Context, objects []*unstructured.Unstructured,
	f func(context.Context, *unstructured.Unstructured) error) error {
	objects = slices.Clone(objects)
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int { return rank(a) - rank(b) })
	for len(objects) > 0 {
		same := slices.IndexFunc(objects, func(o *unstructured.Unstructured) bool {
			return rank(o) != rank(objects[0])
		})
		if same < 0 {
			same = len(objects)
		}
		group, ctx := errgroup.WithContext(ctx)
		group.SetLimit(8)
		for _, o := range objects[:same] {
			group.Go(func() error { return f(ctx, o) })
		}
		if err := group.Wait(); err != nil {
			return err
		}
		objects = objects[same:]
	}
	return nil
}

func applyOne(ctx context.Context, client dynamic.Interface, o *unstructured.Unstructured) error {
	_, err := resource(client, o).Apply(ctx, o.GetName(), o,
		metav1.ApplyOptions{FieldManager: FieldManager, Force: true})
	if err != nil {
		return fmt.Errorf("apply %s %s: %w", o.GetKind(), name(o), err)
	}
	return nil
}

func name(o *unstructured.Unstructured) string {
	if ns := o.GetNamespace(); ns != "" {
		return ns + "/" + o.GetName()
	}
	return o.GetName()
}
