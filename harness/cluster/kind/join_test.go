package kind

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/flowproof/lab/internal/progress"
)

// TestOnlyAMissingMarkIsHalfALab asks servers that answer as an apiserver would, since only errHalf
// lets up remove a cluster.
func TestOnlyAMissingMarkIsHalfALab(t *testing.T) {
	const absent = `{"kind":"Status","apiVersion":"v1","status":"Failure","reason":"NotFound","code":404,"details":{` +
		`"name":"flowproof-lab","kind":"configmaps"}}`
	const mark = `{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"flowproof-lab"},"data":{"timings":"[{}]"}}`
	for _, tt := range []struct {
		name      string
		code      int
		body      string
		restarted bool
		half      bool
		timings   int
	}{
		{"the mark is there", http.StatusOK, mark, false, false, 1},
		{"there is no mark", http.StatusNotFound, absent, false, true, 0},
		{"there is no mark on a node that was started again", http.StatusNotFound, absent, true, true, 0},
		{"it is not ready", http.StatusServiceUnavailable, "", false, false, 0},
		{"it does not become ready after the node was started again", http.StatusServiceUnavailable, "", true, true, 0},
		{"it refuses this user", http.StatusForbidden, "", false, false, 0},
		{"no listener", 0, "", false, false, 0},
	} {
		t.Run(tt.name, func(t *testing.T) {
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/json")
				w.WriteHeader(tt.code)
				fmt.Fprint(w, tt.body)
			}))
			defer server.Close()
			if tt.code == 0 {
				server.Close()
			}
			path := filepath.Join(t.TempDir(), "kubeconfig")
			text := fmt.Sprintf("{apiVersion: v1, kind: Config, current-context: x, contexts: [{name: x, context: "+
				"{cluster: x}}], clusters: [{name: x, cluster: {server: %q}}]}", server.URL)
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			var timings []progress.Timing
			timings, err := whole(ctx, path, tt.restarted)
			if (err == nil) != (tt.timings > 0) || len(timings) != tt.timings || errors.Is(err, errHalf) != tt.half {
				t.Errorf("%v, %v; want half a lab: %v", timings, err, tt.half)
			}
		})
	}
}
