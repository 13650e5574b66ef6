package kube

import (
	"strings"
	"testing"

	"k8s.io/client-go/tools/clientcmd"
)

func TestInert(t *testing.T) {
	for name, tc := range map[string]struct{ user, cluster, says string }{
		"data only": {`client-certificate-data: YQ==, client-key-data: YQ==`, `server: "https://h"`, ""},
		"token":     {`token: t`, `server: "https://h", certificate-authority-data: YQ==`, ""},
		"exec plugin": {`exec: {command: /bin/evil, apiVersion: client.authentication.k8s.io/v1}`,
			`server: "https://h"`, "runs the program /bin/evil"},
		"provider":         {`auth-provider: {name: gcp}`, `server: "https://h"`, "asks the provider gcp"},
		"token file":       {`tokenFile: /etc/shadow`, `server: "https://h"`, "reads /etc/shadow"},
		"certificate file": {`client-certificate: /etc/shadow`, `server: "https://h"`, "reads /etc/shadow"},
		"key file":         {`client-key: /etc/shadow`, `server: "https://h"`, "reads /etc/shadow"},
		"authority file": {`token: t`, `server: "https://h", certificate-authority: /etc/shadow`,
			"reads /etc/shadow"},
		"proxy in between": {`token: t`, `server: "https://h", proxy-url: "http://p"`, "the proxy http://p"},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := clientcmd.Load([]byte("apiVersion: v1\nkind: Config\nusers: [{name: u, user: {" + tc.user +
				"}}]\nclusters: [{name: c, cluster: {" + tc.cluster + "}}]\n"))
			if err != nil {
				t.Fatal(err)
			}
			err = Inert(config)
			if tc.says == "" && err != nil || tc.says != "" && (err == nil || !strings.Contains(err.Error(), tc.says)) {
				t.Errorf("%v, want %q", err, tc.says)
			}
		})
	}
}
