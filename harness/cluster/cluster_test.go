package cluster

import (
	"errors"
	"testing"

	"github.com/flowproof/lab/internal/exit"
)

func TestJoinedIsALabOrAnError(t *testing.T) {
	lab, failed := &Lab{Name: "x"}, errors.New("x")
	for _, tt := range []struct {
		name string
		lab  *Lab
		err  error
		code int
	}{
		{"it runs", lab, nil, exit.OK},
		{"it is going down", nil, failed, exit.Environment},
		{"it came and went", nil, nil, exit.Environment},
	} {
		got, err := Joined("x", tt.lab, tt.err)
		if got != tt.lab || (got == nil) == (err == nil) || exit.Code(err) != tt.code {
			t.Errorf("%s: %v, %v", tt.name, got, err)
		}
	}
}
