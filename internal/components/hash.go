package components

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"hash"
	"io"
	"os"
	"path/filepath"
	"slices"
)

// recipe changes when the way components are made changes in a manner that no other input shows.
const recipe = "1"

// A key names a cache entry: what it is, and the hash of everything that it is made from.
type key struct {
	name   string
	hash   string
	inputs []string // one line each, kept in the entry's manifest for a person who asks why it was rebuilt
}

// String is the entry's directory name.
func (k key) String() string { return k.name + "-" + k.hash }

// A keyer collects the inputs of one key. Values are length-prefixed, so that no two
// lists of inputs collide.
type keyer struct {
	name   string
	sum    hash.Hash
	inputs []string
	err    error
}

func newKey(name string) *keyer {
	k := &keyer{name: name, sum: sha256.New()}
	k.add("recipe", recipe)
	return k
}

// add takes one input in.
func (k *keyer) add(label, value string) *keyer {
	fmt.Fprintf(k.sum, "%d:%s=%d:%s;", len(label), label, len(value), value)
	k.inputs = append(k.inputs, label+" "+value)
	return k
}

// bytes takes in a value that is too long to be shown to people.
func (k *keyer) bytes(label string, value []byte) *keyer {
	sum := sha256.Sum256(value)
	return k.add(label, "sha256:"+hex.EncodeToString(sum[:]))
}

// file takes a file's content in, under a label that does not say where the file lies.
func (k *keyer) file(label, path string) *keyer {
	sum, err := sumFile(path)
	if err != nil && k.err == nil {
		k.err = fmt.Errorf("hash input: %w", err)
	}
	return k.add(label, "sha256:"+sum)
}

// sources takes in every file that lies directly in dir.
func (k *keyer) sources(label, dir string) *keyer {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil && k.err == nil {
		k.err = fmt.Errorf("hash input: %w", err)
	}
	slices.Sort(files)
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && info.Mode().IsRegular() {
			k.file(label+"/"+filepath.Base(f), f)
		}
	}
	return k
}

// key ends the collection.
func (k *keyer) key() (key, error) {
	return key{name: k.name, hash: hex.EncodeToString(k.sum.Sum(nil))[:16], inputs: k.inputs}, k.err
}

// sumFile is the SHA-256 of a file's content in hexadecimal.
func sumFile(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}
