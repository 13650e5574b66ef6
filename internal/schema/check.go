package schema

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/google/jsonschema-go/jsonschema"
)

// Prefix is what every version of a result begins with.
const Prefix = "flowproof.dev/"

// File is where the schema of a version is kept, below docs/schema: flowproof.dev/decision/v2 is
// decision.v2.json.
func File(version string) string {
	return strings.ReplaceAll(strings.TrimPrefix(version, Prefix), "/", ".") + ".json"
}

// Check fails the test for each JSON value in text, of which there may be several, that is not as
// the schema says that its field "schema" names. root is the project's folder. It returns how many
// values there were.
func Check(t testing.TB, root string, text []byte) int {
	t.Helper()
	n := 0
	for d := json.NewDecoder(bytes.NewReader(text)); ; n++ {
		var raw json.RawMessage
		if err := d.Decode(&raw); err == io.EOF {
			return n
		} else if err != nil {
			t.Fatalf("read a result: %v in %.200s", err, text)
		}
		if err := Holds(root, raw); err != nil {
			t.Errorf("%v\n%.2000s", err, raw)
		}
	}
}

// Holds says whether one result is as its schema says.
func Holds(root string, text []byte) error {
	var value map[string]any
	if err := json.Unmarshal(text, &value); err != nil {
		return err
	}
	version, _ := value["schema"].(string)
	schema, err := resolved(root, version)
	if err != nil {
		return err
	}
	if err := schema.Validate(value); err != nil {
		return fmt.Errorf("%s: %w", version, err)
	}
	return nil
}

var kept sync.Map // of *jsonschema.Resolved by root and version

// resolved reads a schema, once.
func resolved(root, version string) (*jsonschema.Resolved, error) {
	if r, ok := kept.Load(root + version); ok {
		return r.(*jsonschema.Resolved), nil
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", "schema", File(version)))
	if err != nil {
		return nil, fmt.Errorf("find the schema of %q: %w (go test ./cmd/lab -run Schemas -update writes it)", version,
			err)
	}
	var schema jsonschema.Schema
	if err := json.Unmarshal(text, &schema); err != nil {
		return nil, fmt.Errorf("%s: %w", File(version), err)
	}
	r, err := schema.Resolve(nil)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", File(version), err)
	}
	kept.Store(root+version, r)
	return r, nil
}
