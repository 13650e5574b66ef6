package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/internal/components"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/removal"
)

// The targets that the bench holds inference to.
const (
	timesFaster  = 10                     // than istioctl, on the large dump
	maxMemory    = 200 << 20              // bytes at peak, on the large dump
	smallTime    = 40 * time.Millisecond  // on the recorded dump, process to process
	batchTime    = 1 * time.Second        // for a batch of requests against the loaded large dump
	batchSize    = 10_000                 //
	smallestSize = 100_000_000            // bytes of the large dump
	budget       = 200 * time.Millisecond // that reading of a request file and starting may add to a batch
)

func main() {
	dump := flag.String("dump", "", "recorded config dump of a sidecar that calls -service")
	service := flag.String("service", "fortio-server.mark", "Service of the dump that is repeated, as name.namespace")
	services := flag.Int("services", 6000, "how many Services the large dump has")
	lab := flag.String("lab", "lab", "the lab program")
	istioctl := flag.String("istioctl", "", "the istioctl to compare with (default: the lab's own, which is built)")
	repeat := flag.Int("repeat", 5, "how often each is run; the fastest counts")
	flag.Parse()
	if err := run(*dump, *service, *services, *lab, *istioctl, *repeat); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// A measure is the fastest run of one command.
type measure struct {
	name   string
	wall   time.Duration
	memory int64 // peak resident set in bytes
	err    error
}

func run(path, service string, services int, lab, istioctl string, repeat int) error {
	if istioctl == "" {
		var err error
		p := progress.New(os.Stderr, false, false)
		if istioctl, err = components.Istioctl(context.Background(), components.Options{}, p); err != nil {
			return err
		}
	}
	recorded, err := configdump.Open(context.Background(), path)
	if err != nil {
		return err
	}
	defer recorded.Close()
	address, err := clusterIP(recorded, service)
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		return err
	}
	defer removal.All(dir)
	large, batch := filepath.Join(dir, "large.json"), filepath.Join(dir, "requests.jsonl")
	if err := prepare(recorded, growth{service, address, services}, large, batch); err != nil {
		return err
	}
	one := func(dump string) []string {
		return []string{lab, "infer", "--dump", dump, "--address", address, "--port", "8080",
			"--authority", service, "-o", "json"}
	}
	measures := []measure{
		fastest("lab infer, recorded dump", repeat, one(path)...),
		fastest("lab infer, large dump", repeat, one(large)...),
		fastest("lab infer, large dump, 10,000 requests", repeat, lab, "infer", "--dump", large,
			"--requests", batch, "-o", "json"),
		fastest("istioctl proxy-config routes -f, large dump", min(repeat, 3), istioctl,
			"proxy-config", "routes", "-f", large),
		fastest("jq ., large dump", min(repeat, 3), "jq", ".", large),
	}
	for _, m := range measures {
		if m.err != nil {
			fmt.Printf("%-46s %v\n", m.name, m.err)
			continue
		}
		fmt.Printf("%-46s %8.0f ms %6d MB\n", m.name, milliseconds(m.wall), m.memory>>20)
	}
	ratios(measures[1], measures[2], measures[3:])
	return judge(measures)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// ratios compares one request with each peer on the same file. No peer takes a batch, so a
// batch's request is held against what one run of a peer takes, which is what each further
// question to it costs.
func ratios(one, many measure, peers []measure) {
	each := (many.wall - one.wall) / batchSize
	fmt.Printf("\na request of the batch, once the dump is loaded: %.3f ms (the batch %.0f ms)\n",
		float64(each.Nanoseconds())/1e6, milliseconds(many.wall-one.wall))
	for _, peer := range peers {
		if peer.err != nil || one.err != nil {
			continue
		}
		fmt.Printf("beside %-40s %6.1f times faster, %4.1f times less memory", peer.name+":",
			ratio(peer.wall, one.wall), ratio(peer.memory, one.memory))
		if many.err == nil {
			fmt.Printf("; in a batch %.0f times faster a request", ratio(peer.wall, many.wall/batchSize))
		}
		fmt.Println()
	}
}

func ratio[T ~int64](a, b T) float64 { return float64(a) / float64(max(b, 1)) }

// judge compares the measures with the targets.
func judge(m []measure) error {
	small, one, many, peer := m[0], m[1], m[2], m[3]
	var missed []error
	check := func(ok bool, format string, args ...any) {
		if !ok {
			missed = append(missed, fmt.Errorf(format, args...))
		}
	}
	for _, ours := range m[:3] {
		check(ours.err == nil, "%s: %v", ours.name, ours.err)
	}
	check(small.wall <= smallTime, "%s: %v is more than %v", small.name, small.wall, smallTime)
	check(one.memory <= maxMemory, "%s: %d MB is more than %d MB", one.name, one.memory>>20, maxMemory>>20)
	check(many.wall-one.wall <= batchTime+budget, "%s: %v after loading is more than %v", many.name,
		many.wall-one.wall, batchTime)
	if peer.err == nil {
		check(one.wall*timesFaster <= peer.wall, "%s: %v is not %d times faster than istioctl's %v", one.name, one.wall,
			timesFaster, peer.wall)
	}
	return errors.Join(missed...)
}

// clusterIP finds the Service's address among the domains of its virtual host.
func clusterIP(d *configdump.Dump, service string) (string, error) {
	for _, r := range d.Resources(configdump.RouteConfig) {
		for _, vh := range r.Value().Get("virtual_hosts").Elements() {
			if !strings.Contains(vh.Get("name").Text(), service+".svc.") {
				continue
			}
			for _, domain := range vh.Get("domains").Texts() {
				if strings.Trim(domain, "0123456789.") == "" && domain != "" {
					return domain, nil
				}
			}
		}
	}
	return "", fmt.Errorf("the dump has no virtual host of %s with an address", service)
}

// prepare writes the large dump and the batch of requests.
func prepare(recorded *configdump.Dump, g growth, large, batch string) error {
	f, err := os.Create(large)
	if err != nil {
		return err
	}
	if err := errors.Join(g.write(f, recorded), f.Close()); err != nil {
		return err
	}
	info, err := os.Stat(large)
	if err != nil {
		return err
	}
	fmt.Printf("large dump: %d Services, %.1f MB\n", g.services, float64(info.Size())/1e6)
	if info.Size() < smallestSize {
		fmt.Printf("  (smaller than %d MB: take more -services)\n", smallestSize/1_000_000)
	}
	var b bytes.Buffer
	_, namespace, _ := strings.Cut(g.service, ".")
	for n := range batchSize {
		fmt.Fprintf(&b, `{"id":"%d","address":"10.97.%d.%d","port":8080,"authority":"svc-%05d.%s","path":"/p/%d"}`+"\n",
			n, n>>8&255, n&255, n%g.services, namespace, n)
	}
	return os.WriteFile(batch, b.Bytes(), 0o600)
}

// fastest runs a command several times with its output thrown away.
func fastest(name string, times int, command ...string) measure {
	best := measure{name: name}
	if _, err := exec.LookPath(command[0]); err != nil {
		best.err = fmt.Errorf("left out: %w", err)
		return best
	}
	for range times {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		cmd := exec.CommandContext(ctx, command[0], command[1:]...)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		start := time.Now()
		if err := cmd.Run(); err != nil {
			best.err = fmt.Errorf("%w: %.200s", err, stderr.String())
			return best
		}
		wall := time.Since(start)
		usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
		if ok {
			best.memory = max(best.memory, usage.Maxrss<<10) // kilobytes on Linux
		}
		if best.wall == 0 || wall < best.wall {
			best.wall = wall
		}
	}
	return best
}
