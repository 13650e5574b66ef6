package docker

import (
	"context"
	"os"
	"strings"

	"github.com/flowproof/lab/harness/fault"
)

// Here says whether containers of this Docker run on this machine and see its files; its error
// says why they do not.
func (d *Docker) Here(ctx context.Context) error {
	if d.Ours {
		return nil
	}
	host := d.Host
	if host == "" {
		host = os.Getenv("DOCKER_HOST")
	}
	if host == "" {
		var err error
		if host, err = d.Run(ctx, "context", "inspect", "--format", "{{.Endpoints.docker.Host}}"); err != nil {
			host = "" // too old to have contexts: it speaks with the default socket
		}
	}
	system, err := d.Run(ctx, "info", "--format", "{{.OperatingSystem}}")
	if err != nil {
		return err
	}
	return here(host, system)
}

func here(host, system string) error {
	if host != "" && !strings.HasPrefix(host, "unix://") {
		scheme, _, _ := strings.Cut(host, ":")
		return fault.Environmentf("use Docker: it is reached by %s, so its containers may not see this machine's files",
			scheme)
	}
	if strings.Contains(system, "Desktop") {
		return fault.Environmentf("use Docker: %s runs in a virtual machine, so its containers do not see this "+
			"machine's processes and files", system)
	}
	return nil
}
