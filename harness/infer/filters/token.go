package filters

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"strconv"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/match"
)

// claims are what is read of a token.
type claims struct {
	Issuer    string
	Audience  []string
	Expires   float64
	NotBefore float64
	All       map[string]any
	Header    map[string]any
}

func claimsOf(token string) (claims, bool) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return claims{}, false
	}
	header, err := base64.RawURLEncoding.DecodeString(parts[0])
	text, err2 := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || err2 != nil {
		return claims{}, false
	}
	c := claims{All: structOf(text), Header: structOf(header)}
	if c.All == nil || c.Header == nil {
		return claims{}, false
	}
	c.Issuer, _ = c.All["iss"].(string)
	c.Expires, _ = c.All["exp"].(float64)
	c.NotBefore, _ = c.All["nbf"].(float64)
	switch a := c.All["aud"].(type) {
	case string:
		c.Audience = []string{a}
	case []any:
		for _, one := range a {
			if s, ok := one.(string); ok {
				c.Audience = append(c.Audience, s)
			}
		}
	}
	return c, true
}

// claimText is a claim as claim_to_headers writes it; a point in its name leads into an object.
func claimText(all map[string]any, name string) (string, bool) {
	var value any = all
	for part := range strings.SplitSeq(name, ".") {
		object, ok := value.(map[string]any)
		if !ok {
			return "", false
		}
		if value, ok = object[part]; !ok {
			return "", false
		}
	}
	switch v := value.(type) {
	case string:
		return v, v != ""
	case bool:
		return strconv.FormatBool(v), true
	case float64:
		if v < 0 || v >= math.MaxUint64 || v != math.Trunc(v) {
			return strconv.FormatFloat(v, 'f', 6, 64), true
		}
		return strconv.FormatUint(uint64(v), 10), true
	case map[string]any, []any: // since Envoy 1.30 in base64
		text, err := json.Marshal(v)
		return base64.StdEncoding.EncodeToString(text), err == nil
	}
	return "", false
}

// algorithms are those that jwt_verify_lib knows.
var algorithms = []jose.SignatureAlgorithm{jose.ES256, jose.ES384, jose.ES512, jose.HS256, jose.HS384, jose.HS512,
	jose.RS256, jose.RS384, jose.RS512, jose.PS256, jose.PS384, jose.PS512, jose.EdDSA}

// signedBy verifies the signature where the provider's keys are in the dump; where they are fetched
// or read from a file it depends, and the token is taken to be good.
func signedBy(p configdump.Value, token, name string) (match.Truth, string) {
	text := p.Get("local_jwks", "inline_string").Text()
	if b := p.Get("local_jwks", "inline_bytes").Text(); b != "" {
		raw, _ := base64.StdEncoding.DecodeString(b)
		text = string(raw)
	}
	var set jose.JSONWebKeySet
	if text == "" || text == redacted || json.Unmarshal([]byte(text), &set) != nil {
		on := "the signature of the token for provider " + name
		return match.Cause{On: on, Why: "the keys of provider " + name + " are not in the dump"}.Opened(match.Yes), on
	}
	signed, err := jose.ParseSignedCompact(token, algorithms)
	if err != nil {
		return match.No, "the token for provider " + name + " is not signed by an algorithm that Envoy knows"
	}
	kid := ""
	if len(signed.Signatures) > 0 {
		kid = signed.Signatures[0].Header.KeyID
	}
	for _, key := range set.Keys {
		if kid != "" && key.KeyID != "" && kid != key.KeyID {
			continue
		}
		if key.Algorithm != "" && len(signed.Signatures) > 0 && key.Algorithm != signed.Signatures[0].Header.Algorithm {
			continue
		}
		if _, err := signed.Verify(key.Key); err == nil {
			return match.Yes, ""
		}
	}
	return match.No, "no key of provider " + name + " has signed the token"
}
