package existing

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
)

// A server answers paths as an API server with troubles would: a cluster of the lab's own has none
// of them. What is not in it does not exist.
type server map[string]any // an object, or the code of a failure

func (s server) start(t *testing.T) *rest.Config {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		answer, ok := s[r.Method+" "+r.URL.Path]
		if !ok && r.Method == http.MethodGet {
			answer, ok = s[r.URL.Path]
		}
		if !ok {
			answer = http.StatusNotFound
		}
		w.Header().Set("Content-Type", "application/json")
		if code, failure := answer.(int); failure {
			reasons := map[int]metav1.StatusReason{http.StatusNotFound: metav1.StatusReasonNotFound,
				http.StatusForbidden:          metav1.StatusReasonForbidden,
				http.StatusConflict:           metav1.StatusReasonAlreadyExists,
				http.StatusServiceUnavailable: metav1.StatusReasonServiceUnavailable}
			w.WriteHeader(code)
			answer = metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"},
				Status: metav1.StatusFailure, Code: int32(code),
				Reason: reasons[code], Message: "the server said " + fmt.Sprint(code)}
		}
		_ = json.NewEncoder(w).Encode(answer)
	}))
	t.Cleanup(srv.Close)
	return &rest.Config{Host: srv.URL, QPS: -1}
}

// discovered adds the discovery of the core's ConfigMaps and Secrets, and of another's widgets in a
// group of their own.
func (s server) discovered() server {
	resource := func(name, kind string) metav1.APIResource {
		return metav1.APIResource{Name: name, Kind: kind, Namespaced: true, Verbs: metav1.Verbs{"list", "delete"}}
	}
	version := metav1.GroupVersionForDiscovery{GroupVersion: "example.com/v1", Version: "v1"}
	for path, answer := range (server{
		"/api": metav1.APIVersions{Versions: []string{"v1"}},
		"/apis": metav1.APIGroupList{Groups: []metav1.APIGroup{{Name: "example.com", PreferredVersion: version,
			Versions: []metav1.GroupVersionForDiscovery{version}}}},
		"/api/v1": metav1.APIResourceList{GroupVersion: "v1",
			APIResources: []metav1.APIResource{resource("configmaps", "ConfigMap"), resource("secrets", "Secret")}},
		"/apis/example.com/v1": metav1.APIResourceList{GroupVersion: "example.com/v1",
			APIResources: []metav1.APIResource{resource("widgets", "Widget")}},
	}) {
		if _, there := s[path]; !there {
			s[path] = answer
		}
	}
	return s
}

// listOf is a list of metadata: an object of each name.
func listOf(names ...string) metav1.PartialObjectMetadataList {
	list := metav1.PartialObjectMetadataList{TypeMeta: metav1.TypeMeta{Kind: "PartialObjectMetadataList",
		APIVersion: "meta.k8s.io/v1"}}
	for _, name := range names {
		list.Items = append(list.Items,
			metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: "ns"}})
	}
	return list
}

