package configdump

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
)

// archive packs files as istioctl bug-report does.
func archive(t *testing.T, files ...string) []byte {
	t.Helper()
	var out bytes.Buffer
	z := gzip.NewWriter(&out)
	w := tar.NewWriter(z)
	for i := 0; i < len(files); i += 2 {
		if err := w.WriteHeader(&tar.Header{Name: files[i], Mode: 0o600, Size: int64(len(files[i+1])),
			Typeflag: tar.TypeReg, Format: tar.FormatUSTAR}); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write([]byte(files[i+1])); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestArchive reads the one dump of an archive, and names several.
func TestArchive(t *testing.T) {
	const dump = `{"configs":[{"@type":"type.googleapis.com/envoy.admin.v3.ClustersConfigDump","static_clusters":[{` +
		`"cluster":{"name":"a"}}]}]}`
	d, err := Parse(archive(t, "bug-report/istio/version", "x", "bug-report/proxies/mark/netshoot/config_dump", dump))
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := d.Lookup(Cluster, "a"); !ok {
		t.Error("the cluster of the dump is missing")
	}
	for _, c := range []struct {
		files []string
		want  string
	}{
		{[]string{"bug-report/version", "x"}, "no config_dump"},
		{[]string{"p/a/config_dump", dump, "p/b/config_dump", dump},
			"2 config dumps: p/a/config_dump, p/b/config_dump (take one out"},
	} {
		if _, err := Parse(archive(t, c.files...)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: error %v, and %q is expected in it", c.files, err, c.want)
		}
	}
	whole := archive(t, "p/config_dump", dump)
	if _, err := Parse(whole[:len(whole)-40]); err == nil {
		t.Error("an archive that is cut off is read")
	}
}
