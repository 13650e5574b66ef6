package explain_test

import (
	"archive/tar"
	"bytes"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/explain"
)

// FuzzRequest explains any line with a dump and without one. What is said has to be of the line.
func FuzzRequest(f *testing.F) {
	for _, c := range []columns{{flags: "UH", details: "no_healthy_upstream", cluster: toServer},
		{request: "- - -", code: "0", flags: "NR", details: "filter_chain_not_found", local: server},
		{code: "200", details: "via_upstream", host: server, cluster: inbound, local: server, sni: istioSNI}} {
		f.Add(c.String())
	}
	f.Add(
		`{"response_code":0,"response_flags":"DC","downstream_local_address":"[::1]:80","path":"//",` +
			`"authority":"\u0000"}`,
	)
	dump, err := configdump.Open(f.Context(), "../../scenarios/dumps/netshoot.json.gz")
	if err != nil {
		f.Fatal(err)
	}
	defer dump.Close()
	f.Fuzz(func(t *testing.T, text string) {
		for _, line := range explain.Lines([]byte(text), nil) {
			for _, d := range []*configdump.Dump{nil, dump} {
				e := explain.Request(line, explain.Options{Dump: d})
				if e.Result == "" || !strings.Contains(text, e.Line.Text) ||
					d == nil && len(e.Hops)+len(e.Differ) > 0 {
					t.Errorf("%q: %+v", text, e)
				}
			}
		}
	})
}

// FuzzArchive reads any archive.
func FuzzArchive(f *testing.F) {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for name, text := range map[string]string{"r/proxies/mark/netshoot/istio-proxy.log": columns{flags: "UH"}.String(),
		"r/proxies/mark/netshoot/config_dump": `{"configs":[]}`} {
		if err := w.WriteHeader(&tar.Header{Name: name, Size: int64(len(text)), Format: tar.FormatUSTAR}); err != nil {
			f.Fatal(err)
		}
		if _, err := w.Write([]byte(text)); err != nil {
			f.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		f.Fatal(err)
	}
	f.Add(b.Bytes())
	f.Add(b.Bytes()[:700])
	f.Fuzz(func(t *testing.T, data []byte) {
		parts, err := explain.Archive(t.Context(), data)
		if (err == nil) == (len(parts) == 0) {
			t.Errorf("%d parts, %v", len(parts), err)
		}
		for _, p := range parts {
			if p.Dump != nil {
				_ = p.Dump.Close()
			}
		}
	})
}
