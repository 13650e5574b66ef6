//go:build linux

package node

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificateLife is how long a lab's certificates are good for; a lab is thrown away long before.
const certificateLife = 30 * 24 * time.Hour

// An authority is a lab's own certificate authority. Its key never leaves the process that made the
// lab's certificates.
type authority struct {
	cert *x509.Certificate
	key  crypto.Signer
}

// A keyPair is a certificate with its key, both in PEM.
type keyPair struct{ cert, key []byte }

// An identity is what a certificate says of its holder, and how it may be used.
type identity struct {
	file   string // base name in pkiDir
	name   string // common name: the Kubernetes user
	groups []string
	server []string // addresses and names; empty: a client certificate
}

// identities lists every certificate of the node with the users Kubernetes' own bootstrap roles are
// bound to. Source: kubernetes.io/docs/setup/best-practices/certificates.
var identities = []identity{
	{file: "apiserver", name: "kube-apiserver", server: []string{"127.0.0.1", nodeIP, kubernetesIP,
		"localhost", "kubernetes",
		"kubernetes.default", "kubernetes.default.svc", "kubernetes.default.svc." + clusterDomain}},
	{file: "kubelet-server", name: "system:node:" + nodeName, groups: []string{"system:nodes"},
		server: []string{nodeIP, nodeName}},
	{file: "apiserver-kubelet-client", name: "kube-apiserver-kubelet-client", groups: []string{"system:masters"}},
	{file: "kube-controller-manager", name: "system:kube-controller-manager"},
	{file: "kube-scheduler", name: "system:kube-scheduler"},
	{file: "kube-proxy", name: "system:kube-proxy"},
	{file: "kubelet", name: "system:node:" + nodeName, groups: []string{"system:nodes"}},
	{file: "supervisor", name: "lab:supervisor", groups: []string{"system:masters"}},
}

// adminIdentity is the user of the kubeconfig that is handed out.
var adminIdentity = identity{file: "admin", name: "lab:admin", groups: []string{"system:masters"}}

func newAuthority() (*authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make the lab's certificate authority: %w", err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{CommonName: "flowproof lab"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	cert, err := sign(template, template, key.Public(), key)
	if err != nil {
		return nil, err
	}
	return &authority{cert: cert, key: key}, nil
}

// issue makes a key and a certificate for one identity.
func (a *authority) issue(id identity) (keyPair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return keyPair{}, fmt.Errorf("make a key for %s: %w", id.name, err)
	}
	template := &x509.Certificate{
		Subject:  pkix.Name{CommonName: id.name, Organization: id.groups},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth},
	}
	for _, s := range id.server {
		template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
		if ip := net.ParseIP(s); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, s)
		}
	}
	cert, err := sign(template, a.cert, key.Public(), a.key)
	if err != nil {
		return keyPair{}, err
	}
	return encode(cert, key)
}

func sign(template, parent *x509.Certificate, public crypto.PublicKey,
	signer crypto.Signer) (*x509.Certificate, error) {
	return signFor(certificateLife, template, parent, public, signer)
}

func signFor(life time.Duration, template, parent *x509.Certificate, public crypto.PublicKey,
	signer crypto.Signer) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	now := time.Now()
	template.SerialNumber, template.NotBefore, template.NotAfter = serial, now.Add(-time.Hour), now.Add(life)
	der, err := x509.CreateCertificate(rand.Reader, template, parent, public, signer)
	if err != nil {
		return nil, fmt.Errorf("sign the certificate of %s: %w", template.Subject.CommonName, err)
	}
	return x509.ParseCertificate(der)
}

func encode(cert *x509.Certificate, key crypto.Signer) (keyPair, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return keyPair{}, err
	}
	return keyPair{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der}),
	}, nil
}

// writePKI makes every key and certificate of the node below dir, which lies in the node's own
// tmpfs, and returns the administrator's pair and the authority's certificate for the kubeconfig
// that leaves the node.
func writePKI(dir string) (admin keyPair, ca []byte, err error) {
	a, err := newAuthority()
	if err != nil {
		return admin, nil, err
	}
	ca = pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.cert.Raw})
	if err := writeSecret(filepath.Join(dir, "ca.crt"), ca); err != nil {
		return admin, nil, err
	}
	for _, id := range identities {
		pair, err := a.issue(id)
		if err != nil {
			return admin, nil, err
		}
		if err := writePair(filepath.Join(dir, id.file), pair); err != nil {
			return admin, nil, err
		}
	}
	if err := writeServiceAccountKey(filepath.Join(dir, "service-account.key")); err != nil {
		return admin, nil, err
	}
	admin, err = a.issue(adminIdentity)
	return admin, ca, err
}

// writeServiceAccountKey makes the key that signs service account tokens.
func writeServiceAccountKey(path string) error {
	// RSA, because Istio and others verify tokens as RS256 as often as not.
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return fmt.Errorf("make the service account key: %w", err)
	}
	return writeSecret(path,
		pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}))
}

func writePair(base string, pair keyPair) error {
	if err := writeSecret(base+".crt", pair.cert); err != nil {
		return err
	}
	return writeSecret(base+".key", pair.key)
}

func writeSecret(path string, data []byte) error { return os.WriteFile(path, data, 0o600) }
