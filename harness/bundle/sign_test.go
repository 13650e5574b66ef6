package bundle

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"aead.dev/minisign"
)

// TestSignature signs a bundle, and forges, cuts and exchanges what was signed.
func TestSignature(t *testing.T) {
	keys := t.TempDir()
	key := func(name string) (public, private string) {
		pub, priv, err := GenerateKey()
		if err != nil {
			t.Fatal(err)
		}
		public, private = filepath.Join(keys, name+".pub"), filepath.Join(keys, name+".key")
		for file, text := range map[string][]byte{public: pub, private: priv} {
			if err := os.WriteFile(file, text, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		return public, private
	}
	ours, private := key("ours")
	theirs, theirPrivate := key("theirs")
	signer := func(file string) *Signer {
		s, err := NewSigner(t.Context(), file, "")
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	damage := func(name string, change func([]byte) []byte) func(*testing.T, string) {
		return func(t *testing.T, dir string) {
			file := filepath.Join(dir, name)
			text, err := os.ReadFile(file)
			if err == nil {
				err = os.WriteFile(file, change(text), 0o600)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	swap := func(from, to string) func([]byte) []byte {
		return func(text []byte) []byte { return bytes.Replace(text, []byte(from), []byte(to), 1) }
	}
	made := map[*Signer]string{}
	signedBy := func(s *Signer) string {
		if made[s] == "" {
			made[s] = filepath.Join(keys, fmt.Sprint("b", len(made)))
			contents := contents(t)
			contents.Signer = s
			if _, err := Write(made[s], contents); err != nil {
				t.Fatal(err)
			}
		}
		return made[s]
	}
	own, other := signer(private), signer(theirPrivate)
	for name, c := range map[string]struct {
		signer *Signer
		key    string
		damage func(*testing.T, string)
		want   string // in the error; empty: it is accepted
	}{
		"as it was signed": {own, ours, nil, ""},
		"not signed":       {nil, ours, nil, "has none"},
		"another key":      {other, ours, nil, "of the key"},
		"the signature is gone": {own, ours, func(t *testing.T, dir string) {
			os.Remove(filepath.Join(dir, signatureFile))
		}, "has none"},
		"the signature is cut": {own, ours, damage(signatureFile, func(text []byte) []byte {
			return text[:len(text)/2]
		}), signatureFile},
		"the signature is empty": {own, ours, damage(signatureFile, func([]byte) []byte {
			return nil
		}), signatureFile},
		"the comment is another": {own, ours, damage(signatureFile, swap("flowproof bundle", "flowproof bindle")),
			"not what was signed"},
		"the manifest is another": {own, ours, damage(manifestFile, swap("{", "{ ")), "not what was signed"},
		"a part is another": {own, ours, damage(curlFile, func(text []byte) []byte {
			return append(text, '\n')
		}), curlFile},
		"a part, with its checksum": {own, ours, resealed, "not what was signed"},
		"signed again by a stranger": {own, ours, func(t *testing.T, dir string) {
			resealed(t, dir)
			signAgain(t, dir, other)
		}, "of the key"},
		"a key that is none":       {own, filepath.Join("testdata", "none.pub"), nil, "read public key"},
		"a private key as the key": {own, private, nil, "read public key"},
		"their bundle, their key":  {other, theirs, nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "b")
			if err := os.CopyFS(dir, os.DirFS(signedBy(c.signer))); err != nil {
				t.Fatal(err)
			}
			if c.damage != nil {
				c.damage(t, dir)
			}
			read, err := Read(t.Context(), dir)
			if err == nil {
				err = read.Signed(t.Context(), c.key)
			}
			if said := ""; err != nil {
				if said = err.Error(); c.want == "" || !strings.Contains(said, c.want) {
					t.Errorf("error %q, want %q", said, c.want)
				}
			} else if c.want != "" {
				t.Errorf("accepted, want %q", c.want)
			}
		})
	}
}

// resealed changes a part, and gives it the checksum that fits, as everybody can who knows SHA-256.
func resealed(t *testing.T, dir string) {
	t.Helper()
	file := filepath.Join(dir, curlFile)
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	text = append(text, '\n')
	m, _, err := readManifest(dir)
	if err != nil {
		t.Fatal(err)
	}
	m.Files[curlFile] = checksum(text)
	described, err := json.Marshal(m)
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string][]byte{file: text, filepath.Join(dir, manifestFile): described} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func signAgain(t *testing.T, dir string, s *Signer) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, manifestFile))
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, signatureFile), s.sign(text), 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// TestSigningKeys reads keys with and without a password, and what is none.
func TestSigningKeys(t *testing.T) {
	_, private, err := GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	s := &Signer{}
	if err := s.key.UnmarshalText(private); err != nil {
		t.Fatal(err)
	}
	locked, err := minisign.EncryptKey("correct horse", s.key)
	if err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		text           []byte
		password, want string
	}{
		"no password":       {private, "", ""},
		"a password":        {locked, "correct horse", ""},
		"no password given": {locked, "", "FLOWPROOF_SIGN_PASSWORD"},
		"another password":  {locked, "wrong", "read signing key"},
		"no key":            {[]byte("-----BEGIN PRIVATE KEY-----\n"), "", "read signing key"},
		"empty":             {nil, "", "read signing key"},
	} {
		t.Run(name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(file, c.text, 0o600); err != nil {
				t.Fatal(err)
			}
			_, err := NewSigner(t.Context(), file, c.password)
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}
