package cluster

import (
	"errors"
	"testing"

	"github.com/flowproof/lab/harness/fault"
)

func TestJoinedIsALabOrAnError(t *testing.T) {
	lab, failed := &Lab{Name: "x"}, errors.New("x")
	for _, tt := range []struct {
		name string
		lab  *Lab
		err  error
		kind fault.Kind
	}{
		{"it runs", lab, nil, fault.None},
		{"it is going down", nil, failed, fault.Environment},
		{"it came and went", nil, nil, fault.Environment},
	} {
		got, err := Joined("x", tt.lab, tt.err)
		if got != tt.lab || (got == nil) == (err == nil) || fault.Of(err) != tt.kind {
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
	}
}
