package main

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/fault"
)

// partOf is the part of a dump that was asked for: a section by its name, as listeners, a field by
// its JSON pointer (RFC 6901), or all of it.
func partOf(dump []byte, section, at string) ([]byte, error) {
	switch {
	case section == "" && at == "":
		return dump, nil
	case section != "" && at != "":
		return nil, fault.Usagef("show dump: --section and --at name two things (give one)")
	case at != "":
		return fieldAt(dump, at)
	}
	var shell struct {
		Configs []json.RawMessage `json:"configs"`
	}
	if err := json.Unmarshal(dump, &shell); err != nil {
		return nil, fault.Environmentf("show section: the answer is no config dump: %w", err)
	}
	var names []string
	for _, text := range shell.Configs {
		var typed struct {
			Type string `json:"@type"`
		}
		_ = json.Unmarshal(text, &typed) // it was read once already
		name := strings.TrimSuffix(typed.Type[strings.LastIndexByte(typed.Type, '.')+1:], "ConfigDump")
		if strings.EqualFold(name, section) {
			return text, nil
		}
		names = append(names, strings.ToLower(name))
	}
	return nil, fault.Usagef("show section %q: the dump has none of that name (%s)", section, strings.Join(names, ", "))
}

// fieldAt is the field that a JSON pointer or a selector names. Where there is none, the error
// says how far it leads.
func fieldAt(dump []byte, at string) ([]byte, error) {
	parsed, err := configdump.Parse(dump)
	if err != nil {
		return nil, fault.Environmentf("show field: %w", err)
	}
	defer parsed.Close()
	if !strings.HasPrefix(at, "/") {
		value, err := parsed.Select(at)
		if err != nil {
			return nil, fault.Usagef("%w", err)
		}
		return bytes.Clone(value.Raw()), nil
	}
	if value := parsed.At(at); value.Exists() {
		return bytes.Clone(value.Raw()), nil
	}
	known := at
	for known != "" && !parsed.At(known).Exists() {
		known = known[:strings.LastIndexByte(known, '/')]
	}
	return nil, fault.Usagef("show field %s: the dump has nothing there (it leads as far as %q)", at, known)
}
