// Package expr evaluates the expressions of a dump, which are written in CEL, the Common Expression
// Language: as Envoy does, with the attributes that a caller knows, and with three answers: yes,
// no, or what the answer depends on.
package expr

import (
	"sync"

	"cel.dev/cel-go/cel"
)

// Bounds of an expression: how deep its tree may nest in the dump, and what its
// evaluation may cost.
const (
	maxExpression = 300
	maxCost       = 1 << 16
)

// variables are the variables that Envoy gives to an expression.
// (docs/root/intro/arch_overview/advanced/attributes)
var variables = []string{"request", "source", "destination", "connection", "response", "upstream", "metadata",
	"filter_state", "xds"}

// A Program is an expression that can be evaluated; nil is one that is not understood.
type Program = cel.Program

// Programs keeps the programs of a dump's expressions by their place. The zero value is ready, and
// may be used by several goroutines.
type Programs struct {
	once  sync.Once
	env   *cel.Env
	mu    sync.Mutex
	known map[string]*compiled
}

type compiled struct {
	once    sync.Once
	program Program
}

// at returns the program that is kept at a place. joins says whether it can join texts and lists.
func (p *Programs) at(place string, joins bool, read func(*cel.Env) *cel.Ast) Program {
	p.mu.Lock()
	c, ok := p.known[place]
	if !ok {
		if p.known == nil {
			p.known = map[string]*compiled{}
		}
		c = new(compiled)
		p.known[place] = c
	}
	p.mu.Unlock()
	c.once.Do(func() { c.program = compile(p.environment(), read, joins) })
	return c.program
}

// environment is made when the first expression is met: most dumps have none.
func (p *Programs) environment() *cel.Env {
	p.once.Do(func() {
		options := []cel.EnvOption{cel.StdLib(), sum}
		for _, name := range variables {
			options = append(options, cel.Variable(name, cel.DynType))
		}
		// without it no expression is understood, which is said where one stands
		p.env, _ = cel.NewCustomEnv(options...)
	})
	return p.env
}

func compile(env *cel.Env, read func(*cel.Env) *cel.Ast, joins bool) (program Program) {
	// The planner panics on trees that no parser makes, such as a comparison of one value.
	defer func() {
		if recover() != nil {
			program = nil
		}
	}()
	if env == nil {
		return nil
	}
	tree := read(env)
	if tree == nil {
		return nil
	}
	if !joins {
		if tree = withoutJoining(tree); tree == nil {
			return nil
		}
	}
	program, err := env.Program(tree, cel.EvalOptions(cel.OptPartialEval), cel.CostLimit(maxCost))
	if err != nil {
		return nil
	}
	return program
}
