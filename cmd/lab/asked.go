package main

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/existing"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
	runs "github.com/flowproof/lab/harness/run"
)

// asked are the flags by which changes to a cluster are asked for. In a lab of the lab's own what a
// run needs is changed without being asked for; in a cluster that is not, nothing is.
type asked struct {
	cold     bool
	logLevel string
	objects  bool
	restarts bool
	force    bool
	dryRun   bool
}

// The values of --log-level.
const (
	levelDebug = "debug"
	levelKeep  = "keep"
)

const whereAsked = " (asked for where the cluster is not the lab's own)"

func (f *asked) add(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.cold, "cold", false, "end the pooled connections on the way"+whereAsked)
	cmd.Flags().StringVar(&f.logLevel, "log-level", "",
		"debug: let the sidecars on the way log every decision meanwhile"+whereAsked+"; keep: leave their levels")
	cmd.Flags().BoolVar(&f.force, "force", false,
		"end connections also with requests in flight on them, which fail then")
	completeFixed(cmd, "log-level", levelDebug, levelKeep)
}

func (f *asked) addDryRun(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "say what would be touched, and touch nothing")
}

func (f *asked) addScenario(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.objects, "objects", false,
		"make the objects that the scenario applies, until it ends"+whereAsked)
	cmd.Flags().BoolVar(&f.restarts, "restarts", false, "restart the sidecars that the scenario restarts"+whereAsked)
}

// check refuses what makes no sense.
func (f *asked) check() error {
	if !slices.Contains([]string{"", levelDebug, levelKeep}, f.logLevel) {
		return fault.Usagef("read command line: --log-level %q is none of debug, keep", f.logLevel)
	}
	return nil
}

// byFlag are the flags that ask for the kinds of changes.
var byFlag = map[flow.TouchKind]string{flow.TouchConnections: "--cold", flow.TouchLogLevel: "--log-level debug",
	flow.TouchObjects: "--objects", flow.TouchRestart: "--restarts"}

// foreign says whether a lab is a cluster that is not the lab's own.
func foreign(lab *cluster.Lab) bool { return lab != nil && lab.Backend == existing.Name }

// bounds are what may be changed in a lab; nil: all of it.
func (f *asked) bounds(lab *cluster.Lab) *runs.Bounds {
	if !foreign(lab) {
		return nil
	}
	b := &runs.Bounds{How: func(kind flow.TouchKind) string { return byFlag[kind] }}
	for kind, is := range map[flow.TouchKind]bool{flow.TouchConnections: f.cold,
		flow.TouchLogLevel: f.logLevel == levelDebug, flow.TouchObjects: f.objects, flow.TouchRestart: f.restarts} {
		if is {
			b.Asked = append(b.Asked, kind)
		}
	}
	return b
}

// apply puts into a plan what is asked for.
func (f *asked) apply(plan *runs.Plan, lab *cluster.Lab) {
	if foreign(lab) && !f.cold {
		plan.Keep = true
	}
	if f.logLevel == levelKeep || foreign(lab) && f.logLevel != levelDebug {
		plan.Without = append(plan.Without, flow.EnvoyLog)
		plan.Unasked = foreign(lab)
	}
	plan.Force, plan.Cold = f.force, f.cold
}

// A byteSize is a flag's number of bytes: 64MiB, 2GiB, 500000.
type byteSize int64

func (s *byteSize) String() string {
	if *s == 0 {
		return ""
	}
	return fmt.Sprintf("%dMiB", int64(*s)>>20)
}

// Type names the value in a usage text.
func (*byteSize) Type() string { return "SIZE" }

// Set reads a number with KiB, MiB, GiB, or bytes.
func (s *byteSize) Set(text string) error {
	unit, number := int64(1), text
	for i, suffix := range []string{"KiB", "MiB", "GiB"} {
		if rest, ok := strings.CutSuffix(text, suffix); ok {
			unit, number = 1<<(10*(i+1)), rest
		}
	}
	n, err := strconv.ParseInt(strings.TrimSpace(number), 10, 64)
	if err != nil || n <= 0 || n > math.MaxInt64/unit {
		return fmt.Errorf("%q is not a number of bytes, KiB, MiB or GiB", text)
	}
	*s = byteSize(n * unit)
	return nil
}

// limited is a mesh of whose sidecars no more is read than --max-dump says.
func (a *app) limited(m *mesh.Mesh) *mesh.Mesh {
	return m.Within(mesh.Limits{Dump: int64(a.maxDump)})
}
