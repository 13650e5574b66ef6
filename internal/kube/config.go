package kube

import (
	"fmt"
	"path/filepath"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

// Config is ContextConfig for the current context.
func Config(kubeconfig string) (*rest.Config, error) { return ContextConfig(kubeconfig, "") }

// ContextConfig reads a context of a kubeconfig, the current one when it is empty, for a client
// that is not slowed down on its own side. kubeconfig is a path, or a list of paths as the variable
// KUBECONFIG has it, of which the first that sets a value wins.
func ContextConfig(kubeconfig, context string) (*rest.Config, error) {
	c, err := ClientConfig(kubeconfig, context).ClientConfig()
	if err != nil {
		return nil, fmt.Errorf("read kubeconfig %s: %w", kubeconfig, err)
	}
	c.QPS = -1
	return c, nil
}

// ClientConfig is a context of a kubeconfig, to be read when it is asked for something.
func ClientConfig(kubeconfig, context string) clientcmd.ClientConfig {
	rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: kubeconfig}
	if list := filepath.SplitList(kubeconfig); len(list) > 1 {
		rules = &clientcmd.ClientConfigLoadingRules{Precedence: list}
	}
	return clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules,
		&clientcmd.ConfigOverrides{CurrentContext: context})
}
