//go:build linux

package docker

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/flowproof/lab/internal/enclosure"
)

// ready is the stage at which Docker answers; quiet the one after quiesce.
const (
	ready   = "docker ready"
	quiesce = "quiesce"
	quiet   = "quiet"
)

// payload is what the owner tells the init.
type payload struct {
	Prepared string `json:"prepared,omitempty"` // images that are there from the start
	Root     string `json:"root,omitempty"`     // Docker's data on disk, to prepare such images; "": in memory
}

// Places inside. /run is a tmpfs of the enclosure's own.
const (
	dataRoot   = "/run/docker-data"
	configFile = "/run/lab/daemon.json"
	selfPath   = "/run/lab/lab"
	logDir     = "/run/lab"
)

// A daemon is the init's work: dockerd in the enclosure.
type daemon struct {
	*enclosure.Init
	config payload
}

func newDaemon(i *enclosure.Init) (enclosure.Resident, error) {
	d := &daemon{Init: i}
	if err := json.Unmarshal(i.Payload, &d.config); err != nil {
		return nil, fmt.Errorf("read Docker's configuration: %w", err)
	}
	return d, nil
}

// Boot makes mounts and network, and starts dockerd.
func (d *daemon) Boot() error {
	if err := d.mount(); err != nil {
		return err
	}
	if err := enclosure.DelegateCgroups(); err != nil {
		return err
	}
	if err := setUpNetwork(); err != nil {
		return err
	}
	if err := serveNames(); err != nil {
		return err
	}
	if d.config.Prepared != "" {
		if err := bindPrepared(d.config.Prepared, dataRoot); err != nil {
			return err
		}
	}
	if err := writeConfig(configFile); err != nil {
		return err
	}
	go d.Serve(func() (net.Conn, error) { return net.Dial("tcp", "127.0.0.1:"+strconv.Itoa(ForwardPort)) })
	p, err := d.program()
	if err != nil {
		return err
	}
	if err := d.Start(p); err != nil {
		return err
	}
	if err := d.Await(context.Background(), p, d.answers); err != nil {
		return err
	}
	d.Stage(ready)
	return nil
}

// Obey stops Docker in order, so that its data are whole on disk.
func (d *daemon) Obey(command string) error {
	if command != quiesce {
		return errors.New("there is no such command")
	}
	if err := d.Quiesce(context.Background(), "dockerd"); err != nil {
		return err
	}
	d.Stage(quiet)
	return nil
}

// mount hides what Docker would write to, or would see of the host's: /run, /proc, /sys with the
// cgroups. The directory on the host stays where it is, for the socket.
func (d *daemon) mount() error {
	// A slave still hears of what the host unmounts, so that it can.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return fmt.Errorf("make Docker's mounts its own: %w", err)
	}
	cgroups, err := enclosure.HostCgroups()
	if err != nil {
		return err
	}
	held, err := enclosure.Hold(d.RunDir)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	program, err := enclosure.Hold(self)
	if err != nil {
		return err
	}
	for _, m := range []enclosure.Mount{
		{Source: "proc", Target: "/proc", Kind: "proc"},
		{Source: "sysfs", Target: "/sys", Kind: "sysfs"},
		{Source: "tmpfs", Target: "/run", Kind: "tmpfs", Data: "mode=755"},
		{Source: held, Target: d.RunDir, Flags: unix.MS_BIND},
	} {
		if err := m.Make("/"); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(logDir, 0o700); err != nil {
		return err
	}
	data := enclosure.Mount{Source: "tmpfs", Target: dataRoot, Kind: "tmpfs", Data: "mode=711,size=75%"}
	if d.config.Root != "" {
		data = enclosure.Mount{Source: d.config.Root, Target: dataRoot, Flags: unix.MS_BIND}
	}
	if err := data.Make("/"); err != nil {
		return err
	}
	if err := unix.Mount("", dataRoot, "", unix.MS_SHARED, ""); err != nil { // as Docker wants it
		return fmt.Errorf("share Docker's data directory: %w", err)
	}
	if err := bindFile(program, selfPath); err != nil {
		return err
	}
	// dockerd raises limits on keys; source: moby, daemon/keys.go, modifyRootKeyLimit
	if err := enclosure.GuardKernel("/", filepath.Join(sysctls, "dockerd"), enclosure.KubeletSysctls); err != nil {
		return err
	}
	return cgroups.Mount("/")
}

// bindFile gives this program a name inside that stays good when its file is replaced.
func bindFile(source, target string) error {
	f, err := os.OpenFile(target, os.O_CREATE|os.O_WRONLY, 0o700)
	if err != nil {
		return err
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := unix.Mount(source, target, "", unix.MS_BIND, ""); err != nil {
		return fmt.Errorf("mount this program for Docker: %w", err)
	}
	return nil
}

// setUpNetwork makes a network without a way out: a loopback, and on it the address
// of the resolver.
func setUpNetwork() error {
	lo, err := netlink.LinkByName("lo")
	if err == nil {
		err = netlink.LinkSetUp(lo)
	}
	if err != nil {
		return fmt.Errorf("bring up Docker's loopback: %w", err)
	}
	addr, err := netlink.ParseAddr(resolverIP + "/32")
	if err != nil {
		return err
	}
	if err := netlink.AddrAdd(lo, addr); err != nil {
		return fmt.Errorf("give the resolver its address: %w", err)
	}
	if err := os.WriteFile("/proc/sys/net/ipv4/ip_forward", []byte("1"), 0o644); err != nil {
		return fmt.Errorf("switch on forwarding: %w", err)
	}
	return nil
}

// program is dockerd with everything said on its command line but its runtime.
func (d *daemon) program() (enclosure.Program, error) {
	path, err := lookPath("dockerd")
	if err != nil {
		return enclosure.Program{}, fmt.Errorf("find dockerd: %w", err)
	}
	return enclosure.Program{Name: "dockerd", Path: path, Log: enclosure.LogPath(logDir, "dockerd"),
		Env: []string{"PATH=" + searchPath, "HOME=/root"},
		Args: []string{"--config-file=" + configFile, "--data-root=" + dataRoot, "--exec-root=/run/docker",
			"--pidfile=/run/lab/docker.pid",
			"--host=unix://" + socket(d.RunDir), "--group=root", "--storage-driver=overlay2", "--dns=" + resolverIP,
			"--oom-score-adjust=0", // a lower one needs a capability that some roots lack
			"--ip-forward=false",   // it is on
			"--log-level=warn"},
	}, nil
}

// answers asks Docker for a sign of life.
func (d *daemon) answers() error {
	client := &http.Client{Timeout: 2 * time.Second, Transport: &http.Transport{DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			var dialer net.Dialer
			return dialer.DialContext(ctx, "unix", socket(d.RunDir))
		}}}
	resp, err := client.Get("http://docker/_ping")
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("Docker answers %s", resp.Status)
	}
	return nil
}

// writeConfig writes dockerd's configuration file. It also stands in for the machine's own, which
// is another Docker's.
func writeConfig(path string) error {
	config := map[string]any{"default-runtime": "lab", "runtimes": map[string]any{
		"lab": map[string]any{"path": selfPath, "runtimeArgs": []string{Verb, runtimeWord}}}}
	data, err := json.Marshal(config)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	return os.WriteFile(path, data, 0o600)
}
