package undo

import (
	"bytes"
	"testing"
)

func FuzzListen(f *testing.F) {
	f.Add([]byte(`{"add":{"id":1,"kind":"noop","what":"x","args":null}}` + "\n" + `{"done":1}` + "\n" + `{"end":true}`))
	f.Add([]byte(`{"add":{"id":1,"kind":"no`))
	f.Add([]byte(`{"done":-1}[]`))
	f.Fuzz(func(t *testing.T, in []byte) {
		left, _ := listen(bytes.NewReader(in))
		if most := bytes.Count(in, []byte("{")); len(left) > most {
			t.Errorf("%d actions out of %d objects", len(left), most)
		}
	})
}
