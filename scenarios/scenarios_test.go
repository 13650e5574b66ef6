package scenarios_test

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"sigs.k8s.io/e2e-framework/pkg/env"
	"sigs.k8s.io/e2e-framework/pkg/envconf"
	"sigs.k8s.io/e2e-framework/pkg/envfuncs"
	"sigs.k8s.io/e2e-framework/pkg/features"

	"github.com/flowproof/lab/harness/cluster"
	"github.com/flowproof/lab/harness/cluster/e2e"
	"github.com/flowproof/lab/harness/cluster/kind"
	"github.com/flowproof/lab/harness/cluster/node"
	"github.com/flowproof/lab/harness/mesh"
	"github.com/flowproof/lab/harness/report"
	runs "github.com/flowproof/lab/harness/run"
	"github.com/flowproof/lab/harness/script"
	"github.com/flowproof/lab/internal/docker"
	"github.com/flowproof/lab/internal/golden"
	"github.com/flowproof/lab/internal/progress"
	"github.com/flowproof/lab/internal/schema"
	"github.com/flowproof/lab/internal/undo"
	"github.com/flowproof/lab/scenarios"
)

var (
	backendName = flag.String("backend", "node", "what the lab is made of: "+strings.Join(backendNames(), ", "))
	labName     = flag.String("lab", "scenarios", "name of the lab that all scenarios share")
	keep        = flag.Bool("keep", false, "leave the lab up afterwards")
	junit       = flag.String("junit", "", "write a JUnit report to this file")
)

// backends are what -backend can name, and what each needs of this machine beside root.
var backends = map[string]struct {
	new  func() cluster.Backend
	lack func() error
}{
	"node": {func() cluster.Backend { return node.New() }, func() error { return nil }},
	"kind": {func() cluster.Backend {
		return kind.New()
	}, func() error { return docker.Choose(docker.Find(context.Background())).Err }},
}

func backendNames() []string { return slices.Sorted(maps.Keys(backends)) }

// suite is the environment of all tests: one lab, brought up once.
var (
	suite    env.Environment
	backend  cluster.Backend
	provider *e2e.Provider
	missing  string         // why no lab can run here; empty: it can
	suites   []report.Suite // for the JUnit report
)

func TestMain(m *testing.M) {
	if len(os.Args) > 1 {
		switch os.Args[1] { // the processes that outlive their starter are this program too
		case node.Verb:
			os.Exit(node.Main(os.Args[2:]))
		case docker.Verb:
			os.Exit(docker.Main(os.Args[2:]))
		case undo.Verb:
			if err := undo.Guard(os.Stdin, os.Stderr, script.UndoKinds); err != nil {
				os.Exit(1)
			}
			os.Exit(0)
		}
	}
	flag.Parse()
	os.Exit(run(m))
}

func run(m *testing.M) int {
	suite = env.New()
	missing = whyNoLab()
	if missing == "" {
		backend = backends[*backendName].new()
		provider = e2e.NewProvider(backend, progress.New(os.Stderr, false, !testing.Verbose()))
		suite.BeforeEachTest(needLab())
	}
	code := suite.Run(m)
	if said := mistaken(flag.Lookup("test.run").Value.String()); said != "" {
		fmt.Fprintln(os.Stderr, said)
		return 2
	}
	if *junit != "" {
		if err := writeJUnit(*junit); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
	}
	return code
}

// needLab brings the lab up before the first test that needs it: a list of tests, or a pattern that
// none of them has, brings none up.
func needLab() env.TestFunc {
	up := sync.OnceValue(func() error {
		if !*keep {
			suite.Finish(provider.Finish)
		}
		_, err := envfuncs.CreateCluster(provider, *labName)(context.Background(), suite.EnvConf())
		return err
	})
	return func(ctx context.Context, _ *envconf.Config, _ *testing.T) (context.Context, error) { return ctx, up() }
}

// mistaken says what a pattern of -run has to be where it is the name of a scenario alone: no test
// has that name, and Go's own test command then says ok.
func mistaken(pattern string) string {
	if !slices.Contains(scenarios.Names(), pattern) {
		return ""
	}
	return fmt.Sprintf("no test was run: scenario %s is run with -run TestScenarios/%s", pattern, pattern)
}

// whyNoLab says what this machine lacks. In a CI that is a failure: there a test that skips is one
// that never runs.
func whyNoLab() string {
	reason := ""
	chosen, known := backends[*backendName]
	switch {
	case !known:
		reason = fmt.Sprintf("backend %q is not one of: %s", *backendName, strings.Join(backendNames(), ", "))
	case testing.Short():
		return "a lab takes longer than -short allows"
	default:
		reason = e2e.MissingFor(*backendName)
		if err := chosen.lack(); reason == "" && err != nil {
			reason = err.Error()
		}
	}
	if reason != "" && os.Getenv("CI") == "true" {
		fmt.Fprintln(os.Stderr, "run scenarios:", reason)
		os.Exit(1)
	}
	return reason
}

// TestScenarios runs each scenario on the shared lab. Run it with -v to see the scenarios live.
func TestScenarios(t *testing.T) {
	if missing != "" {
		t.Skip(missing)
	}
	for _, name := range scenarios.Names() {
		feature := features.New(name).Assess("as told", func(ctx context.Context, t *testing.T,
			_ *envconf.Config) context.Context {
			runScenario(ctx, t, name)
			return ctx
		})
		suite.Test(t, feature.Feature())
	}
}

func runScenario(ctx context.Context, t *testing.T, name string) {
	s, err := scenarios.Find(name)
	if err != nil {
		t.Fatal(err)
	}
	connected, err := mesh.Connect(provider.GetKubeconfig())
	if err != nil {
		t.Fatal(err)
	}
	lab := script.Lab{Mesh: runs.Of(connected), Cluster: provider.Lab(), Backend: backend,
		Guard: []string{os.Args[0], "__undo"}}
	var account bytes.Buffer
	result := script.Run(ctx, lab, s, script.Options{Update: golden.Updating(), Events: script.NewLive(&account)})
	suites = append(suites, result.Suite())
	pageIsSmall(t, result)
	if text, err := json.Marshal(result); err != nil {
		t.Error(err)
	} else {
		schema.Check(t, "..", text)
	}
	if result.Updated != nil {
		if err := os.WriteFile(name+".txtar", result.Updated, 0o644); err != nil {
			t.Error(err)
		}
	}
	switch {
	case result.Status == script.Skipped:
		t.Skip(result.Reason)
	case result.Status == script.Failed:
		t.Errorf("%s\n%v", account.String(), result.Err)
	case testing.Verbose():
		t.Log(account.String())
	}
}

func writeJUnit(path string) error {
	var text bytes.Buffer
	if err := report.ScenarioJUnit(&text, suites); err != nil {
		return err
	}
	return os.WriteFile(path, text.Bytes(), 0o644)
}
