package mesh

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/flowproof/lab/harness/fault"
)

// adminAnswering is a sidecar whose admin interface is a handler.
func adminAnswering(t *testing.T, handler http.HandlerFunc) *Sidecar {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "tcp", server.Listener.Addr().String())
	}
	pod := &Pod{obj: &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "fortio-server", Namespace: "mark"}}}
	return &Sidecar{
		pod: pod, forward: &forwarder{pod: pod},
		client: &http.Client{Transport: &http.Transport{DialContext: dial, DisableKeepAlives: true}},
	}
}

func TestDump(t *testing.T) {
	for _, tc := range []struct {
		name   string
		answer http.HandlerFunc
		want   string // in the error; empty: none
	}{
		{"whole", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{\"configs\": []}\n") }, ""},
		{"broken off in the middle of a chunk", func(w http.ResponseWriter, _ *http.Request) {
			fmt.Fprint(w, strings.Repeat(`{"configs":`, 1000))
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}, "the answer broke off after 11000 bytes"},
		{"shorter than its length", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "100")
			fmt.Fprint(w, `{"configs": []}`)
		}, "the answer broke off after 15 bytes"},
		{"cut by Envoy itself", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, `{"configs": [`) },
			"is not one JSON object"},
		{"empty", func(http.ResponseWriter, *http.Request) {}, "of 0 bytes is not one JSON object"},
		{"not Envoy", func(w http.ResponseWriter, _ *http.Request) { http.Error(w, "no such page\nsecond line", 404) },
			"404 Not Found: no such page"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			_, err := adminAnswering(t, tc.answer).Dump(t.Context())
			check(t, err, tc.want, fault.Environment)
		})
	}
}

func TestCancelledCallIsInterrupted(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, err := adminAnswering(t, func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}).Dump(ctx)
	check(t, err, "ask Envoy of fortio-server.mark for /config_dump", fault.Interrupted)
}

// logging is an admin interface with three loggers. Envoys before 1.23 do not know paths.
func logging(levels Levels, knowsPaths bool, stuck string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodPost {
			http.Error(w, "Method Not Allowed", http.StatusMethodNotAllowed)
			return
		}
		for key, values := range r.URL.Query() {
			switch {
			case key == "level":
				for logger := range levels {
					levels[logger] = values[0]
				}
			case key == "paths" && knowsPaths:
				for _, pair := range strings.Split(values[0], ",") {
					logger, level, _ := strings.Cut(pair, ":")
					levels[logger] = level
				}
			case levels[key] != "":
				levels[key] = values[0]
			default:
				http.Error(w, "unknown logger "+key, http.StatusBadRequest)
				return
			}
			if stuck != "" {
				levels[stuck] = "warning"
			}
		}
		fmt.Fprintln(w, "active loggers:")
		for logger, level := range levels {
			fmt.Fprintf(w, "  %s: %s\n", logger, level)
		}
	}
}

func TestLevelsAreSetAndRestored(t *testing.T) {
	for _, knowsPaths := range []bool{true, false} {
		t.Run(fmt.Sprintf("paths known %v", knowsPaths), func(t *testing.T) {
			state := Levels{"admin": "warning", "http": "warning", "misc": "error"}
			s := adminAnswering(t, logging(state, knowsPaths, ""))
			before, err := s.Loggers(t.Context())
			if err != nil || before.Summary() != "warning; misc at error" {
				t.Fatalf("Loggers: %v, %v", before, err)
			}
			if err := s.SetLevel(t.Context(), "debug"); err != nil {
				t.Fatal(err)
			}
			if now, _ := s.Loggers(t.Context()); now.Summary() != "debug" {
				t.Fatalf("after SetLevel: %v", now)
			}
			if err := s.Restore(t.Context(), before); err != nil {
				t.Fatal(err)
			}
			if now, _ := s.Loggers(t.Context()); now.String() != before.String() {
				t.Errorf("after Restore: %v, want %v", now, before)
			}
		})
	}
}

func TestLevelThatDoesNotChangeIsAnError(t *testing.T) {
	s := adminAnswering(t, logging(Levels{"admin": "warning", "http": "warning"}, true, "http"))
	check(t, s.SetLevel(t.Context(), "debug"), "logger http is at warning and should be at debug", fault.Environment)
	check(t, s.SetLevel(t.Context(), "loud"), `unknown level "loud"`, fault.Usage)
}

