package main

import (
	"fmt"
	"io"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/flowproof/lab/internal/components"
)

// release is the version that a published build calls itself, set by the linker.
var release string

// versionResult is the JSON form of `lab version`.
type versionResult struct {
	Schema   string `json:"schema"`
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"` // built from a changed checkout
	Go       string `json:"go"`
	Platform string `json:"platform"`

	Parts []components.Version `json:"parts"` // of a lab whose images are built
}

const versionSchema = "flowproof.dev/version/v1"

func versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		Short:   "Print the versions of lab and of the Kubernetes, Istio and Envoy that it builds",
		Example: "  lab version -o json",
		Args:    cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			v := buildVersion()
			return appOf(cmd).print(v, v.write)
		},
	}
}

// write names the program first, and then the parts of a lab, one a line.
func (v versionResult) write(w io.Writer) error {
	revision := ""
	if v.Revision != "" {
		revision = " commit " + v.Revision[:min(12, len(v.Revision))]
		if v.Modified {
			revision += " (changed)"
		}
	}
	if _, err := fmt.Fprintf(w, "lab %s%s %s %s\n", v.Version, revision, v.Go, v.Platform); err != nil {
		return err
	}
	for _, p := range v.Parts {
		if _, err := fmt.Fprintf(w, "  %-12s %s\n", p.Part, p.Version); err != nil {
			return err
		}
	}
	return nil
}

// buildVersion reads what the Go toolchain wrote into the program.
func buildVersion() versionResult {
	v := versionResult{Schema: versionSchema, Version: "(devel)", Go: runtime.Version(),
		Platform: runtime.GOOS + "/" + runtime.GOARCH, Parts: components.Versions()}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	v.Version = info.Main.Version
	if release != "" {
		v.Version = release
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			v.Revision = s.Value
		case "vcs.modified":
			v.Modified = s.Value == "true"
		}
	}
	return v
}
