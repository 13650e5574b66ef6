package kube

import (
	"context"
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/dynamic"
	"k8s.io/client-go/rest"
)

// Exists says whether there is an object of the same kind, namespace and name.
func Exists(ctx context.Context, c *rest.Config, o *unstructured.Unstructured) (bool, error) {
	found, err := Find(ctx, c, o)
	return found != nil, err
}

// Find returns the object of the same kind, namespace and name that the cluster has;
// nil when it has none.
func Find(ctx context.Context, c *rest.Config, o *unstructured.Unstructured) (*unstructured.Unstructured, error) {
	client, err := dynamic.NewForConfig(c)
	if err != nil {
		return nil, fmt.Errorf("look for %s %s: %w", o.GetKind(), name(o), err)
	}
	found, err := resource(client, o).Get(ctx, o.GetName(), metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look for %s %s: %w", o.GetKind(), name(o), err)
	}
	return found, nil
}

// ApplyObject applies one object on the server side, taking over fields that another manager has.
func ApplyObject(ctx context.Context, c *rest.Config, o *unstructured.Unstructured) error {
	client, err := dynamic.NewForConfig(c)
	if err != nil {
		return fmt.Errorf("apply %s %s: %w", o.GetKind(), name(o), err)
	}
	return applyOne(ctx, client, o)
}

// Create creates an object. One that is there already is an error: what another made is not changed
// for a while.
func Create(ctx context.Context, c *rest.Config, o *unstructured.Unstructured) error {
	client, err := dynamic.NewForConfig(c)
	if err == nil {
		_, err = resource(client, o).Create(ctx, o, metav1.CreateOptions{FieldManager: FieldManager})
	}
	if err != nil {
		return fmt.Errorf("create %s %s: %w", o.GetKind(), name(o), err)
	}
	return nil
}

// Replace puts an object in the place of the one of its name without looking at that one. It
// creates the object where there is none.
func Replace(ctx context.Context, c *rest.Config, o *unstructured.Unstructured) error {
	found, err := Find(ctx, c, o)
	if err != nil {
		return err
	}
	if found == nil {
		return Create(ctx, c, o)
	}
	client, err := dynamic.NewForConfig(c)
	if err == nil {
		next := o.DeepCopy()
		next.SetResourceVersion(found.GetResourceVersion())
		_, err = resource(client, o).Update(ctx, next, metav1.UpdateOptions{FieldManager: FieldManager})
	}
	if err != nil {
		return fmt.Errorf("replace %s %s: %w", o.GetKind(), name(o), err)
	}
	return nil
}

// Delete deletes an object, and is content when it is gone.
func Delete(ctx context.Context, c *rest.Config, o *unstructured.Unstructured) error {
	client, err := dynamic.NewForConfig(c)
	if err == nil {
		err = resource(client, o).Delete(ctx, o.GetName(), metav1.DeleteOptions{})
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("delete %s %s: %w", o.GetKind(), name(o), err)
	}
	return nil
}

// resource guesses the resource's name from the kind, as kubectl's own builders do for known types:
// asking the server for its resources would cost more than the call.
func resource(client dynamic.Interface, o *unstructured.Unstructured) dynamic.ResourceInterface {
	plural, _ := meta.UnsafeGuessKindToResource(o.GroupVersionKind())
	if ns := o.GetNamespace(); ns != "" {
		return client.Resource(plural).Namespace(ns)
	}
	return client.Resource(plural)
}
