//go:build linux

package node

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"

	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/enclosure"
)

// initConfig is what the owner tells the init.
type initConfig struct {
	RootFS   string `json:"rootFS"`   // base of the root file system
	Bin      string `json:"bin"`      // the components
	Store    string `json:"store"`    // containerd's imported images
	Prepared string `json:"prepared"` // etcd's data to start from; "" for none
	Bake     bool   `json:"bake"`     // only etcd and the apiserver, to prepare such data
}

// quiesce is the owner's command to end the control plane in order; quiet is the
// stage that follows.
const (
	quiesce = "quiesce"
	quiet   = "quiet"
)

// A supervisor is the init's work: it makes the node and starts its components in order.
type supervisor struct {
	*enclosure.Init
	config initConfig
	// meshAuthority is made while the control plane starts
	meshAuthority func() (keyPair, error)
}

func newSupervisor(i *enclosure.Init) (enclosure.Resident, error) {
	s := &supervisor{Init: i}
	if err := json.Unmarshal(i.Payload, &s.config); err != nil {
		return nil, fmt.Errorf("read the node's configuration: %w", err)
	}
	return s, nil
}

// Obey ends the control plane in order so that etcd's data are whole on their file system;
// used to prepare data.
func (s *supervisor) Obey(command string) error {
	if command != quiesce {
		return fmt.Errorf("there is no such command")
	}
	if err := s.Quiesce(context.Background(), apiserver().name, etcd().name); err != nil {
		return err
	}
	s.Stage(quiet)
	return nil
}

// Boot makes the node and starts its components.
func (s *supervisor) Boot() error {
	if err := unix.Sethostname([]byte(nodeName)); err != nil {
		return fmt.Errorf("name the node: %w", err)
	}
	if err := enterRoot(s.config); err != nil {
		return err
	}
	if err := s.Seal(sealed(s.config)...); err != nil {
		return err
	}
	if err := enclosure.DelegateCgroups(); err != nil {
		return err
	}
	if err := setUpNetwork(); err != nil {
		return err
	}
	if err := s.furnish(); err != nil {
		return err
	}
	s.Stage("node prepared")
	if s.config.Prepared != "" {
		s.meshAuthority = sync.OnceValues(newMeshAuthority)
		go s.meshAuthority() //nolint:errcheck // who asks for it has the error
	}
	go s.Serve(func() (net.Conn, error) { return net.Dial("tcp", "127.0.0.1:"+apiserverPort) })
	return s.startAll(context.Background())
}

// furnish writes keys, configuration and data into the new root.
func (s *supervisor) furnish() error {
	for _, dir := range []string{confDir, pkiDir, logDir, etcdDir, containerdDir, containerdRun, "/run/lock",
		"/run/netns", "/tmp"} {
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return err
		}
	}
	if err := os.Chmod("/tmp", 0o777|os.ModeSticky); err != nil {
		return err
	}
	if err := os.WriteFile("/etc/hosts", []byte("127.0.0.1 localhost\n"+nodeIP+" "+nodeName+"\n"), 0o644); err != nil {
		return err
	}
	// Nothing outside can be asked; a resolver that does not answer would be a wait.
	if err := os.WriteFile("/etc/resolv.conf", []byte("nameserver "+dnsIP+"\noptions timeout:1 attempts:1\n"),
		0o644); err != nil {
		return err
	}
	if err := writeConf(confDir); err != nil {
		return err
	}
	if err := s.issueKubeconfigs(); err != nil {
		return err
	}
	if s.config.Bake {
		return nil
	}
	if s.config.Prepared != "" {
		if err := copyTree("/opt/lab/prepared", etcdDir); err != nil {
			return fmt.Errorf("copy the prepared etcd data: %w", err)
		}
	}
	return bindStore("/opt/lab/store", containerdDir)
}

// issueKubeconfigs makes the lab's keys, the components' kubeconfigs, and hands the
// administrator's to the guard.
func (s *supervisor) issueKubeconfigs() error {
	admin, ca, err := writePKI(pkiDir)
	if err != nil {
		return err
	}
	for _, name := range []string{"kube-controller-manager", "kube-scheduler", "kube-proxy", "kubelet"} {
		k := kubeconfig{context: name, server: "https://127.0.0.1:" + apiserverPort, ca: ca, files: pki(name)}
		data, err := k.encode()
		if err != nil {
			return err
		}
		if err := writeSecret(client(name), data); err != nil {
			return err
		}
	}
	data, err := kubeconfig{context: contextName(s.Name), server: "https://" + s.Forward, ca: ca, pair: admin}.encode()
	if err != nil {
		return err
	}
	s.Kubeconfig(data)
	return nil
}

// contextName is what a lab is called in its kubeconfig.
func contextName(lab string) string { return "flowproof-" + strings.TrimPrefix(lab, "flowproof-") }
