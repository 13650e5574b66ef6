package main

import (
	"debug/buildinfo"
	"io"
	"strings"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
)

// materials writes beside an archive which modules its command is made of, as the Go toolchain
// recorded them in the program itself (CycloneDX 1.6, https://cyclonedx.org/docs/1.6/json).
func (r release) materials(b built, archive string) error {
	info, err := buildinfo.ReadFile(b.program)
	if err != nil {
		return err
	}
	bom := cyclonedx.NewBOM()
	bom.Metadata = &cyclonedx.Metadata{Component: &cyclonedx.Component{Type: cyclonedx.ComponentTypeApplication,
		Name: "lab", Version: r.version}}
	components := []cyclonedx.Component{{Type: cyclonedx.ComponentTypeLibrary, Name: "std", Version: info.GoVersion,
		PackageURL: "pkg:golang/std@" + strings.TrimPrefix(info.GoVersion, "go")}}
	for _, m := range info.Deps {
		if m.Replace != nil {
			m = m.Replace
		}
		components = append(components, cyclonedx.Component{Type: cyclonedx.ComponentTypeLibrary, Name: m.Path,
			Version: m.Version, PackageURL: "pkg:golang/" + m.Path + "@" + m.Version})
	}
	bom.Components = &components
	name := strings.TrimSuffix(strings.TrimSuffix(archive, ".zip"), ".tar.gz") + ".cdx.json"
	return create(name, func(w io.Writer) error {
		return cyclonedx.NewBOMEncoder(w, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bom)
	})
}
