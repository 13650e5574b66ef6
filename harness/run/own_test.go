package run_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/run"
)

// TestCurlIsAskedWhereItsVersionDecides infers the way of a request by a configuration that does
// not ask for user-agent, and by one that does: only then the pod's curl is asked which one it is.
func TestCurlIsAskedWhereItsVersionDecides(t *testing.T) {
	for _, c := range []struct {
		name    string
		asks    bool   // a route asks for user-agent
		version string // what curl says
		certain bool
		route   string // a part of the decision
	}{
		{"no route asks", false, "curl 8.1.0 (x)\n", true, ""},
		{"a route asks", true, "curl 8.1.0 (x)\n", true, "for-curl"},
		{"a route asks, and curl does not say it", true, "", false, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			lab, _ := workshop(t)
			asked := 0
			lab.Fails = func(what string) error {
				if strings.HasSuffix(what, "curl --version") {
					asked++
				}
				return nil
			}
			client := lab.PodsByRef["netshoot.mark"]
			client.Version = []byte(c.version)
			if c.asks {
				client.Dumps = [][]byte{askingForCurl(t, client.Dumps[0])}
			}
			result, err := run.Do(t.Context(), lab.Run(), plan(t, "http://fortio-server:8080/"), nil)
			if err != nil {
				t.Fatal(err)
			}
			path := result.Run.Path
			depends := slices.ContainsFunc(path.Depends, func(d flow.Dependency) bool { return d.On == flow.OnClient })
			if depends == c.certain || asked > 0 != c.asks {
				t.Errorf("it depends on the client: %t; curl was asked %d times", depends, asked)
			}
			hop := path.Hops[slices.IndexFunc(path.Hops, func(h flow.Hop) bool { return h.Kind == flow.Route })]
			named := slices.ContainsFunc(hop.Expect, func(f flow.Fact) bool {
				return f.Name == flow.FactRoute && f.Value == c.route
			})
			if c.route != "" && !named {
				t.Errorf("the route is %s: %+v", hop.Decision, hop.Expect)
			}
		})
	}
}

// askingForCurl is a client's dump with a route before the one to fortio-server that is for curl.
func askingForCurl(t *testing.T, dump []byte) []byte {
	t.Helper()
	var tree any
	if err := json.Unmarshal(dump, &tree); err != nil {
		t.Fatal(err)
	}
	found := false
	var look func(node any)
	look = func(node any) {
		switch node := node.(type) {
		case []any:
			for _, each := range node {
				look(each)
			}
		case map[string]any:
			name, _ := node["name"].(string)
			routes, _ := node["routes"].([]any)
			if strings.HasPrefix(name, "fortio-server.mark.svc.cluster.local:8080") && len(routes) > 0 {
				text, _ := json.Marshal(routes[0])
				var first map[string]any
				_ = json.Unmarshal(text, &first)
				first["name"] = "for-curl"
				first["match"] = map[string]any{"prefix": "/", "headers": []any{map[string]any{
					"name": "user-agent", "string_match": map[string]any{"prefix": "curl/"}}}}
				node["routes"], found = append([]any{first}, routes...), true
			}
			for _, each := range node {
				look(each)
			}
		}
	}
	look(tree)
	text, err := json.Marshal(tree)
	if err != nil || !found {
		t.Fatal("the dump has no route to fortio-server", err)
	}
	return text
}
