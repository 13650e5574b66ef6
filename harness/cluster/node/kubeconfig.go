//go:build linux

package node

import (
	"k8s.io/client-go/tools/clientcmd"
	api "k8s.io/client-go/tools/clientcmd/api"
)

// kubeconfig describes one user of one apiserver. Where files is set the pair is named by path, for
// a component inside the node; otherwise it is part of the file.
type kubeconfig struct {
	context string
	server  string
	ca      []byte
	pair    keyPair
	files   string // base path of a pair in pkiDir, "" to inline
}

func (k kubeconfig) encode() ([]byte, error) {
	c := api.NewConfig()
	cl := api.NewCluster()
	cl.Server, cl.CertificateAuthorityData = k.server, k.ca
	u := api.NewAuthInfo()
	if k.files != "" {
		u.ClientCertificate, u.ClientKey = k.files+".crt", k.files+".key"
	} else {
		u.ClientCertificateData, u.ClientKeyData = k.pair.cert, k.pair.key
	}
	ctx := api.NewContext()
	ctx.Cluster, ctx.AuthInfo, ctx.Namespace = k.context, k.context, "mark"
	c.Clusters[k.context], c.AuthInfos[k.context], c.Contexts[k.context] = cl, u, ctx
	c.CurrentContext = k.context
	return clientcmd.Write(*c)
}
