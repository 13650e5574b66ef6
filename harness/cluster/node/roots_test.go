//go:build linux

package node

import (
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// TestMeshAuthority holds the mesh's authority to what istiod makes for itself; source:
// istio.io/istio/security/pkg/pki/util/generate_cert.go.
func TestMeshAuthority(t *testing.T) {
	pair, err := newMeshAuthority()
	if err != nil {
		t.Fatal(err)
	}
	loaded, err := tls.X509KeyPair(pair.cert, pair.key)
	if err != nil {
		t.Fatal(err)
	}
	cert := loaded.Leaf
	if err := cert.CheckSignatureFrom(cert); err != nil {
		t.Error(err)
	}
	if key, ok := cert.PublicKey.(*rsa.PublicKey); !ok || key.N.BitLen() != 2048 {
		t.Errorf("its key is a %T", cert.PublicKey)
	}
	if !cert.IsCA || cert.KeyUsage != x509.KeyUsageCertSign || cert.Subject.String() != "O=cluster.local" {
		t.Errorf("CA: %v, usage: %v, subject: %s", cert.IsCA, cert.KeyUsage, cert.Subject)
	}
	if cert.NotAfter.Before(time.Now().Add(meshAuthorityLife - time.Hour)) {
		t.Errorf("it ends at %v", cert.NotAfter)
	}
}

func TestRootsShowNoKey(t *testing.T) {
	var secrets int
	for _, r := range rootsOf([]byte("ca"), keyPair{cert: []byte("public"), key: []byte("private")}) {
		data, err := json.Marshal(r.object)
		if err != nil {
			t.Fatal(err)
		}
		const private = "cHJpdmF0ZQ==" // as a secret's data are encoded
		switch {
		case r.kind == "secrets" && r.object.GetNamespace() == istioSystem:
			if secrets++; !strings.Contains(string(data), private) {
				t.Errorf("istiod's secret has no key: %s", data)
			}
		case strings.Contains(string(data), "private"), strings.Contains(string(data), private):
			t.Errorf("%s %s/%s shows the key", r.kind, r.object.GetNamespace(), r.object.GetName())
		}
	}
	if secrets != 1 {
		t.Errorf("%d secrets, want istiod's alone", secrets)
	}
}
