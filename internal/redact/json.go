package redact

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
)

// secretKeys are the keys of Envoy's and Kubernetes' objects whose strings are secrets, however deep they stand below.
// What a key such as private_key holds by reference, a file name or the name of a secret, stays.
var secretKeys = map[string]bool{
	"private_key": true, "privatekey": true, "password": true, "passphrase": true, "client_secret": true, "clientsecret": true,
	"hmac_secret": true, "token_secret": true, "session_ticket_keys": true, "generic_secret": true, "access_token": true,
	"refresh_token": true, "id_token": true, "bearer_token": true, "api_key": true, "apikey": true, "secret_access_key": true,
	"session_token": true, "auth_password": true, "auth_username": true, "stringdata": true, "client-key-data": true,
}

// references are keys whose strings only name where a secret is.
var references = map[string]bool{"filename": true, "environment_variable": true, "@type": true, "name": true, "path": true}

// alreadyMasked is the base64 form of Mask, as config_dump writes it into inline_bytes.
const alreadyMasked = "W3JlZGFjdGVkXQ=="

// JSON returns a JSON document as it may be kept: private keys, passwords, tokens and the values of secret headers are
// masked wherever they stand. Objects come out with their keys sorted. The error names the line of what is not JSON.
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
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", " ")
	if err := encoder.Encode(walk(value, false)); err != nil {
		return nil, fmt.Errorf("write JSON: %w", err)
	}
	return out.Bytes(), nil
}

// Place adds the line to an error of encoding/json about a document.
func Place(document []byte, err error) error {
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		return fmt.Errorf("line %d: %w", line(document, syntax.Offset), err)
	}
	if kind, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return fmt.Errorf("line %d: %s is a %s where a %s belongs", line(document, kind.Offset), kind.Field, kind.Value, kind.Type)
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

// walk masks secrets in a value; hide says that the value stands below a secret key.
func walk(value any, hide bool) any {
	switch v := value.(type) {
	case map[string]any:
		hide = hide || namesSecretHeader(v)
		for key, child := range v {
			switch {
			case references[strings.ToLower(key)] || hide && isHeaderName(key):
				v[key] = walk(child, false)
			default:
				v[key] = walk(child, hide || secretKey(key, child))
			}
		}
		return v
	case []any:
		for i := range v {
			v[i] = walk(v[i], hide)
		}
		return v
	case string:
		if hide && v != "" && v != alreadyMasked {
			return Mask
		}
		return document(v)
	default:
		return v
	}
}

// secretKey reports whether what stands under a key is a secret. The name of a secret header is a key as well, where
// headers are written as an object; only its own string is meant then.
func secretKey(key string, child any) bool {
	key = strings.ToLower(key)
	if secretKeys[key] {
		return true
	}
	switch child.(type) {
	case string, []any:
		return SecretHeader(key)
	}
	return false
}

// namesSecretHeader reports whether an object is about a secret header: {"key": "authorization", "value": …} or
// {"name": "cookie", "string_match": …}.
func namesSecretHeader(object map[string]any) bool {
	for key, child := range object {
		if name, ok := child.(string); ok && isHeaderName(key) && SecretHeader(name) && len(object) > 1 {
			return true
		}
	}
	return false
}

func isHeaderName(key string) bool {
	switch key {
	case "key", "name", "header_name", "headerName":
		return true
	}
	return false
}

// document masks what is a secret by its own form in a string of a document. A string of several lines, such as an
// annotation or a log line, may hold headers.
func document(text string) string {
	if strings.ContainsRune(text, '\n') || strings.Contains(text, "PRIVATE KEY") {
		return Text(text)
	}
	return inline(text)
}
