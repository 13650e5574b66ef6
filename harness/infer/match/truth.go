// Package match evaluates the matchers of Envoy's API against values: StringMatcher, HeaderMatcher,
// QueryParameterMatcher, the path specifiers of a route, MetadataMatcher. Each answers yes, no, or
// that the result depends on something that neither the dump nor the request says; the answer then
// names it. A matcher of a kind that is not known depends: it never refuses.
package match

import "github.com/flowproof/lab/harness/configdump"

// A Truth is the answer to a condition: No, Yes, or that it depends. Of one that depends, On names
// what it depends on, Why says in a sentence why that is not known, and Guess is the answer where
// nothing intervenes. The zero value is No.
type Truth struct {
	state   state
	Guess   bool
	On, Why string
}

type state uint8

const (
	no state = iota
	yes
	depends
)

// The two answers that depend on nothing.
var (
	No  = Truth{}
	Yes = Truth{state: yes}
)

// Depends returns the answer of a condition on something that is not known.
func Depends(on, why string) Truth { return Truth{state: depends, On: on, Why: why} }

// Opened returns an answer that depends on a cause, and that is t where nothing intervenes.
func (c Cause) Opened(t Truth) Truth { return Truth{depends, t.Likely(), c.On, c.Why} }

// Likely is the answer as far as it is known.
func (t Truth) Likely() bool { return t.state == yes || t.state == depends && t.Guess }

// Of turns a decided condition into an answer.
func Of(b bool) Truth {
	if b {
		return Yes
	}
	return No
}

// Yes says whether the condition holds for certain.
func (t Truth) Yes() bool { return t.state == yes }

// No says whether the condition fails for certain.
func (t Truth) No() bool { return t.state == no }

// Open says whether the answer depends on something that is not known.
func (t Truth) Open() bool { return t.state == depends }

// Not turns the answer around; what depends stays open.
func (t Truth) Not() Truth {
	switch t.state {
	case yes:
		return No
	case no:
		return Yes
	}
	return t
}

// And is the answer to both conditions.
func (t Truth) And(u Truth) Truth {
	if t.No() || u.No() {
		return No
	}
	guess := t.Likely() && u.Likely()
	if t.Open() {
		t.Guess = guess
		return t
	}
	u.Guess = guess && u.Open()
	return u
}

// Or is the other answer where it is open.
func (t Truth) Or(open Truth) Truth {
	if open.Open() {
		return open
	}
	return t
}

// All is Yes when every element is; of those that depend it names the first.
func All(v configdump.Value, f func(configdump.Value) Truth) Truth {
	result := Yes
	for _, e := range v.Elements() {
		if result = result.And(f(e)); result.No() {
			return No
		}
	}
	return result
}

// Some is Yes when one element is; of those that depend it names the first.
func Some(v configdump.Value, f func(configdump.Value) Truth) Truth {
	result := No
	for _, e := range v.Elements() {
		t := f(e)
		switch {
		case t.Yes():
			return t
		case t.Open() && result.Open():
			result.Guess = result.Guess || t.Guess
		case t.Open():
			result = t
		}
	}
	return result
}

// Guessing returns a Truth that depends with another guess.
func (t Truth) Guessing(guess bool) Truth {
	t.Guess = t.Open() && guess
	return t
}
