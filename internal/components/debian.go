package components

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"
)

// A distribution is where base file systems come from: the host's own when it is
// Debian or made like it.
type distribution struct {
	id         string // as in os-release: debian, ubuntu
	suite      string // codename
	components string // of the archive
}

// fallback is what a host that is no Debian gets.
var fallback = distribution{id: "debian", suite: "bookworm", components: "main"}

// archiveComponents says where the packages of the base lie, for each distribution
// whose archive we know.
var archiveComponents = map[string]string{"debian": "main", "ubuntu": "main,universe"}

// hostDistribution reads os-release(5).
func hostDistribution() distribution {
	f, err := os.Open("/etc/os-release")
	if err != nil {
		return fallback
	}
	defer f.Close()
	return readDistribution(f)
}

func readDistribution(r io.Reader) distribution {
	field := map[string]string{}
	for lines := bufio.NewScanner(r); lines.Scan(); {
		if name, value, ok := strings.Cut(lines.Text(), "="); ok {
			field[name] = strings.Trim(value, `"'`)
		}
	}
	if components, ok := archiveComponents[field["ID"]]; ok && field["VERSION_CODENAME"] != "" {
		return distribution{field["ID"], field["VERSION_CODENAME"], components}
	}
	// Mint and others name the Ubuntu or Debian release that they are made from.
	for _, d := range []struct{ id, name string }{{"ubuntu", "UBUNTU_CODENAME"}, {"debian", "DEBIAN_CODENAME"}} {
		if suite := field[d.name]; suite != "" {
			return distribution{d.id, suite, archiveComponents[d.id]}
		}
	}
	return fallback
}

// mirror is the archive that the host's own apt fetches d from; empty when apt knows none, and
// debootstrap takes its default.
func (d distribution) mirror(ctx context.Context) string {
	targets, err := command{name: "apt-get", args: []string{"indextargets", "--format",
		"$(CREATED_BY) $(ORIGIN) $(CODENAME) $(COMPONENT) $(REPO_URI)"}}.output(ctx)
	if err != nil {
		return ""
	}
	return d.pickMirror(strings.NewReader(targets))
}

// pickMirror finds the archive of d's own suite, not of its updates or of another's extra packages,
// in what apt-get indextargets says.
func (d distribution) pickMirror(targets io.Reader) string {
	for lines := bufio.NewScanner(targets); lines.Scan(); {
		f := strings.Fields(lines.Text())
		if len(f) == 5 && f[0] == "Packages" && strings.EqualFold(f[1], d.id) && f[2] == d.suite && f[3] == "main" {
			return f[4]
		}
	}
	return ""
}

// aptProxy is the environment for programs that do not read apt's configuration.
func aptProxy(ctx context.Context) []string {
	proxy, err := command{name: "apt-config", args: []string{"dump", "--format", "%v",
		"Acquire::http::Proxy"}}.output(ctx)
	if err != nil || proxy == "" || os.Getenv("http_proxy") != "" {
		return nil
	}
	return []string{"http_proxy=" + proxy}
}

// redactURL is a URL without the password that it may carry.
func redactURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return fmt.Sprintf("(unreadable, %d characters)", len(s))
	}
	return u.Redacted()
}
