package mesh

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/internal/bytesize"
)

// sliceFrom is from how many clusters on a dump is asked for in slices. Envoy writes
// about 50 clusters with their endpoints in a millisecond, and does nothing else on its
// main thread meanwhile.
const sliceFrom = 2000

// wholeDump is what is asked for a dump in one answer.
const wholeDump = "/config_dump?include_eds"

// Dump returns Envoy's whole configuration as JSON, endpoints included: /config_dump?include_eds.
// HTTP's own framing tells a truncated answer, and what is not one JSON object from first byte to
// last is refused. A proxy of many clusters is asked in slices, between which it works on; they are
// not of one moment, as a whole dump is.
func (s *Sidecar) Dump(ctx context.Context) ([]byte, error) {
	if many := s.limits().slices(); many > 0 && s.clusters(ctx) >= many {
		return s.sliced(ctx)
	}
	return s.dumpOf(ctx, wholeDump, s.limits().dump())
}

// dumpOf asks for one answer of /config_dump, which has to be one JSON object.
func (s *Sidecar) dumpOf(ctx context.Context, path string, most int64) ([]byte, error) {
	var dump []byte
	err := s.stream(ctx, http.MethodGet, path, most, func(answer io.Reader) (err error) {
		dump, err = io.ReadAll(answer)
		return err
	})
	if errors.Is(err, errTooLarge) {
		return nil, fmt.Errorf("%w (give --max-dump SIZE, %s at most)", err, bytesize.Text(maxAnswer))
	}
	if err != nil {
		return nil, err
	}
	trimmed := bytes.TrimSpace(dump)
	if len(trimmed) == 0 || trimmed[0] != '{' || trimmed[len(trimmed)-1] != '}' {
		return nil, fault.Environmentf("dump %s: the answer of %d bytes is not one JSON object (it was cut, or 15000 "+
			"is not Envoy)", s.pod.Ref(), len(dump))
	}
	return dump, nil
}

// clusters is how many clusters the proxy has; 0 where it does not say.
func (s *Sidecar) clusters(ctx context.Context) int {
	text, err := s.Stats(ctx, `^cluster_manager\.active_clusters$`)
	if err != nil {
		return 0
	}
	_, value, _ := strings.Cut(string(text), ": ")
	n, _ := strconv.Atoi(strings.TrimSpace(value))
	return n
}

// part is one section of a dump and the lists in it, by the names of their fields.
type part struct {
	message string // of envoy.admin.v3
	lists   []string
}

// parts are the sections of a dump after the bootstrap; source: envoy/admin/v3/config_dump.proto
// and config_dump_shared.proto.
var parts = []part{
	{"ClustersConfigDump", []string{"static_clusters", "dynamic_active_clusters", "dynamic_warming_clusters"}},
	{"EndpointsConfigDump", []string{"static_endpoint_configs", "dynamic_endpoint_configs"}},
	{"ListenersConfigDump", []string{"static_listeners", "dynamic_listeners"}},
	{"ScopedRoutesConfigDump", []string{"inline_scoped_route_configs", "dynamic_scoped_route_configs"}},
	{"RoutesConfigDump", []string{"static_route_configs", "dynamic_route_configs"}},
	{"SecretsConfigDump", []string{"static_secrets", "dynamic_active_secrets", "dynamic_warming_secrets"}},
	{"EcdsConfigDump", []string{"ecds_filters"}},
}

// many are the lists that have an element for each cluster, which are asked for in slices of names.
var many = map[string]bool{"dynamic_active_clusters": true, "dynamic_endpoint_configs": true}

// namesApart are expressions of which each name matches one: by the last character before its first
// dot. Services are numbered at their end, and differ there more than where they begin.
var namesApart = func() []string {
	var all []string
	for _, last := range []string{"0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "abcd", "ef", "ghij", "klmn",
		"opqr", "stuvwxyz"} {
		all = append(all, `(?s)[^.]*[`+last+`](?:\..*)?`)
	}
	return append(all, `(?s)(?:[^.]*[^a-z0-9.])?(?:\..*)?`)
}()

// sliced asks for a dump list by list, and long lists name by name, and puts it
// together as Envoy would have.
func (s *Sidecar) sliced(ctx context.Context) ([]byte, error) {
	left := s.limits().dump()
	ask := func(query string) (answer configs, err error) {
		text, err := s.dumpOf(ctx, "/config_dump?"+query, left)
		if err != nil {
			return answer, err
		}
		if left -= int64(len(text)); left <= 0 {
			left = 1 // nothing more fits
		}
		if err := json.Unmarshal(text, &answer); err != nil {
			return answer, fault.Environmentf("dump %s in slices: %s: %w", s.pod.Ref(), query, err)
		}
		return answer, nil
	}
	whole, err := ask("mask=bootstrap")
	if err != nil {
		return nil, err
	}
	whole.Configs = ofType(whole.Configs, "BootstrapConfigDump")
	for _, p := range parts {
		section := map[string]any{"@type": adminType + p.message}
		for _, list := range p.lists {
			elements, err := s.listOf(list, ask)
			if err != nil {
				return nil, err
			}
			if len(elements) > 0 {
				section[list] = elements
			}
		}
		if len(section) == 1 && p.message == "EcdsConfigDump" {
			continue // Envoy has no such section where it has no such filter
		}
		text, err := json.Marshal(section)
		if err != nil {
			return nil, fault.Environmentf("dump %s in slices: %w", s.pod.Ref(), err)
		}
		whole.Configs = append(whole.Configs, text)
	}
	return json.Marshal(whole)
}

const adminType = "type.googleapis.com/envoy.admin.v3."

// configs is an answer of /config_dump.
type configs struct {
	Configs []json.RawMessage `json:"configs"`
}

// listOf asks for one list of a section. Envoy answers with 404 where the section is not there.
func (s *Sidecar) listOf(list string, ask func(query string) (configs, error)) ([]json.RawMessage, error) {
	queries := []string{"include_eds&resource=" + list}
	if many[list] {
		queries = nil
		for _, names := range namesApart {
			queries = append(queries, "include_eds&resource="+list+"&name_regex="+url.QueryEscape(names))
		}
	}
	var all []json.RawMessage
	for _, query := range queries {
		answer, err := ask(query)
		if err != nil && strings.Contains(err.Error(), list+" not found in config dump") {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		for _, element := range answer.Configs {
			bare, err := withoutType(element)
			if err != nil {
				return nil, fault.Environmentf("dump %s in slices: %s: %w", s.pod.Ref(), list, err)
			}
			all = append(all, bare)
		}
	}
	return all, nil
}

// withoutType takes "@type" off an element, which stands there in place of the list that it is of.
func withoutType(element json.RawMessage) (json.RawMessage, error) {
	var members map[string]json.RawMessage
	if err := json.Unmarshal(element, &members); err != nil {
		return nil, err
	}
	delete(members, "@type")
	return json.Marshal(members)
}

// ofType are the sections of one type.
func ofType(all []json.RawMessage, message string) []json.RawMessage {
	var found []json.RawMessage
	for _, section := range all {
		var head struct {
			Type string `json:"@type"`
		}
		if json.Unmarshal(section, &head) == nil && head.Type == adminType+message {
			found = append(found, section)
		}
	}
	return found
}
