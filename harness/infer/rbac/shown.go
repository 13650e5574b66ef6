package rbac

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/match"
)

// saw keeps a condition that was evaluated, with the value that was compared; the last that failed
// says why a policy does not match.
func (r *Rules) saw(at configdump.Value, result match.Truth, value, format string, args ...any) match.Truth {
	if result.Open() {
		r.W.Guessed(at, result.Likely(), result.On, r.prefix()+format, args...)
		return result
	}
	if !r.W.Check(at, result.Yes(), r.prefix()+format, args...) {
		if r.last = fmt.Sprintf(format, args...); value != "" {
			r.last += ", and it is " + value
		}
	}
	r.W.Compared(value)
	return result
}

// prefix begins a condition that is shown: with the policy's name, in a form for a format.
func (r *Rules) prefix() string {
	if r.named == "" || !r.W.Opts.Explain {
		return "RBAC: "
	}
	return "RBAC policy " + strings.ReplaceAll(r.named, "%", "%%") + ": "
}
