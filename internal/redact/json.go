package redact

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
)

// JSON returns a JSON document as it may be kept: Envoy's sensitive fields, the data of Secrets,
// values of environments, and the values of headers and query parameters that are not shown are
// marked wherever they stand. Objects come out with their keys sorted, and nothing but strings
// changes. The error names the line of what is not JSON.
func JSON(document []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return nil, Place(document, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("line %d: more than one JSON document", line(document, decoder.InputOffset()))
	}
	return written(place{}.walk(value))
}

// written is a value as JSON, indented.
func written(value any) ([]byte, error) {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return out.Bytes(), nil
}

// Part is JSON for one value of a document, which tokens lead to: keys, and numbers of elements.
// What stands above the value may say that it is a secret, as the type of a message does. ok is
// false where the tokens lead to nothing.
func Part(document []byte, tokens ...string) (part []byte, ok bool) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return nil, false
	}
	value = place{}.walk(value)
	for _, token := range tokens {
		switch v := value.(type) {
		case map[string]any:
			value, ok = v[token]
		case []any:
			n, err := strconv.Atoi(token)
			if ok = err == nil && n >= 0 && n < len(v); ok {
				value = v[n]
			}
		default:
			ok = false
		}
		if !ok {
			return nil, false
		}
	}
	part, err := written(value)
	return part, err == nil
}

// Place adds the line to an error of encoding/json about a document.
func Place(document []byte, err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("line %d: %w", line(document, syntax.Offset), err)
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("line %d: %s is a %s where a %s belongs",
			line(document, kind.Offset), kind.Field, kind.Value, kind.Type)
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return fmt.Errorf("line %d: the document is cut off", line(document, int64(len(document))))
	}
	return err
}

func line(document []byte, offset int64) int {
	offset = min(max(offset, 0), int64(len(document)))
	return 1 + bytes.Count(document[:offset], []byte("\n"))
}

// A place is where a value stands in a document, as far as it says whether the value is a secret.
type place struct {
	hide    bool                // below a field that holds a secret
	message string              // last part of the nearest @type
	key     string              // of the nearest object, as Envoy writes it: lower case, words apart by _
	above   string              // the key above it
	change  func(string) string // what Strings does instead, and a Memo afterwards
	memo    *memory             // strings that a Memo has judged
	header  string              // name of the header or parameter that the object is about
	keys    string              // name of the one whose values are the keys of the map here
}

// walk returns a value without its secrets.
func (p place) walk(value any) any {
	switch v := value.(type) {
	case map[string]any:
		return p.object(v)
	case []any:
		for i := range v {
			v[i] = p.walk(v[i])
		}
		return v
	case string:
		return p.text(v)
	case json.Number:
		if p.hide && !small.MatchString(v.String()) {
			return Mark(v.String())
		}
	}
	return value
}

func (p place) object(v map[string]any) any {
	if kind, ok := v["@type"].(string); ok {
		p.message = kind[strings.LastIndexByte(kind, '.')+1:]
	}
	if kind, ok := stringOf(v, "type_url", "typeUrl"); ok && p.message == "TypedStruct" {
		p.message = kind[strings.LastIndexByte(kind, '.')+1:]
	}
	of, _ := stringOf(v, "tag", "object_key", "objectKey", "descriptor_key", "descriptorKey")
	about := SecretName(of)
	name, _ := stringOf(v, "name", "key", "header_name", "headerName")
	secret := v["kind"] == "Secret"
	_, jwk := v["kty"]
	matcher := matched[p.key] && !p.holds(v)
	input := inputOf(v)
	if p.key == "map" && p.keys != "" {
		v = keyed(v, p.keys)
	}
	for key, child := range v {
		below := place{hide: p.hide, message: p.message, key: snake(key), above: p.key, header: p.header}
		switch {
		case references[below.key] || below.key == "key" && (p.holds(v) || !p.hide):
			below.hide = false
		case sensitive[below.key], sensitiveIn[p.message][below.key], secret && (key == "data" || key == "stringData"),
			jwk && jwkSecrets[key]:
			below.hide = true
		case about && held[below.key], below.key == "text" && (p.key == "send" || p.key == "receive"):
			below.hide = true
		case jwk:
			continue // a public key
		case name != "" && p.key == "request_header" && below.key == "default_value":
			below.header = name
		case name != "" && (matcher || matchers[below.key]):
			below.header = name
		case below.key == "map":
			below.keys = p.keys
		case input != "" && strings.HasSuffix(below.key, "_match_map"):
			below.keys = input
		case input != "" && below.key != "input" && p.key != "matcher_tree": // whose other members are actions
			below.header = input
		}
		if name != "" && below.key == "value" && !p.hide {
			v[key] = p.pair(name, below, child)
			continue
		}
		v[key] = below.walk(child)
	}
	return v
}

// inputOf is the name of the header or parameter whose value an object of the matcher API compares;
// "" where it compares none. (xds.type.matcher.v3.Matcher; type.matcher.v3.HttpInputs)
func inputOf(v map[string]any) string {
	input, _ := v["input"].(map[string]any)
	config, _ := cmp.Or(input["typed_config"], input["typedConfig"]).(map[string]any)
	name, _ := stringOf(config, "header_name", "headerName", "query_param", "queryParam")
	return name
}

