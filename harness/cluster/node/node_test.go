//go:build linux

package node

import (
	"crypto/x509"
	"encoding/pem"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
	"sigs.k8s.io/yaml"
)

func TestPKI(t *testing.T) {
	dir := t.TempDir()
	admin, ca, err := writePKI(dir)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(ca)
	usage := map[bool]x509.ExtKeyUsage{true: x509.ExtKeyUsageServerAuth, false: x509.ExtKeyUsageClientAuth}
	check := func(id identity, data []byte) {
		block, _ := pem.Decode(data)
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			t.Fatal(err)
		}
		opts := x509.VerifyOptions{Roots: pool, KeyUsages: []x509.ExtKeyUsage{usage[len(id.server) > 0]}}
		if _, err := cert.Verify(opts); err != nil {
			t.Errorf("%s: %v", id.file, err)
		}
		for _, host := range id.server {
			if err := cert.VerifyHostname(host); err != nil {
				t.Errorf("%s: %v", id.file, err)
			}
		}
		if cert.Subject.CommonName != id.name {
			t.Errorf("%s belongs to %q, want %q", id.file, cert.Subject.CommonName, id.name)
		}
	}
	check(adminIdentity, admin.cert)
	for _, id := range identities {
		data, err := os.ReadFile(filepath.Join(dir, id.file+".crt"))
		if err != nil {
			t.Fatal(err)
		}
		check(id, data)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if info, _ := e.Info(); info.Mode().Perm() != 0o600 {
			t.Errorf("%s has mode %v, want 0600", e.Name(), info.Mode().Perm())
		}
		if strings.HasPrefix(e.Name(), "ca.") && e.Name() != "ca.crt" {
			t.Errorf("%s: the authority's key must not be written", e.Name())
		}
	}
}

func TestKubeconfig(t *testing.T) {
	data, err := kubeconfig{context: contextName("lab"), server: "https://127.0.0.1:1", ca: []byte("ca"),
		pair: keyPair{[]byte("c"), []byte("k")}}.encode()
	if err != nil {
		t.Fatal(err)
	}
	c, err := clientcmd.Load(data)
	if err != nil {
		t.Fatal(err)
	}
	if c.CurrentContext != "flowproof-lab" || c.Contexts[c.CurrentContext].Namespace != "mark" {
		t.Errorf("context %q in namespace %q", c.CurrentContext, c.Contexts[c.CurrentContext].Namespace)
	}
	if u := c.AuthInfos[c.CurrentContext]; u.Token != "" || string(u.ClientKeyData) != "k" {
		t.Errorf("user %v: a certificate is wanted, no token", u)
	}
}

func TestConfigurationIsFilledIn(t *testing.T) {
	dir := t.TempDir()
	if err := writeConf(dir); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"containerd.toml", "kubelet.yaml", "cni/10-lab.conflist"} {
		data, err := os.ReadFile(filepath.Join(dir, file))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "{{") || strings.Contains(string(data), "<no value>") {
			t.Errorf("%s is not filled in:\n%s", file, data)
		}
		if strings.HasSuffix(file, ".toml") {
			continue
		}
		var parsed map[string]any
		if err := yaml.UnmarshalStrict(data, &parsed); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}

func TestComponentsTakeNoSecretOnTheirCommandLine(t *testing.T) {
	for _, p := range []program{etcd(), apiserver(), controllerManager(), scheduler(), containerd(), kubelet(),
		kubeProxy()} {
		for _, arg := range p.args {
			if flag, _, _ := strings.Cut(arg, "="); strings.Contains(flag, "token") ||
				strings.Contains(flag, "password") {
				t.Errorf("%s: %s", p.name, arg)
			}
		}
	}
	if !strings.Contains(strings.Join(apiserver().args, " "), "--anonymous-auth=false") {
		t.Error("the apiserver would answer to anybody")
	}
}
