//go:build linux

package node

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"net/http"
	"os"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flowproof/lab/harness/mesh"
)

// Prepared data hold pods that mount the roots of trust of the cluster and of the mesh, and no key:
// every lab has its own. Kubernetes and istiod publish theirs when they have started, but a kubelet
// that did not find one asks again only after a while, longer each time.
const (
	clusterRoot = "kube-root-ca.crt"   // source: pkg/controller/certificates/rootcacertpublisher
	meshRoot    = "istio-ca-root-cert" // source: istio.io/istio/pkg/kube/namespacecontroller
	meshSecret  = "istio-ca-secret"    // source: istio.io/istio/security/pkg/pki/ca
	istioSystem = "istio-system"
)

// meshAuthorityLife is what istiod gives its own authority (CITADEL_SELF_SIGNED_CA_CERT_TTL).
const meshAuthorityLife = 10 * 365 * 24 * time.Hour

// publishRoots gives the cluster the roots of trust that pods mount, and istiod the mesh's
// authority, as istiod itself would have made and kept it. A cluster without prepared data has no
// pods yet.
func (s *supervisor) publishRoots(ctx context.Context) error {
	if s.config.Prepared == "" {
		return nil
	}
	ca, err := os.ReadFile(pki("ca.crt"))
	if err != nil {
		return err
	}
	authority, err := s.meshAuthority()
	if err != nil {
		return err
	}
	roots := rootsOf(ca, authority)
	return s.Await(ctx, apiserver().inside(), func() error {
		for _, r := range roots {
			if err := r.publish(); err != nil {
				return err
			}
		}
		return nil
	})
}

// A root is an object that holds a root of trust.
type root struct {
	manager string // who makes and keeps it, as managed fields say it
	kind    string // as in a path of the API
	object  metav1.Object
}

// rootsOf are the objects that the pods of prepared data mount, and istiod's authority.
func rootsOf(ca []byte, authority keyPair) []root {
	meta := func(namespace, name string) metav1.ObjectMeta {
		return metav1.ObjectMeta{Namespace: namespace, Name: name}
	}
	const kubernetes, istiod = "kube-controller-manager", "pilot-discovery"
	var roots []root
	for _, namespace := range []string{"kube-system", istioSystem, mesh.Workshop} {
		roots = append(roots, root{kubernetes, "configmaps", &corev1.ConfigMap{ObjectMeta: meta(namespace, clusterRoot),
			Data: map[string]string{"ca.crt": string(ca)}}})
	}
	theirs := &corev1.ConfigMap{ObjectMeta: meta(mesh.Workshop, meshRoot),
		Data: map[string]string{"root-cert.pem": string(authority.cert)}}
	theirs.Labels = map[string]string{"istio.io/config": "true"}
	kept := &corev1.Secret{ObjectMeta: meta(istioSystem, meshSecret), Type: "istio.io/ca-root",
		Data: map[string][]byte{"ca-cert.pem": authority.cert, "ca-key.pem": authority.key,
			"root-cert.pem": authority.cert, "cert-chain.pem": {}, "key.pem": {}}}
	return append(roots, root{istiod, "secrets", kept}, root{istiod, "configmaps", theirs})
}

// publish makes the object, unless it is there.
func (r root) publish() error {
	body, err := json.Marshal(r.object)
	if err != nil {
		return err
	}
	path := "/api/v1/namespaces/" + r.object.GetNamespace() + "/" + r.kind + "?fieldManager=" + r.manager
	if err := call("supervisor", http.MethodPost, path, body); err != nil {
		return fmt.Errorf("publish root of trust %s/%s: %w", r.object.GetNamespace(), r.object.GetName(), err)
	}
	return nil
}

// newMeshAuthority makes the mesh's authority as istiod makes its own: self-signed, RSA, for ten
// years, of the organization that is the trust domain.
func newMeshAuthority() (keyPair, error) {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return keyPair{}, fmt.Errorf("make the mesh's certificate authority: %w", err)
	}
	template := &x509.Certificate{
		Subject: pkix.Name{Organization: []string{clusterDomain}}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign,
	}
	cert, err := signFor(meshAuthorityLife, template, template, key.Public(), key)
	if err != nil {
		return keyPair{}, err
	}
	return keyPair{
		cert: pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert.Raw}),
		key:  pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}),
	}, nil
}
