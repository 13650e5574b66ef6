package kube

import "testing"

// FuzzDecode reads documents that a person, a chart or a registry may have written. What it returns
// has a kind and a name.
func FuzzDecode(f *testing.F) {
	f.Add([]byte("apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\n---\nkind: Service\nmetadata: {name: b}\n"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		objects, err := Decode(stream)
		for _, o := range objects {
			if err != nil || o.GetKind() == "" || o.GetName() == "" {
				t.Errorf("%q: %v, %v", stream, o.Object, err)
			}
		}
	})
}
