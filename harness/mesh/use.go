package mesh

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// A Use is what a sidecar says about its connections to one address, in all of its clusters.
type Use struct {
	Active uint64 // requests and streams that are under way
	Total  uint64 // that there have been since the address is known
}

// useLook is how far apart two looks at the counters are.
const useLook = 250 * time.Millisecond

// InUse says how many requests a sidecar has under way to an address "ip:port", and how many began
// while it was looked at, for a quarter of a second. It reads rq_active and rq_total of the hosts
// in /clusters, line by line. Envoy shows these also where a mesh leaves out statistics such as
// cluster.NAME.upstream_rq_active.
func (s *Sidecar) InUse(ctx context.Context, address string) (active, began uint64, err error) {
	first, err := s.use(ctx, address)
	if err != nil {
		return 0, 0, err
	}
	pause := time.NewTimer(useLook)
	defer pause.Stop()
	select {
	case <-pause.C:
	case <-ctx.Done():
		return 0, 0, context.Cause(ctx)
	}
	second, err := s.use(ctx, address)
	if err != nil {
		return 0, 0, err
	}
	if second.Total > first.Total {
		began = second.Total - first.Total
	}
	return max(first.Active, second.Active), began, nil
}

func (s *Sidecar) use(ctx context.Context, address string) (use Use, err error) {
	err = s.stream(ctx, http.MethodGet, "/clusters", maxAnswer, func(answer io.Reader) error {
		use, err = parseUse(answer, address)
		return err
	})
	return use, err
}

// errNoClusters says that an answer is not that of /clusters.
var errNoClusters = errors.New("it holds no line of a cluster")

// parseUse reads the lines "CLUSTER::IP:PORT::NAME::VALUE" of /clusters that are about an address.
func parseUse(answer io.Reader, address string) (Use, error) {
	var use Use
	mark := []byte("::" + address + "::")
	lines := bufio.NewReaderSize(answer, 1<<16)
	any := false
	for {
		line, err := lines.ReadSlice('\n')
		for errors.Is(err, bufio.ErrBufferFull) { // no line that is counted is as long
			line = nil
			_, err = lines.ReadSlice('\n')
		}
		any = any || bytes.Contains(line, []byte("::"))
		if _, rest, ok := bytes.Cut(line, mark); ok {
			if err := use.add(string(rest)); err != nil {
				return use, err
			}
		}
		switch {
		case errors.Is(err, io.EOF) && !any:
			return use, errNoClusters
		case errors.Is(err, io.EOF):
			return use, nil
		case err != nil:
			return use, err
		}
	}
}

func (u *Use) add(member string) error {
	name, value, _ := strings.Cut(strings.TrimSpace(member), "::")
	var into *uint64
	switch name {
	case "rq_active":
		into = &u.Active
	case "rq_total":
		into = &u.Total
	default:
		return nil
	}
	n, err := strconv.ParseUint(value, 10, 64)
	if err != nil {
		return fmt.Errorf("%s %q is not a number", name, value)
	}
	*into += n
	return nil
}
