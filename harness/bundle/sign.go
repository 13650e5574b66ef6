package bundle

import (
	"context"
	"crypto/rand"
	"fmt"
	"time"

	"aead.dev/minisign"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/input"
)

// signatureFile is the signature of bundle.json, which has the checksum of every other file, in
// minisign's format: https://jedisct1.github.io/minisign/
const signatureFile = manifestFile + ".minisig"

// maxKey bounds a key's file, and that of a signature.
const maxKey = 64 << 10

// A Signer signs bundles.
type Signer struct{ key minisign.PrivateKey }

// NewSigner reads a private key of minisign's from a file. One with a password is opened by it.
func NewSigner(ctx context.Context, file, password string) (*Signer, error) {
	text, err := input.ReadFile(ctx, file, maxKey)
	if err != nil {
		return nil, fault.Usagef("read signing key: %w", err)
	}
	s := &Signer{}
	switch {
	case !minisign.IsEncrypted(text):
		err = s.key.UnmarshalText(text)
	case password == "":
		return nil, fault.Usagef("read signing key %s: it has a password (set FLOWPROOF_SIGN_PASSWORD)", file)
	default:
		s.key, err = minisign.DecryptKey(password, text)
	}
	if err != nil {
		return nil, fault.Usagef("read signing key %s: %w (minisign -G makes one)", file, err)
	}
	return s, nil
}

// GenerateKey makes a pair of keys: the private one without a password, as minisign -G -W does.
func GenerateKey() (public, private []byte, err error) {
	pub, priv, err := minisign.GenerateKey(rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if public, err = pub.MarshalText(); err != nil {
		return nil, nil, err
	}
	private, err = priv.MarshalText()
	return public, private, err
}

// sign is the signature of a manifest. Its trusted comment says what was signed, and when.
func (s *Signer) sign(manifest []byte) []byte {
	return minisign.SignWithComments(s.key, manifest,
		fmt.Sprintf("flowproof bundle, %s", time.Now().UTC().Format(time.RFC3339)), "signature of "+manifestFile)
}

// Signed returns an error unless contents that were read have the signature of a public key, which
// stands in a file of minisign's, and every file is as it was signed.
func (c Contents) Signed(ctx context.Context, keyFile string) error {
	refused := func(format string, args ...any) error {
		return fault.Usagef("check signature: %w", fmt.Errorf(format, args...))
	}
	text, err := input.ReadFile(ctx, keyFile, maxKey)
	if err != nil {
		return refused("read public key: %w", err)
	}
	var key minisign.PublicKey
	if err := key.UnmarshalText(text); err != nil {
		return refused("read public key %s: %w", keyFile, err)
	}
	if c.signature == nil {
		return refused("the bundle has none (--sign KEY makes one)")
	}
	var read minisign.Signature
	if err := read.UnmarshalText(c.signature); err != nil {
		return refused("%s: %w", signatureFile, err)
	}
	if read.KeyID != key.ID() {
		return refused("it is of the key %X, and %s is the key %X", read.KeyID, keyFile, key.ID())
	}
	if !minisign.Verify(key, c.manifest, c.signature) {
		return refused("%s is not what was signed", manifestFile)
	}
	if len(c.Changed) > 0 {
		return refused("%s", c.Changed[0])
	}
	return nil
}
