package infer

import (
	"cmp"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"

	"github.com/flowproof/lab/harness/configdump"
)

// identity returns the URI in the certificate that a sidecar presents, from the secret
// "default" of its dump (Envoy leaves certificates readable and redacts keys), or else from the
// node's metadata, or "".
func identity(e *Engine) string {
	if r, ok := e.proxy.Dump.Lookup(configdump.Secret, "default"); ok {
		chain := r.Value().Get("tls_certificate", "certificate_chain", "inline_bytes").Text()
		if text, err := base64.StdEncoding.DecodeString(chain); err == nil {
			if uri := certificateURI(text); uri != "" {
				return uri
			}
		}
	}
	n := e.proxy.Node
	if n.ServiceAccount == "" || n.Namespace == "" {
		return ""
	}
	return "spiffe://" + cmp.Or(n.TrustDomain, clusterDomain(n)) + "/ns/" + n.Namespace + "/sa/" + n.ServiceAccount
}

// certificateURI returns the first URI among the subject alternative names of a
// chain's first certificate.
func certificateURI(chain []byte) string {
	block, _ := pem.Decode(chain)
	if block == nil {
		return ""
	}
	cert, err := x509.ParseCertificate(block.Bytes)
	if err != nil || len(cert.URIs) == 0 {
		return ""
	}
	return cert.URIs[0].String()
}
