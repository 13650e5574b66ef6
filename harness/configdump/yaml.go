package configdump

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strconv"

	"go.yaml.in/yaml/v3"
)

// jsonFromYAML turns a dump in YAML, as yq writes it, into JSON with the same structure and order
// of fields, so that JSON pointers into the one are pointers into the other. Aliases are refused:
// no tool writes them into a dump, and they can make a small file huge.
func jsonFromYAML(text []byte) ([]byte, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("neither JSON nor YAML: %w", err)
	}
	if document.Kind != yaml.DocumentNode || len(document.Content) != 1 ||
		document.Content[0].Kind != yaml.MappingNode {
		return nil, fmt.Errorf("neither a JSON object nor a YAML mapping")
	}
	var out bytes.Buffer
	out.Grow(len(text) * 2)
	if err := writeJSON(&out, document.Content[0], 0); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func writeJSON(out *bytes.Buffer, n *yaml.Node, depth int) error {
	if depth > maxDepth {
		return fmt.Errorf("line %d: YAML nests deeper than %d", n.Line, maxDepth)
	}
	switch n.Kind {
	case yaml.MappingNode:
		out.WriteByte('{')
		for i := 0; i+1 < len(n.Content); i += 2 {
			if i > 0 {
				out.WriteByte(',')
			}
			writeString(out, n.Content[i].Value)
			out.WriteByte(':')
			if err := writeJSON(out, n.Content[i+1], depth+1); err != nil {
				return err
			}
		}
		out.WriteByte('}')
	case yaml.SequenceNode:
		out.WriteByte('[')
		for i, e := range n.Content {
			if i > 0 {
				out.WriteByte(',')
			}
			if err := writeJSON(out, e, depth+1); err != nil {
				return err
			}
		}
		out.WriteByte(']')
	case yaml.ScalarNode:
		writeScalar(out, n)
	default:
		return fmt.Errorf("line %d: YAML aliases are not part of a config dump", n.Line)
	}
	return nil
}

// writeScalar writes a scalar by its resolved tag; what JSON has no word for (a timestamp,
// .inf) becomes a string.
func writeScalar(out *bytes.Buffer, n *yaml.Node) {
	switch n.ShortTag() {
	case "!!null":
		out.WriteString("null")
		return
	case "!!bool":
		if b, err := strconv.ParseBool(n.Value); err == nil {
			out.WriteString(strconv.FormatBool(b))
			return
		}
	case "!!int":
		if i, err := strconv.ParseInt(n.Value, 0, 64); err == nil {
			out.WriteString(strconv.FormatInt(i, 10))
			return
		}
	case "!!float":
		if json.Valid([]byte(n.Value)) {
			out.WriteString(n.Value)
			return
		}
	}
	writeString(out, n.Value)
}

func writeString(out *bytes.Buffer, s string) {
	quoted, err := json.Marshal(s)
	if err != nil {
		quoted = []byte(`""`) // unreachable: a string always encodes
	}
	out.Write(quoted)
}
