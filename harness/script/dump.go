package script

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/fault"
	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/internal/bytesize"
)

var dumpCommand = Command{
	Name:    "dump",
	names:   ends,
	touches: measures,
	Usage:   "dump [-changed | -changed-routes] POD [from FILE]",
	Summary: "Keep the whole configuration of a pod's sidecar, as Envoy itself reports it",
	Detail: "This is /config_dump?include_eds of Envoy's admin interface. infer reads what was kept. With -changed " +
		"it fails while the\n" +
		"listeners are the ones of the dump that was kept before: after apply, wait with `eventually 30s dump " +
		"-changed POD`,\n" +
		"or, where the objects change routes alone, with `-changed-routes`.\n" +
		"From a FILE, JSON or YAML, plain or gzip, it needs no lab; recorded ones are in dumps/.",
	offline: fromFile,
	hand:    handDump,
	replay:  (*replay).dump,
	run: func(s *session, args []string) error {
		changed := unchanged
		if len(args) > 0 {
			changed = changedOf[args[0]]
		}
		if changed != unchanged {
			args = args[1:]
		}
		if fromFile(args) && changed == unchanged {
			return s.dumpFrom(args[0], args[2])
		}
		if len(args) != 1 {
			return badUsage("it needs one pod")
		}
		return s.dump(args[0], changed)
	},
}

// dumpFrom keeps a recorded dump as if it had been taken from the pod. That it is
// another pod's is an error.
func (s *session) dumpFrom(ref, file string) error {
	text, err := s.readFile(file)
	if err != nil {
		return fault.Usagef("dump %s from %s: %w", ref, file, err)
	}
	parsed, err := configdump.Parse(text)
	if err != nil {
		return fault.Usagef("dump %s from %s: %w", ref, file, err)
	}
	defer parsed.Close()
	pod := s.FullName(ref)
	if owner := parsed.Node().Proxy(); owner != pod {
		return fault.Usagef("dump %s from %s: it is the dump of %s", ref, file, owner)
	}
	s.KeepDump(pod, text)
	s.print("%s, recorded", bytesize.Text(int64(parsed.Size())))
	return nil
}

// A part is a part of a dump by which a change is known; "" is none.
type part string

const (
	unchanged part = ""
	listeners part = "listeners"
	routes    part = "routes"
)

var changedOf = map[string]part{"-changed": listeners, "-changed-routes": routes}

// dump takes and keeps a dump; with changed, only one in which that part is not as in the kept one.
func (s *session) dump(ref string, changed part) error {
	dump, err := s.Dump(s.ctx, ref)
	if err != nil {
		return err
	}
	pod := s.FullName(ref)
	sections, err := sectionsOf(dump)
	if err != nil {
		return fault.Environmentf("dump %s: %w", pod, err)
	}
	if changed != unchanged && slices.Equal(changed.versions(dump), changed.versions(s.KeptDump(pod))) {
		return fault.Mismatchf("dump %s: its %s are still the ones of before", pod, changed)
	}
	s.KeepDump(pod, dump)
	if changed != unchanged {
		s.changed[pod] = changed
	}
	s.print("%s in %d sections: %s", bytesize.Text(int64(len(dump))), len(sections), strings.Join(sections, ", "))
	return nil
}

// sectionsOf names a dump's sections, in Envoy's order: Bootstrap, Clusters,
// Endpoints, Listeners, ….
func sectionsOf(dump []byte) ([]string, error) {
	var shell struct {
		Configs []struct {
			Type string `json:"@type"`
		} `json:"configs"`
	}
	if err := json.Unmarshal(dump, &shell); err != nil {
		return nil, fmt.Errorf("the answer is not a config dump: %w", err)
	}
	var names []string
	for _, section := range shell.Configs {
		name := section.Type[strings.LastIndexByte(section.Type, '.')+1:]
		names = append(names, strings.TrimSuffix(name, "ConfigDump"))
	}
	return names, nil
}

// versions are the versions that istiod gave the resources of a part, sorted; a new
// one is a new push.
func (p part) versions(dump []byte) []string {
	type state struct {
		Version string `json:"version_info"`
		Updated string `json:"last_updated"`
	}
	var shell struct {
		Configs []struct {
			Listeners []struct {
				Name   string `json:"name"`
				Active state  `json:"active_state"`
			} `json:"dynamic_listeners"`
			Routes []struct {
				state
				Config struct {
					Name string `json:"name"`
				} `json:"route_config"`
			} `json:"dynamic_route_configs"`
		} `json:"configs"`
	}
	if json.Unmarshal(dump, &shell) != nil {
		return nil
	}
	var versions []string
	add := func(name string, s state) { versions = append(versions, name+" "+s.Version+" "+s.Updated) }
	for _, section := range shell.Configs {
		if p == routes {
			for _, r := range section.Routes {
				add(r.Config.Name, r.state)
			}
			continue
		}
		for _, l := range section.Listeners {
			add(l.Name, l.Active)
		}
	}
	slices.Sort(versions)
	return versions
}

var logLevelCommand = Command{
	Name:    "loglevel",
	names:   ends,
	touches: changes,
	changes: flow.TouchLogLevel,
	Usage:   "loglevel POD LEVEL",
	Summary: "Set all loggers of a pod's Envoy to LEVEL until observe",
	Detail: "Each logger gets its own level back when observe has read the log, or when the scenario ends: after a " +
		"failure, after Ctrl-C, and\neven when the command is killed.\n" +
		"One run at a time has a sidecar alone, on any machine: an annotation on the pod says which, and the levels " +
		"of before. A scenario that\n" +
		"changes anything takes the sidecars of all pods that it names, before it first measures or changes one. " +
		"Another one waits for it.\n" +
		"LEVEL is trace, debug, info, warning, error, critical or off.",
	hand: func(ns string, args []string) []string {
		if len(args) < 2 {
			return nil
		}
		return []string{admin(ns, args[0], "-XPOST 'localhost:15000/logging?level="+args[1]+"'")}
	},
	replay: nothingRecorded,
	run: func(s *session, args []string) error {
		if len(args) != 2 {
			return badUsage("it needs a pod and a level")
		}
		before, err := s.SetLevel(s.ctx, args[0], args[1])
		if err != nil {
			return err
		}
		s.print("%d loggers at %s, before: %s", len(before), args[1], before.Summary())
		return nil
	},
}

// fromFile says that the arguments of dump name a recorded one: POD from FILE.
func fromFile(args []string) bool { return len(args) == 3 && args[1] == "from" }

// handDump asks Envoy for its configuration; of a recorded one there is nothing to type.
func handDump(ns string, args []string) []string {
	if fromFile(args) {
		return nil
	}
	return []string{admin(ns, args[len(args)-1], "'localhost:15000/config_dump?include_eds'")}
}

// dump says how large the recorded dump is, and what is in it.
func (r *replay) dump(args []string) error {
	dump := r.session.KeptDump(r.session.FullName(args[len(args)-1]))
	if dump == nil {
		return errNothing
	}
	sections, err := sectionsOf(dump)
	r.session.print("%s in %d sections: %s", bytesize.Text(int64(len(dump))), len(sections),
		strings.Join(sections, ", "))
	return err
}
