package page

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/glossary"
)

// A card is all that is known of one hop.
type card struct {
	ID, Previous, Next string
	Box                string // id of the hop's box in the drawing
	Name, Sign, State  string
	Verdict            string
	Hop                flow.Hop
	Reason             string // of the verdict
	Excerpt            string
	Maker              string
	Marks              []mark
	Evidence           []evidence
	Open               string
	Choices            []string
	Conditions         []string
	About, AboutLink   string // what such a hop is, and where more is said of it
}

// evidence is one piece of evidence as a card shows it.
type evidence struct {
	flow.Evidence
	Sign, Raw string
}

// signs of the states of a hop.
var signs = map[string]string{string(flow.Confirmed): "✓", string(flow.Learned): "?", string(flow.Refuted): "✗",
	"unseen": "·", "open": "?", "inferred": "→"}

// boxOf are the ids by which cards lead back to the drawing: the first box of each hop.
func boxOf(lanes []*lane) map[string]string {
	boxes := map[string]string{}
	for _, l := range lanes {
		for _, x := range l.boxes {
			if x.state != "lost" && boxes[x.card] == "" {
				boxes[x.card] = x.id
			}
		}
	}
	return boxes
}

func (p *Page) cards() []card {
	boxes := boxOf(p.lanes())
	var cards []card
	for i, h := range p.Path.Hops {
		c := card{ID: cardID(i), Hop: h, Name: strings.TrimSpace(string(h.Side) + " " + string(h.Kind)),
			State:   p.state(i),
			Excerpt: p.excerpt(h.Proxy, h.Source), Maker: p.maker(h), Open: openText(h), Box: boxes[cardID(i)]}
		c.Sign = signs[c.State]
		if entry, ok := glossary.Of(glossary.Hop, string(h.Kind), glossary.English); ok {
			c.About = entry.Is
		}
		if p.Term != nil {
			c.AboutLink = p.Term(h.Kind)
		}
		if i > 0 {
			c.Previous = cardID(i - 1)
		}
		if i+1 < len(p.Path.Hops) {
			c.Next = cardID(i + 1)
		}
		for _, choice := range h.Choices {
			c.Choices = append(c.Choices, fmt.Sprintf("%.1f %% %s", choice.Share*100, choice.Name))
		}
		for _, condition := range h.Conditions {
			c.Conditions = append(c.Conditions, conditionText(condition))
		}
		if v := p.verdict(i); v != nil {
			c.Verdict, c.Reason = string(v.State), v.Reason
			c.Marks, c.Evidence = p.marks(h, v), p.evidence(v)
		}
		cards = append(cards, c)
	}
	return cards
}

func conditionText(c flow.Condition) string {
	text := "no: " + c.Text
	if c.Holds {
		text = "yes: " + c.Text
	}
	if c.Value != "" {
		text += " (it is " + c.Value + ")"
	}
	return text
}

// evidence is what a verdict rests on, each piece with the line that it was read from.
func (p *Page) evidence(v *flow.HopVerdict) []evidence {
	var all []evidence
	for _, e := range v.Evidence {
		piece := evidence{Evidence: e, Sign: "✓"}
		if !e.Agrees {
			piece.Sign = "✗"
		}
		if p.Run != nil && e.Observation >= 0 && e.Observation < len(p.Run.Observations) {
			piece.Raw = cut(p.Run.Observations[e.Observation].Raw, 1500)
		}
		all = append(all, piece)
	}
	return all
}

func cut(text string, n int) string {
	if r := []rune(text); len(r) > n {
		return string(r[:n]) + " …"
	}
	return text
}

// maker names the Istio object that the hop's field was made of, where the dump says so; else
// whose default it is.
func (p *Page) maker(h flow.Hop) string {
	if d := p.Dumps[h.Proxy]; d != nil && h.Object == "" {
		return d.Place(h.Source).Origin // of a run of before hops named it
	}
	return h.Object
}

// SignOf is the sign of a state, for the template.
func (*view) SignOf(state string) string {
	if s := signs[state]; s != "" {
		return s
	}
	return signs["unseen"]
}
