package configdump

import (
	"encoding/json"
	"strconv"
	"strings"

	"github.com/flowproof/lab/internal/lazyregexp"
)

// A Place is where a field stands in a dump, said for people.
type Place struct {
	// Selector names the field as Select reads it, or is "": the field is in no resource, or
	// another resource of the same name comes before its own.
	Selector string
	// Origin is the object that Istio made the field of: "VirtualService mark/reviews". "": the
	// dump does not say.
	Origin string
}

// Place says where the field of a JSON pointer stands.
func (d *Dump) Place(pointer string) Place {
	tokens := strings.Split(strings.TrimPrefix(pointer, "/"), "/")
	for i, token := range tokens {
		tokens[i] = pointerUnescape.Replace(token)
	}
	at, selector, rest := d.resourceAt(tokens)
	if !at.Exists() {
		return Place{}
	}
	b := []byte(selector)
	whole := d.messageOf(at)
	origin := originOf(whole.Get("metadata"))
	for i, token := range rest {
		var name []byte
		if i == 0 && at.IsObject() && plainField.MatchString(token) {
			at, name = whole.Get(token), []byte("."+token)
		} else {
			at, name = at.below(token)
		}
		if !at.Exists() {
			return Place{}
		}
		b = append(b, name...)
		if made := originOf(at.Get("metadata")); made != "" {
			origin = made
		}
		if of := policyName.FindStringSubmatch(token); of != nil {
			origin = "AuthorizationPolicy " + of[1] + "/" + of[2]
		}
	}
	if selector == "" {
		b = nil
	}
	return Place{Selector: string(b), Origin: origin}
}

var pointerUnescape = strings.NewReplacer("~1", "/", "~0", "~")

// resourceAt returns the resource that the first tokens of a pointer lead to, the beginning of its
// selector, and the tokens that are left.
func (d *Dump) resourceAt(tokens []string) (at Value, selector string, rest []string) {
	const place = 4 // configs, section, array, element
	if len(tokens) > 2 && tokens[2] == "bootstrap" {
		return d.bootstrap, "bootstrap", tokens[3:]
	}
	if len(tokens) <= place || tokens[0] != "configs" {
		return Value{}, "", nil
	}
	shape, ok := arrays[FieldName(tokens[2])]
	if !ok {
		return Value{}, "", nil
	}
	element, err := strconv.Atoi(tokens[place-1])
	for _, r := range d.resources[shape.kind] {
		if err == nil && r.value.at.element() != element { // most are told apart by this alone
			continue
		}
		depth, ok := r.value.at.under(tokens)
		if !ok {
			continue
		}
		for section, kind := range selectable {
			if kind == shape.kind && d.byName[kind][r.Name] == r {
				selector = section + bracket(r.Name)
			}
		}
		return r.value, selector, tokens[depth:]
	}
	return Value{}, "", nil
}

// element is the last index on the way to a place, or -1.
func (s *step) element() int {
	for ; s != nil; s = s.parent {
		if s.index >= 0 {
			return s.index
		}
	}
	return -1
}

// under reports whether a place is on the way of a pointer, and how many tokens lead to it.
func (s *step) under(tokens []string) (depth int, ok bool) {
	if s == nil {
		return 0, true
	}
	before, ok := s.parent.under(tokens)
	if !ok || before >= len(tokens) {
		return 0, false
	}
	token := tokens[before]
	if s.index >= 0 {
		ok = token == strconv.Itoa(s.index)
	} else {
		ok = token == s.key
	}
	return before + 1, ok
}

// below is the field or element that a token of a pointer names, and how a selector names it.
func (v Value) below(token string) (Value, []byte) {
	if !v.IsArray() {
		if plainField.MatchString(token) {
			return v.field(token), []byte("." + token)
		}
		return v.field(token), []byte(bracket(token))
	}
	index, err := strconv.Atoi(token)
	if err != nil {
		return Value{}, nil
	}
	all := v.dump.namesOf(v)
	if index < 0 || index >= len(all.elements) {
		return Value{}, []byte("[" + token + "]")
	}
	found := all.elements[index]
	if name := found.Get("name").Text(); name != "" && all.same[name] == 1 {
		return found, []byte(bracket(name))
	}
	return found, []byte("[" + token + "]")
}

// messageOf finds the fields of a resource once: it may have tens of megabytes.
func (d *Dump) messageOf(v Value) Message {
	if known, ok := d.messages.Load(v.start); ok {
		return known.(Message)
	}
	known, _ := d.messages.LoadOrStore(v.start, v.Message())
	return known.(Message)
}

// names are an array's elements, and how many have each name.
type names struct {
	elements []Value
	same     map[string]int
}

// namesOf reads the names of an array's elements once: it may have thousands, and many places
// below it are asked for.
func (d *Dump) namesOf(array Value) *names {
	if known, ok := d.names.Load(array.start); ok {
		return known.(*names)
	}
	n := &names{same: map[string]int{}}
	for _, e := range array.Elements() {
		n.elements = append(n.elements, e)
		if name := e.Get("name"); name.first() == '"' {
			n.same[name.Text()]++
		}
	}
	known, _ := d.names.LoadOrStore(array.start, n)
	return known.(*names)
}

var plainField = lazyregexp.New(`^\w+$`)

// bracket is a name as a selector has it.
func bracket(name string) string {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(name) // a string always encodes
	return "[" + strings.TrimSuffix(b.String(), "\n") + "]"
}

// originOf is the object that Istio says it made a message of: in the metadata of routes, clusters
// and filter chains stands the path of the object in the API, such as
// /apis/networking.istio.io/v1/namespaces/mark/virtual-service/reviews. Source:
// AddConfigInfoMetadata in pilot/pkg/networking/util/util.go of Istio.
func originOf(metadata Value) string {
	path := metadata.Get("filter_metadata").Key("istio").Key("config").Text()
	parts := strings.Split(path, "/")
	const namespaces, namespace, kind, name = 4, 5, 6, 7
	if len(parts) != name+1 || parts[namespaces] != "namespaces" {
		return ""
	}
	made := objectKind(parts[kind])
	object := parts[name]
	if of, ok := strings.CutSuffix(object, "istio-autogenerated-k8s-gateway"); ok {
		made = "Gateway API route"
		if parts[kind] != "virtual-service" {
			made = "Gateway API policy"
		}
		object = ofGateway.FindStringSubmatch(of)[1]
	}
	return made + " " + parts[namespace] + "/" + object
}

// ofGateway takes the name of an object of the Gateway API out of that of the one that istiod makes
// of it for itself: NAME~0~, or NAME-0- before Istio 1.27. Source:
// pilot/pkg/config/kube/gateway/route_collections.go of Istio.
var ofGateway = lazyregexp.New(`(?s)^([^~]*?)(?:~.*|-\d+-)?$`)

// policyName is how istiod names a rule of an AuthorizationPolicy in Envoy's RBAC filters. Source:
// pilot/pkg/security/authz/builder/builder.go of Istio.
var policyName = lazyregexp.New(`^ns\[([^\]]+)\]-policy\[([^\]]+)\]-rule\[\d+\]$`)

// objectKind is a kind of Istio's as manifests write it, from its form with dashes: virtual-service
// is VirtualService.
func objectKind(dashed string) string {
	var b strings.Builder
	for word := range strings.SplitSeq(dashed, "-") {
		if word != "" {
			b.WriteString(strings.ToUpper(word[:1]) + word[1:])
		}
	}
	return b.String()
}