func TestIdentity(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	info := func(uptime string, epoch int) []byte {
		return []byte(fmt.Sprintf(
			`{"version":"c0ffee/1.40.0/Clean/RELEASE/BoringSSL","uptime_current_epoch":%q,"command_line_options":{`+
				`"restart_epoch":%d,"concurrency":2}}`, uptime, epoch))
	}
	first := Identity{Container: "containerd://a"}
	if err := first.parseServerInfo(info("100s", 0), now); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		name, uptime, container string
		epoch                   int
		after                   time.Duration
		want                    string
	}{
		{"the same, later", "130s", "containerd://a", 0, 30 * time.Second, ""},
		{"the same, seconds cut", "131s", "containerd://a", 0, 32 * time.Second, ""},
		{"container replaced", "2s", "containerd://b", 0, 30 * time.Second, "its container was replaced"},
		{"hot restart", "2s", "containerd://a", 1, 30 * time.Second, "hot restart epoch 0, now 1"},
		{"process replaced", "5s", "containerd://a", 0, 30 * time.Second, "started 11:58:20, now 12:00:25"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			later := Identity{Container: tc.container}
			if err := later.parseServerInfo(info(tc.uptime, tc.epoch), now.Add(tc.after)); err != nil {
				t.Fatal(err)
			}
			if got := first.Changed(later); !strings.HasPrefix(got, tc.want) || (tc.want == "") != (got == "") {
				t.Errorf("Changed: %q, want %q", got, tc.want)
			}
		})
	}
	var id Identity
	if err := id.parseServerInfo([]byte(`{"uptime_current_epoch":"soon"}`), now); err == nil {
		t.Error("an uptime that is no number was accepted")
	}
}

func TestSplitRef(t *testing.T) {
	for _, tc := range []struct{ ref, name, namespace string }{
		{"netshoot", "netshoot", "mark"},
		{"istiod-757596f866-7c66k.istio-system", "istiod-757596f866-7c66k", "istio-system"},
		{"a.b.kube-system", "a.b", "kube-system"},
		{"", "", "mark"},
	} {
		if name, namespace := SplitRef(tc.ref, "mark"); name != tc.name || namespace != tc.namespace {
			t.Errorf("SplitRef(%q) = %q, %q", tc.ref, name, namespace)
		}
	}
}

func TestPodWithoutSidecar(t *testing.T) {
	pod := &Pod{obj: &v1.Pod{ObjectMeta: metav1.ObjectMeta{Name: "coredns", Namespace: "kube-system"},
		Status: v1.PodStatus{ContainerStatuses: []v1.ContainerStatus{{Name: "coredns"}}}}}
	_, err := pod.Sidecar()
	check(t, err, "reach sidecar of coredns.kube-system: the pod has none, its containers are: coredns", fault.Usage)
	_, err = pod.Exec(t.Context(), "istio-proxy", []string{"true"}, nil)
	check(t, err, `no container "istio-proxy" (there are: coredns)`, fault.Usage)
}

func TestConnect(t *testing.T) {
	_, err := Connect(t.TempDir() + "/nothing")
	check(t, err, "bring a lab up with `lab up`", fault.Environment)
}

func FuzzParseLoggers(f *testing.F) {
	f.Add("active loggers:\n  admin: warning\n  http: debug\n")
	f.Add("admin: loud")
	f.Fuzz(func(t *testing.T, answer string) {
		levels, err := parseLoggers(answer)
		if err == nil && len(levels) == 0 {
			t.Error("no logger and no error")
		}
		again, err2 := parseLoggers(strings.ReplaceAll(strings.ReplaceAll(levels.String(), ",", "\n"), "\x00", ""))
		if err == nil && err2 == nil && len(again) > len(levels) {
			t.Errorf("%d loggers became %d", len(levels), len(again))
		}
	})
}

func FuzzServerInfo(f *testing.F) {
	f.Add([]byte(`{"version":"x/1.40.0","uptime_current_epoch":"3s","command_line_options":{"restart_epoch":0}}`))
	f.Fuzz(func(t *testing.T, answer []byte) {
		var id Identity
		now := time.Unix(1800000000, 0)
		if err := id.parseServerInfo(answer, now); err == nil && id.Started.After(now) {
			t.Errorf("started in the future: %s", id.Started)
		}
	})
}

// check compares an error with the text and the kind that it is to have.
func check(t *testing.T, err error, want string, kind fault.Kind) {
	t.Helper()
	if want == "" {
		if err != nil {
			t.Errorf("unexpected error: %v", err)
		}
		return
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("error %v, want %q", err, want)
	}
	if err != nil && fault.Of(err) != kind {
		t.Errorf("error %v has kind %q, want %q", err, fault.Of(err), kind)
	}
}
