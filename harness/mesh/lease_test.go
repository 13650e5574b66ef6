package mesh

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	corev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/flowproof/lab/harness/fault"
)

// onePod is an apiserver that has one pod, and takes patches of its annotations as a real one does:
// not of an older version.
type onePod struct {
	mu        sync.Mutex
	pod       v1.Pod
	version   int
	forbidden bool
	raced     func() // happens before the first patch
}

func (a *onePod) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	a.mu.Lock()
	defer a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	refuse := func(code int, reason string) {
		w.WriteHeader(code)
		_ = json.NewEncoder(w).Encode(map[string]any{"kind": "Status", "apiVersion": "v1", "status": "Failure",
			"reason": reason, "code": code})
	}
	if r.Method == http.MethodPatch {
		if a.raced != nil {
			a.raced()
			a.raced = nil
		}
		var patch struct {
			Metadata struct {
				Version     string             `json:"resourceVersion"`
				Annotations map[string]*string `json:"annotations"`
			} `json:"metadata"`
		}
		body, _ := io.ReadAll(r.Body)
		switch err := json.Unmarshal(body, &patch); {
		case err != nil:
			refuse(400, "BadRequest")
			return
		case a.forbidden:
			refuse(403, "Forbidden")
			return
		case patch.Metadata.Version != strconv.Itoa(a.version):
			refuse(409, "Conflict")
			return
		}
		a.version++
		for name, value := range patch.Metadata.Annotations {
			if delete(a.pod.Annotations, name); value != nil {
				a.pod.Annotations[name] = *value
			}
		}
	}
	a.pod.ResourceVersion = strconv.Itoa(a.version)
	_ = json.NewEncoder(w).Encode(a.pod)
}

// leasing is a sidecar with loggers, on an apiserver of one pod.
func leasing(t *testing.T) (*Sidecar, *onePod, Levels) {
	t.Helper()
	levels := Levels{"admin": "warning", "http": "warning", "misc": "error"}
	var mu sync.Mutex
	answer := logging(levels, true, "")
	s := adminAnswering(t, func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		answer(w, r)
	})
	api := &onePod{pod: *s.pod.obj.DeepCopy(), version: 1}
	api.pod.Annotations = map[string]string{"other": "stays"}
	api.pod.Status.ContainerStatuses = []v1.ContainerStatus{{Name: SidecarContainer, ContainerID: "one"}}
	server := httptest.NewServer(api)
	t.Cleanup(server.Close)
	config := &rest.Config{Host: server.URL, QPS: 10000, Burst: 10000}
	core, err := corev1.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	s.pod.mesh = &Mesh{config: config, core: core}
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	return s, api, levels
}

// another is the same sidecar as another process has it.
func another(s *Sidecar) *Sidecar {
	return &Sidecar{pod: &Pod{mesh: s.pod.mesh, obj: s.pod.obj.DeepCopy()}, forward: s.forward, client: s.client}
}

func mayNotWait(t *testing.T) func(Holder) {
	return func(h Holder) { t.Errorf("it waits for %s", h) }
}

