package mesh

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/flowproof/lab/harness/fault"
)

// startSlack is how far two computations of the same start may lie apart: Envoy tells its
// uptime in whole seconds.
const startSlack = 3 * time.Second

// maxUptime is a century in seconds: more is no uptime.
const maxUptime = 100 * 365 * 24 * 3600

// An Identity tells one start of an Envoy from another. A connection id, a pool or a log level only
// means something within one.
type Identity struct {
	Version   string    `json:"version"`   // Envoy's own version string
	Epoch     int       `json:"epoch"`     // hot restart epoch
	Container string    `json:"container"` // container id, which changes when the container restarts
	Restarts  int       `json:"restarts"`
	Workers   int       `json:"workers"` // worker threads: --concurrency
	Started   time.Time `json:"started"` // this machine's clock, to the second
}

// Identity asks the apiserver and Envoy (/server_info) who is running now. When Envoy does not
// answer, what the apiserver said is returned with the error.
func (s *Sidecar) Identity(ctx context.Context) (Identity, error) {
	var id Identity
	if err := s.pod.refresh(ctx); err != nil {
		return id, err
	}
	for _, status := range s.pod.longLived() {
		if status.Name == SidecarContainer {
			id.Container, id.Restarts = status.ContainerID, int(status.RestartCount)
		}
	}
	answer, err := s.get(ctx, "/server_info")
	if err != nil {
		return id, err
	}
	if err := id.parseServerInfo(answer, time.Now()); err != nil {
		return id, fault.Environmentf("read server_info of %s: %w", s.pod.Ref(), err)
	}
	return id, nil
}

// parseServerInfo reads the fields of envoy.admin.v3.ServerInfo that tell one start from another.
func (id *Identity) parseServerInfo(answer []byte, now time.Time) error {
	var info struct {
		Version string `json:"version"`
		Uptime  string `json:"uptime_current_epoch"`
		Options struct {
			Epoch   int `json:"restart_epoch"`
			Workers int `json:"concurrency"`
		} `json:"command_line_options"`
	}
	if err := json.Unmarshal(answer, &info); err != nil {
		return err
	}
	seconds, err := strconv.ParseInt(strings.TrimSuffix(info.Uptime, "s"), 10, 64)
	if err != nil || seconds < 0 || seconds > maxUptime {
		return fmt.Errorf("uptime_current_epoch %q is not a number of seconds", info.Uptime)
	}
	id.Version, id.Epoch, id.Workers = info.Version, info.Options.Epoch, info.Options.Workers
	id.Started = now.Add(-time.Duration(seconds) * time.Second)
	return nil
}

// Changed says why a later Identity is not the same start, or "" when it is.
func (id Identity) Changed(later Identity) string {
	switch {
	case id.Container != later.Container:
		return fmt.Sprintf("its container was replaced (restart %d, now %d)", id.Restarts, later.Restarts)
	case id.Epoch != later.Epoch:
		return fmt.Sprintf("hot restart epoch %d, now %d", id.Epoch, later.Epoch)
	case later.Started.Sub(id.Started).Abs() > startSlack:
		return fmt.Sprintf("started %s, now %s", id.Started.Format(time.TimeOnly), later.Started.Format(time.TimeOnly))
	}
	return ""
}
