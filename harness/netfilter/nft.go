package netfilter

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
)

// A listing is what `nft -j list ruleset` prints: libnftables-json(5), "Ruleset elements".
type listing struct {
	Objects []struct {
		Metainfo *struct {
			Schema int `json:"json_schema_version"`
		} `json:"metainfo"`
		Table *named     `json:"table"`
		Chain *chainSpec `json:"chain"`
		Set   *setSpec   `json:"set"`
		Map   *setSpec   `json:"map"`
		Rule  *ruleSpec  `json:"rule"`
	} `json:"nftables"`
}

// A named is what every object of a listing says of its place.
type named struct {
	Family string `json:"family"`
	Table  string `json:"table"`
	Name   string `json:"name"`
	Flags  any    `json:"flags"`
}

type chainSpec struct {
	named
	Type   string   `json:"type"`
	Hook   string   `json:"hook"`
	Prio   *float64 `json:"prio"`
	Policy string   `json:"policy"`
}

type setSpec struct {
	named
	Elem []any `json:"elem"`
}

type ruleSpec struct {
	named
	Chain   string           `json:"chain"`
	Comment string           `json:"comment"`
	Expr    []map[string]any `json:"expr"`
}

// A set is a named set's or map's elements; a map's are pairs.
type set []any

// errXT is a rule of iptables in its nft variant. nft prints the names of iptables' extensions and
// not what they compare.
var errXT = errors.New("it was written by iptables, and nft does not print what its extensions compare " +
	"(give what `iptables-save -c` prints, or that followed by nft's JSON)")

// parseJSON reads a listing. Rules come out in the words of iptables, so that one evaluator is
// enough. Tables that the text of iptables-save had already are passed over.
func (r *Ruleset) parseJSON(text []byte) error {
	var l listing
	if err := json.Unmarshal(text, &l); err != nil {
		return fmt.Errorf("JSON of nft: %w (%s)", err, hint)
	}
	if l.Objects == nil {
		return fmt.Errorf("JSON without a list %q (%s)", "nftables", hint)
	}
	tables, saved := map[[2]string]*table{}, len(r.tables) > 0
	of := func(family, name string) *table {
		key := [2]string{family, name}
		if tables[key] == nil {
			tables[key] = &table{family: family, name: name, chains: map[string]*chain{}, sets: map[string]set{},
				lists: map[string]*values{}}
			if _, legacy := priorities[name]; !saved || !legacy || family == "inet" {
				r.tables = append(r.tables, tables[key])
			}
		}
		return tables[key]
	}
	for _, o := range l.Objects { // a rule may name a set before it stands there
		switch {
		case o.Table != nil:
			if t := of(o.Table.Family, o.Table.Name); slices.Contains(texts(o.Table.Flags), "dormant") {
				t.family = "dormant" // it hangs on no hook
			}
		case o.Set != nil:
			of(o.Set.Family, o.Set.Table).sets[o.Set.Name] = o.Set.Elem
		case o.Map != nil:
			of(o.Map.Family, o.Map.Table).sets[o.Map.Name] = o.Map.Elem
		case o.Chain != nil:
			of(o.Chain.Family, o.Chain.Table).chain(o.Chain.Name).read(o.Chain)
		}
	}
	for _, o := range l.Objects {
		if o.Rule == nil {
			continue
		}
		t := of(o.Rule.Family, o.Rule.Table)
		if !slices.Contains(r.tables, t) {
			continue
		}
		rules, err := t.rules(o.Rule)
		if err != nil {
			return fmt.Errorf("rule in chain %.60q of table %s %.60q: %w", o.Rule.Chain, o.Rule.Family,
				o.Rule.Table, err)
		}
		c := t.chain(o.Rule.Chain)
		c.rules = append(c.rules, rules...)
	}
	return nil
}

// read takes over what makes a base chain of a chain.
func (c *chain) read(spec *chainSpec) {
	c.nat, c.drops = spec.Type == "nat", spec.Policy == "drop"
	if slices.Contains([]string{"prerouting", "input", "output"}, spec.Hook) {
		c.hook = spec.Hook
	}
	if spec.Prio != nil {
		c.priority = int(*spec.Prio)
	}
}

// rules reads one rule. A verdict map, or a map in a target, becomes a rule for each of
// its elements: they are apart from each other, and a packet that none of them names
// goes on to the next rule.
func (t *table) rules(spec *ruleSpec) ([]rule, error) {
	b := builder{table: t}
	for _, e := range spec.Expr {
		for kind, body := range e {
			if err := b.expression(kind, body); err != nil {
				return nil, err
			}
		}
		if b.variants != nil {
			break // nothing can stand behind a verdict
		}
	}
	if spec.Comment != "" {
		b.say("comment %q", spec.Comment)
	}
	b.rule.text = b.text()
	if b.variants == nil {
		return []rule{b.rule}, nil
	}
	all := make([]rule, 0, len(b.variants))
	for _, v := range b.variants {
		r := b.rule
		r.tests = append(slices.Clone(r.tests), v.tests...)
		r.target, r.away, r.port, r.to = v.target, v.away, v.port, v.to
		all = append(all, r)
	}
	return all, nil
}
