package logformat

import (
	"encoding/json"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
)

// parseJSON reads a line that is one JSON object. Without members that say what each stands for,
// they are taken by their names, as Istio's own format has them.
func (f *Format) parseJSON(row string) (Line, bool) {
	if len(row) > maxLine || !strings.HasPrefix(row, "{") {
		return Line{}, false
	}
	var object map[string]any
	decoder := json.NewDecoder(strings.NewReader(row))
	decoder.UseNumber()
	if decoder.Decode(&object) != nil || decoder.More() {
		return Line{}, false
	}
	line := Line{Text: row, Format: f.Name, values: map[string]string{}}
	flat := map[string]string{}
	flatten("", object, flat)
	for name, value := range flat {
		format, ok := f.members[name]
		switch {
		case !ok && len(f.members) > 0:
		case !ok && name == Path: // Istio's own format has %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% there
			line.set(OriginalPath, value)
		case !ok:
			line.set(name, value)
		case value == "" && len(format.fields) == 1:
			line.set(format.fields[0].name, "")
		default:
			part, ok := format.Parse(value)
			if !ok {
				return Line{}, false
			}
			for name, value := range part.values {
				line.set(name, value)
			}
			for name := range part.open {
				line.unsure(name)
			}
		}
	}
	if f.members != nil && len(f.members) == 0 && line.values["msg"] != "" && line.values["level"] != "" {
		return Line{}, false // a line of pilot-agent's or Envoy's own log in JSON
	}
	return line, true
}

// flatten names each scalar by its path.
func flatten(at string, value any, into map[string]string) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			if at != "" {
				name = at + "." + name
			}
			flatten(name, member, into)
		}
	case string:
		into[at] = v
	case json.Number:
		into[at] = v.String()
	case nil:
		into[at] = ""
	}
}

// FromDump returns the formats that the access logs of a dump have, by where they stand.
func FromDump(d *configdump.Dump) []*Format {
	found := &finder{seen: map[string]bool{}}
	for _, r := range d.Resources(configdump.Listener) {
		found.look(r.Value(), 0)
	}
	return found.formats
}

// deepest bounds how deep an access log may stand in a listener.
const deepest = 24

type finder struct {
	formats []*Format
	seen    map[string]bool
}

// look finds access logs anywhere in a value.
func (f *finder) look(v configdump.Value, depth int) {
	if depth > deepest {
		return
	}
	for _, e := range v.Elements() {
		f.look(e, depth+1)
	}
	for name, member := range v.Fields() {
		if configdump.FieldName(name) == "access_log" {
			for _, log := range member.Elements() {
				f.take(log.Get("typed_config"))
			}
			continue
		}
		f.look(member, depth+1)
	}
}

// take reads the format of one access log.
func (f *finder) take(config configdump.Value) {
	format := config.Get("log_format")
	text := format.Get("text_format_source", "inline_string")
	for _, v := range []configdump.Value{text, format.Get("text_format"), config.Get("format")} {
		if !v.Exists() || f.seen[v.Text()] {
			continue
		}
		f.seen[v.Text()] = true
		if c, err := Compile(v.Pointer(), v.Text()); err == nil {
			f.formats = append(f.formats, c)
		}
	}
	for _, v := range []configdump.Value{
		format.Get("json_format"), config.Get("json_format"), config.Get("typed_json_format"),
	} {
		if !v.Exists() || f.seen[string(v.Raw())] {
			continue
		}
		f.seen[string(v.Raw())] = true
		var object map[string]any
		if json.Unmarshal(v.Raw(), &object) != nil {
			continue
		}
		flat := map[string]string{}
		flatten("", object, flat)
		members := map[string]*Format{}
		for name, text := range flat {
			if c, err := Compile(name, text); err == nil {
				members[name] = c
			}
		}
		if len(members) > 0 {
			f.formats = append(f.formats, &Format{Name: v.Pointer(), members: members})
		}
	}
}