// keyed is a map whose keys are values of a header or a parameter.
func keyed(v map[string]any, of string) map[string]any {
	all := map[string]any{}
	for key, child := range v {
		all[comparedWith(of, key)] = child
	}
	return all
}

// holds says that an object is a pair of a key and a value, whose key is only a name.
func (p place) holds(v map[string]any) bool {
	_, ok := v["value"]
	return ok
}

func stringOf(v map[string]any, keys ...string) (string, bool) {
	for _, key := range keys {
		if text, ok := v[key].(string); ok && text != "" {
			return text, true
		}
	}
	return "", false
}

// pair is the value of an object with a name and a value: a header, a variable of an
// environment, or another one.
func (p place) pair(name string, below place, child any) any {
	text, ok := child.(string)
	if !ok {
		return below.walk(child)
	}
	switch {
	case p.key == "env" || strings.HasSuffix(p.key, "environment"):
		return variable(text)
	case strings.Contains(p.key, "header") || strings.Contains(p.above, "header") ||
		strings.Contains(p.key, "metadata"):
		return operators(text, func() string { return Header(name, text) })
	case SecretName(name):
		return Mark(text)
	}
	return below.text(text)
}

// operators leaves a value that is made of Envoy's command operators alone, such as %REQ(:PATH)%:
// it says where a value comes from.
func operators(text string, otherwise func() string) string {
	if len(text) > 2 && strings.HasPrefix(text, "%") && strings.HasSuffix(text, "%") &&
		!strings.ContainsAny(text, " \t") {
		return text
	}
	return otherwise()
}

// variable is the value of a variable of an environment.
func variable(text string) string {
	if small.MatchString(text) || text == "" {
		return text
	}
	return Mark(text)
}

// text is a string as it may be kept where it stands.
func (p place) text(text string) string {
	switch {
	case text == "" || text == Masked || text == maskedBytes || p.key == "@type":
		return text
	case p.hide:
		return Mark(text)
	case strings.HasPrefix(text, "/") && (p.key == "path" || strings.Contains(text, "?")):
		return path(text)
	case p.key == "url":
		return URL(text)
	case p.header != "":
		return comparedWith(p.header, text)
	case strings.HasSuffix(p.above, "headers") && p.key != "headers" && p.key != "name":
		return Header(strings.ReplaceAll(p.key, "_", "-"), text)
	case p.above == "proxy_metadata", p.above == "env", p.above == "key_values",
		p.key == "default_value" && p.above == "environment":
		return variable(text)
	case p.key == "host_redirect", p.key == "authority":
		return Name(host(text))
	case names[p.key]:
		return Name(text)
	case SecretName(p.key) && !reference(text) && !(small.MatchString(text) && !isPIN(p.key)):
		return Mark(text)
	}
	return embedded(text)
}

// names are fields that hold names of a configuration.
var names = set(`name cluster route listener cluster_name route_config_name service_name stat_prefix
alt_stat_name sni virtual_host virtual_hosts filter_chain_name resource_name principal server_names domains
authority proxy from namespace pod host_rewrite_literal`)

// held are the fields that hold the value of what a tag, a key of the filter state or a descriptor
// is called.
var held = set(`literal environment request_header descriptor_value format_string value`)

// comparedWith is what the value of a header or a query parameter is compared with.
func comparedWith(name, text string) string {
	if ShownHeader(name) || ShownParameter(name) {
		return inline(text)
	}
	if small.MatchString(text) && !SecretName(name) {
		return text
	}
	return Mark(text)
}

// embedded is a string that may be a document, a manifest, a log or a URL itself.
func embedded(text string) string {
	if trimmed := strings.TrimSpace(text); len(trimmed) > 8 && (trimmed[0] == '{' || trimmed[0] == '[') {
		if inner, err := JSON([]byte(trimmed)); err == nil {
			var was, is bytes.Buffer
			if json.Compact(&is, inner) == nil && json.Compact(&was, sorted(trimmed)) == nil &&
				!bytes.Equal(was.Bytes(), is.Bytes()) {
				return is.String()
			}
			return text
		}
	}
	return Text(text)
}

// sorted is a document with its keys sorted, as JSON makes it.
func sorted(document string) []byte {
	decoder := json.NewDecoder(strings.NewReader(document))
	decoder.UseNumber()
	var value any
	if decoder.Decode(&value) != nil {
		return nil
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(value)
	return out.Bytes()
}

// snake writes a field's name as Envoy's proto files do: AWSAccessKeyId and AWS_ACCESS_KEY_ID are
// aws_access_key_id.
func snake(name string) string {
	if strings.ToLower(name) == name {
		return strings.ReplaceAll(name, "-", "_")
	}
	var b strings.Builder
	runes := []rune(name)
	for i, r := range runes {
		if unicode.IsUpper(r) && i > 0 && runes[i-1] != '_' && runes[i-1] != '-' &&
			(!unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1])) {
			b.WriteByte('_')
		}
		b.WriteRune(unicode.ToLower(r))
	}
	return strings.ReplaceAll(b.String(), "-", "_")
}