// TestLeaseIsOneAtATime raises and releases from many sides at once: none sees another's levels,
// and they end as they began.
func TestLeaseIsOneAtATime(t *testing.T) {
	s, api, levels := leasing(t)
	before := maps.Clone(levels)
	var inside atomic.Int32
	var all sync.WaitGroup
	for range 12 {
		all.Go(func() {
			s := another(s)
			lease, err := s.HoldLevels(t.Context(), func(Holder) {})
			if err != nil {
				t.Error(err)
				return
			}
			if inside.Add(1) > 1 || lease.Levels.String() != before.String() {
				t.Errorf("levels %s, and another holds them", lease.Levels)
			}
			if err := s.SetLevel(t.Context(), "debug"); err != nil {
				t.Error(err)
			}
			inside.Add(-1)
			lease.Stop()
			if err := s.ReleaseLevels(t.Context(), lease.ID, lease.Levels); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if levels.String() != before.String() || len(api.pod.Annotations) != 1 {
		t.Errorf("levels %s, annotations %v", levels, api.pod.Annotations)
	}
}

// dead is a lease as a process of this machine left it that is gone.
func dead(t *testing.T, container string) string {
	t.Helper()
	cmd := exec.Command("true")
	if err := cmd.Run(); err != nil {
		t.Skip(err)
	}
	holder := thisHolder()
	holder.PID, holder.Began = cmd.Process.Pid, "1"
	text, err := json.Marshal(leaseRecord{Holder: holder, Container: container,
		Levels: Levels{"admin": "info", "http": "warning", "misc": "error"}})
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// TestDeadHolder takes over what a killed process left, with the levels that were true before
// it, or puts it right.
func TestDeadHolder(t *testing.T) {
	for _, tc := range []struct{ name, container, want string }{
		{"with the levels of before", "one", "admin:info,http:warning,misc:error"},
		{"of another start, whose levels are gone", "zero", "admin:debug,http:debug,misc:debug"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, api, levels := leasing(t)
			api.pod.Annotations[LeaseAnnotation] = dead(t, tc.container)
			if err := s.SetLevel(t.Context(), "debug"); err != nil {
				t.Fatal(err)
			}
			lease, err := s.HoldLevels(t.Context(), mayNotWait(t))
			if err != nil {
				t.Fatal(err)
			}
			lease.Stop()
			if lease.Levels.String() != tc.want {
				t.Errorf("levels %s, want %s", lease.Levels, tc.want)
			}
			if err := s.ReleaseLevels(t.Context(), lease.ID, lease.Levels); err != nil || levels.String() != tc.want {
				t.Errorf("%v, levels %s, want %s", err, levels, tc.want)
			}
		})
	}
	s, api, levels := leasing(t)
	api.pod.Annotations[LeaseAnnotation] = dead(t, "one")
	left, living, err := s.resetLevels(t.Context(), true)
	if err != nil || living || left == nil || levels.String() != "admin:info,http:warning,misc:error" ||
		len(api.pod.Annotations) != 1 {
		t.Errorf("reset %v, %v, %v, levels %s", left, living, err, levels)
	}
}

// TestReleaseAfterRestart gives a lease back after the sidecar's container became another one for
// the apiserver: where it was another already when the levels were raised, they are set back; where
// it started since, its levels are its own.
func TestReleaseAfterRestart(t *testing.T) {
	for _, c := range []struct{ name, now, want string }{
		{"raised since", "debug", "admin:warning,http:warning,misc:error"},
		{"its own, which are others", "info", "admin:info,http:warning,misc:error"},
		{"its own, at one level that is no higher", "warning", "admin:warning,http:warning,misc:warning"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, api, levels := leasing(t)
			lease, err := s.HoldLevels(t.Context(), mayNotWait(t))
			if err != nil {
				t.Fatal(err)
			}
			lease.Stop()
			api.mu.Lock()
			api.pod.Status.ContainerStatuses[0].ContainerID = "two"
			api.mu.Unlock()
			if c.now == "info" {
				levels["admin"] = "info"
			} else if err := s.SetLevel(t.Context(), c.now); err != nil {
				t.Fatal(err)
			}
			if err := s.ReleaseLevels(t.Context(), lease.ID, lease.Levels); err != nil || levels.String() != c.want {
				t.Errorf("%v, levels %s, want %s", err, levels, c.want)
			}
			if len(api.pod.Annotations) != 1 {
				t.Errorf("annotations %v", api.pod.Annotations)
			}
		})
	}
}

// TestLivingHolder names who holds the levels and since when, and does not touch them.
func TestLivingHolder(t *testing.T) {
	s, _, levels := leasing(t)
	lease, err := s.HoldLevels(t.Context(), mayNotWait(t))
	if err != nil {
		t.Fatal(err)
	}
	defer lease.Stop()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 600*time.Millisecond, errors.New("no patience"))
	defer cancel()
	told := 0
	_, err = another(s).HoldLevels(ctx, func(h Holder) { told++ })
	if !errors.Is(err, ErrHeld) || told != 1 || !strings.Contains(err.Error(), "pid "+strconv.Itoa(os.Getpid())) ||
		levels["http"] != "warning" {
		t.Errorf("error %v, told %d times", err, told)
	}
	told = 0
	ctx, cancel = context.WithTimeout(t.Context(), 600*time.Millisecond)
	defer cancel()
	if err := another(s).AwaitFree(ctx, func(h Holder) { told++ }); !errors.Is(err, ErrHeld) || told != 1 {
		t.Errorf("awaited: %v, told %d times", err, told)
	}
	if left, living, err := another(s).resetLevels(t.Context(), true); err != nil || !living || left == nil {
		t.Errorf("reset %v, %v, %v", left, living, err)
	}
}

// TestLostRace says who has the sidecar also where it was free when it was looked at first.
func TestLostRace(t *testing.T) {
	s, api, levels := leasing(t)
	text, err := json.Marshal(leaseRecord{Holder: thisHolder(), Container: "one", Levels: levels})
	if err != nil {
		t.Fatal(err)
	}
	api.raced = func() {
		api.version++
		api.pod.Annotations[LeaseAnnotation] = string(text)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	told := 0
	_, err = s.HoldLevels(ctx, func(Holder) {
		told++
		cancel()
	})
	if !errors.Is(err, ErrHeld) || told != 1 {
		t.Errorf("error %v, told %d times", err, told)
	}
}

// TestAwaitFree writes nothing where the sidecar is free, nor where its holder is gone.
func TestAwaitFree(t *testing.T) {
	s, api, _ := leasing(t)
	for _, left := range []string{"", dead(t, "one")} {
		if left != "" {
			api.pod.Annotations[LeaseAnnotation] = left
		}
		if err := s.AwaitFree(t.Context(), mayNotWait(t)); err != nil || api.version != 1 ||
			api.pod.Annotations[LeaseAnnotation] != left {
			t.Errorf("%v, version %d, annotations %v", err, api.version, api.pod.Annotations)
		}
	}
}

// TestNoRight keeps the lease in a file where pods may not be patched.
func TestNoRight(t *testing.T) {
	s, api, levels := leasing(t)
	api.forbidden = true
	lease, err := s.HoldLevels(t.Context(), mayNotWait(t))
	if err != nil {
		t.Fatal(err)
	}
	lease.Stop()
	if files, _ := filepath.Glob(filepath.Join(os.Getenv("XDG_CACHE_HOME"), "flowproof/leases/*.json")); len(files) !=
		1 {
		t.Errorf("files %v", files)
	}
	if err := s.SetLevel(t.Context(), "debug"); err != nil {
		t.Fatal(err)
	}
	if err := s.ReleaseLevels(t.Context(), lease.ID, lease.Levels); err != nil || levels["http"] != "warning" {
		t.Errorf("%v, levels %s", err, levels)
	}
}

// TestNoLease does not write over an annotation that it cannot read.
func TestNoLease(t *testing.T) {
	for _, text := range []string{"", "{", `{"holder":{"id":"a"}}`, `{"holder":{"id":"a"},"levels":{"http":"loud"}}`} {
		s, api, _ := leasing(t)
		api.pod.Annotations[LeaseAnnotation] = text
		_, err := s.HoldLevels(t.Context(), mayNotWait(t))
		if err == nil || fault.Of(err) != fault.Environment ||
			!strings.Contains(err.Error(), "take it off with kubectl annotate") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzDecodeLease(f *testing.F) {
	f.Add(`{"holder":{"id":"a","pid":1},"container":"b","levels":{"http":"debug"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		record, err := decodeLease(text)
		if err == nil && (record.Holder.ID == "" || len(record.Levels) == 0) {
			t.Errorf("%q is a lease without a holder", text)
		}
	})
}