// TestMayGo looks into a namespace and at a definition's objects: what cannot be seen may be
// another's.
func TestMayGo(t *testing.T) {
	const maps, secrets, inNamespace, everywhere = "/api/v1/namespaces/ns/configmaps", "/api/v1/namespaces/ns/secrets",
		"/apis/example.com/v1/namespaces/ns/widgets", "/apis/example.com/v1/widgets"
	for _, tt := range []struct {
		name   string
		server server
		kind   string
		object string
		want   string // the start of why it stays; empty: it may go
	}{
		{"an empty namespace", server{maps: listOf(), secrets: listOf(), inNamespace: listOf()}, "Namespace", "ns", ""},
		{"a kind that has gone meanwhile", server{maps: listOf(), secrets: listOf()}, "Namespace", "ns", ""},
		{"another's objects", server{maps: listOf("a", "b"), secrets: 403}, "Namespace", "ns",
			"it holds what this lab did not make: ConfigMap ns/a and 1 more"},
		{"Secrets that may not be listed", server{maps: listOf(), secrets: 403}, "Namespace", "ns",
			"what is in it cannot be listed: secrets (forbidden)"},
		{"a group that does not answer", server{maps: listOf(), secrets: listOf(), "/apis/example.com/v1": 503},
			"Namespace", "ns", "what is in it cannot be listed: API group example.com/v1 (the server"},
		{"a group that has gone meanwhile", server{maps: listOf(), secrets: listOf(), "/apis/example.com/v1": 404},
			"Namespace", "ns", ""},
		{"a definition without objects", server{everywhere: listOf(), "/api/v1/secrets": 403},
			"CustomResourceDefinition", "widgets.example.com", ""},
		{"a definition's objects", server{everywhere: listOf("w")}, "CustomResourceDefinition", "widgets.example.com",
			"it holds what this lab did not make: Widget ns/w"},
		{"a definition's objects that may not be listed", server{everywhere: 403}, "CustomResourceDefinition",
			"widgets.example.com", "what is in it cannot be listed: widgets.example.com (forbidden)"},
		{"a definition's group that does not answer", server{"/apis/example.com/v1": 503}, "CustomResourceDefinition",
			"widgets.example.com", "what is in it cannot be listed: API group example.com/v1"},
		{"another group that does not answer", server{"/apis/example.com/v1": 503}, "CustomResourceDefinition",
			"things.example.org", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := newSite("mine", "", "", tt.server.discovered().start(t))
			if err != nil {
				t.Fatal(err)
			}
			i := item{kind: kind{name: tt.kind}}
			i.Name = tt.object
			err = s.mayGo(t.Context(), i)
			if tt.want == "" && err != nil || tt.want != "" && !strings.HasPrefix(fmt.Sprint(err), tt.want) {
				t.Errorf("%v, want %q", err, tt.want)
			}
		})
	}
}

// TestEnsureIsOvertaken makes an object between the look for it and its creation: it is not
// remembered as ours to take back.
func TestEnsureIsOvertaken(t *testing.T) {
	const maps, namespaces = "/api/v1/namespaces/ns/configmaps", "/api/v1/namespaces"
	for _, tt := range []struct {
		name   string
		object *unstructured.Unstructured
		server server
		made   int
		want   string
	}{
		{"made", object("v1", "ConfigMap", "ns", "a"),
			server{"POST " + maps: object("v1", "ConfigMap", "ns", "a")}, 1, ""},
		{"overtaken", object("v1", "ConfigMap", "ns", "a"), server{"POST " + maps: 409}, 0,
			"install: ConfigMap ns/a was made by another meanwhile (run it again)"},
		{"a shared kind", object("v1", "Namespace", "", "ns"), server{"POST " + namespaces: 409}, 0, ""},
		{"unknown whether it was made", object("v1", "ConfigMap", "ns", "a"), server{"POST " + maps: 503}, 1,
			"install: create ConfigMap ns/a: "},
		{"there before", object("v1", "ConfigMap", "ns", "a"),
			server{maps + "/a": object("v1", "ConfigMap", "ns", "a")}, 0,
			"install: ConfigMap ns/a was made by another meanwhile (run it again)"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, err := newSite("mine", "", "", tt.server.start(t))
			if err != nil {
				t.Fatal(err)
			}
			i := &installer{site: s}
			err = i.ensure(t.Context(), tt.object)
			if tt.want == "" && err != nil || tt.want != "" && !strings.HasPrefix(fmt.Sprint(err), tt.want) ||
				len(i.created) != tt.made {
				t.Errorf("%v, remembers %v; want %q and %d objects", err, i.created, tt.want, tt.made)
			}
		})
	}
}

// TestOursIsWhatCanBeSeen finds the lab's objects for a user who may not see everything.
func TestOursIsWhatCanBeSeen(t *testing.T) {
	s, err := newSite("mine", "", "", server{"/api/v1/configmaps": listOf("a"), "/api/v1/secrets": 403,
		"/apis/example.com/v1": 503}.discovered().start(t))
	if err != nil {
		t.Fatal(err)
	}
	if found, err := s.ours(t.Context()); err != nil || len(found) != 1 {
		t.Errorf("%v, %v", found, err)
	}
}
