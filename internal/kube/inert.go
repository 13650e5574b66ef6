package kube

import (
	"fmt"

	"k8s.io/client-go/tools/clientcmd/api"
)

// Inert returns an error when a kubeconfig does more than carry data: when a client that uses it
// would run a program or read other files, with the rights of the client's user. A kubeconfig that
// a lab keeps never does. Source of the fields: client-go's clientcmd/api.
func Inert(c *api.Config) error {
	for name, user := range c.AuthInfos {
		var does string
		switch {
		case user.Exec != nil:
			does = "runs the program " + user.Exec.Command
		case user.AuthProvider != nil:
			does = "asks the provider " + user.AuthProvider.Name
		case user.TokenFile != "":
			does = "reads " + user.TokenFile
		case user.ClientCertificate != "":
			does = "reads " + user.ClientCertificate
		case user.ClientKey != "":
			does = "reads " + user.ClientKey
		default:
			continue
		}
		return fmt.Errorf("user %q %s", name, does)
	}
	for name, cluster := range c.Clusters {
		switch {
		case cluster.CertificateAuthority != "":
			return fmt.Errorf("cluster %q reads %s", name, cluster.CertificateAuthority)
		case cluster.ProxyURL != "":
			return fmt.Errorf("cluster %q is reached through the proxy %s", name, cluster.ProxyURL)
		}
	}
	return nil
}
