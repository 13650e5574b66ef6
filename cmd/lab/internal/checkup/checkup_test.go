package checkup_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	authorization "k8s.io/api/authorization/v1"
	v1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typed "k8s.io/client-go/kubernetes/typed/authorization/v1"
	"k8s.io/client-go/rest"

	"github.com/flowproof/lab/cmd/lab/internal/checkup"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/mesh"
)

// An apiserver answers what a checkup asks.
type apiserver struct {
	denied []string // "VERB RESOURCE"
	mesh   string   // MeshConfig; "": the cluster has none
}

func (a apiserver) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("content-type", "application/json")
	answer := func(value any) { _ = json.NewEncoder(w).Encode(value) }
	switch {
	case strings.HasSuffix(r.URL.Path, "/selfsubjectaccessreviews"):
		var review authorization.SelfSubjectAccessReview
		if err := json.NewDecoder(r.Body).Decode(&review); err != nil {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		at := review.Spec.ResourceAttributes
		name := strings.TrimSuffix(at.Verb+" "+at.Resource+"/"+at.Subresource, "/")
		review.Status.Allowed = !slices.Contains(a.denied, name)
		answer(review)
	case strings.HasSuffix(r.URL.Path, "/configmaps/istio") && a.mesh != "":
		answer(
			v1.ConfigMap{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "ConfigMap"},
				Data:     map[string]string{"mesh": a.mesh},
			},
		)
	case strings.HasSuffix(r.URL.Path, "/pods"):
		answer(v1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}})
	default:
		w.WriteHeader(http.StatusNotFound)
		answer(
			metav1.Status{
				TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"},
				Status:   "Failure",
				Reason:   metav1.StatusReasonNotFound,
				Code:     404,
			},
		)
	}
}

// TestExamine holds what a cluster allows against who asks, from where, and what the mesh declares.
func TestExamine(t *testing.T) {
	const jsonLog = "accessLogFile: /dev/stdout\naccessLogEncoding: JSON\n"
	for name, c := range map[string]struct {
		server      apiserver
		root, local bool
		fit         bool
		lacks       []flow.Instrument // all others take part
		unseen      bool
		adds        string // what root would add
	}{
		"root on the pods' node": {apiserver{mesh: jsonLog}, true, true, true, nil, false, ""},
		"another user there": {apiserver{mesh: jsonLog}, false, true, true,
			[]flow.Instrument{flow.Netfilter, flow.Trace}, true, "eBPF"},
		"far away": {apiserver{mesh: jsonLog}, false, false, true,
			[]flow.Instrument{flow.Netfilter, flow.Trace}, true, "nothing"},
		"an access log in text": {apiserver{mesh: "accessLogFile: /dev/stdout\n"}, false, false, true,
			[]flow.Instrument{flow.AccessLog, flow.Netfilter, flow.Trace}, true, "nothing"},
		"no mesh": {apiserver{}, false, false, true,
			[]flow.Instrument{flow.AccessLog, flow.Netfilter, flow.Trace}, true, "nothing"},
		"no exec": {apiserver{mesh: jsonLog, denied: []string{"create pods/exec"}}, false, false, false,
			[]flow.Instrument{flow.Curl, flow.Netfilter, flow.Sockets, flow.Trace}, true, "nothing"},
		"no logs": {apiserver{mesh: jsonLog, denied: []string{"get pods/log"}}, false, false, true,
			[]flow.Instrument{flow.EnvoyLog, flow.AccessLog, flow.Netfilter, flow.Trace}, true, "nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewServer(c.server)
			defer server.Close()
			config := &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
			m, err := mesh.Of(config)
			if err != nil {
				t.Fatal(err)
			}
			client, err := typed.NewForConfig(config)
			if err != nil {
				t.Fatal(err)
			}
			r := checkup.Examine(
				t.Context(),
				checkup.Environment{
					Mesh:   m,
					Review: client.SelfSubjectAccessReviews(),
					Root:   c.root,
					BPF:    c.root,
					Local:  c.local,
				},
			)
			var lacks []flow.Instrument
			for _, i := range r.Instruments {
				if i.Why == "" {
					t.Errorf("%s does not say what it needs of a cluster", i.Name)
				}
				if !i.Takes {
					lacks = append(lacks, i.Name)
				}
			}
			if r.Fit != c.fit || !slices.Equal(lacks, c.lacks) || len(r.Problems) > 0 {
				t.Errorf("fit %v, all but %v take part, problems %v; want %v, all but %v; %+v", r.Fit, lacks,
					r.Problems, c.fit, c.lacks, r.Rights[0])
			}
			if (len(r.Unseen) > 0) != c.unseen || !strings.HasPrefix(r.Root, c.adds) || c.adds == "" && r.Root != "" {
				t.Errorf("unseen %v, root %q", r.Unseen, r.Root)
			}
		})
	}
}
