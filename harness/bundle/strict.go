package bundle

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/flowproof/lab/internal/redact"
)

// strict reads a JSON document of which each part means one thing: one value, no member twice in an
// object, and none that is not known. A reader that takes the first of two members, and one that
// takes the last, would read two documents.
func strict(text []byte, into any) error {
	if err := once(text); err != nil {
		return redact.Place(text, err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(into); err != nil {
		return redact.Place(text, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("more than one JSON document")
	}
	return nil
}

// once refuses an object in which a name stands twice.
func once(text []byte) error {
	decoder := json.NewDecoder(bytes.NewReader(text))
	var names []map[string]bool // of the objects that are open; nil for an array
	isName := false             // the next string is a member's name
	for {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch t := token.(type) {
		case json.Delim:
			switch t {
			case '{':
				names = append(names, map[string]bool{})
			case '[':
				names = append(names, nil)
			default:
				names = names[:len(names)-1]
			}
		case string:
			if isName {
				in := names[len(names)-1]
				folded := strings.ToLower(t) // encoding/json takes either case of a field's name
				if in[folded] {
					return fmt.Errorf("line %d: %q stands twice in one object",
						1+bytes.Count(text[:decoder.InputOffset()], []byte("\n")), t)
				}
				in[folded] = true
				isName = false
				continue
			}
		}
		isName = len(names) > 0 && names[len(names)-1] != nil
	}
}
