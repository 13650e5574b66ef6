package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"go.yaml.in/yaml/v4"

	"github.com/flowproof/lab/internal/lazyregexp"
)

// prettyYAML is JSON as YAML, as `yq eval -P` writes it: the fields in their order, in block style,
// and quotes only where a string would be read as something else without them.
func prettyYAML(text []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber()
	document, err := yamlNode(decoder)
	if err == nil && decoder.More() {
		err = fmt.Errorf("there is more than one document")
	}
	if err != nil {
		return nil, fmt.Errorf("write as YAML: %w", err)
	}
	var out bytes.Buffer
	dumper, err := yaml.NewDumper(&out, yaml.WithV3Defaults(), yaml.WithIndent(2), yaml.WithLineWidth(-1))
	if err == nil {
		err = errors.Join(dumper.Dump(document), dumper.Close())
	}
	if err != nil {
		return nil, fmt.Errorf("write as YAML: %w", err)
	}
	return out.Bytes(), nil
}

// yamlNode reads the next value of a JSON text. Fields keep their order.
func yamlNode(decoder *json.Decoder) (*yaml.Node, error) {
	token, err := decoder.Token()
	if err != nil {
		return nil, err
	}
	switch value := token.(type) {
	case json.Delim:
		node := &yaml.Node{Kind: yaml.SequenceNode, Tag: "!!seq"}
		if value == '{' {
			node = &yaml.Node{Kind: yaml.MappingNode, Tag: "!!map"}
		}
		for decoder.More() {
			child, err := yamlNode(decoder)
			if err != nil {
				return nil, err
			}
			node.Content = append(node.Content, child)
		}
		_, err := decoder.Token()
		return node, err
	case string:
		return yamlString(value), nil
	case json.Number:
		return &yaml.Node{Kind: yaml.ScalarNode, Value: value.String()}, nil
	case bool:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!bool", Value: fmt.Sprint(value)}, nil
	case nil:
		return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!null", Value: "null"}, nil
	}
	return nil, io.ErrUnexpectedEOF // there is no other token
}

// ambiguous are words that YAML 1.1 takes for booleans: yq leaves their quotes, and
// those of the merge key.
var ambiguous = lazyregexp.New(`(?i)^(y|yes|n|no|on|off)$`)

func yamlString(text string) *yaml.Node {
	node := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: text}
	if ambiguous.MatchString(text) || text == "<<" {
		node.Style = yaml.DoubleQuotedStyle
	}
	return node
}
