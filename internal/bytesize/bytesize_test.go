package bytesize

import "testing"

func TestText(t *testing.T) {
	for n, want := range map[int64]string{
		0:                 "0 bytes",
		1023:              "1023 bytes",
		1024:              "1 KiB",
		1<<20 - 1:         "1024 KiB",
		1 << 20:           "1 MiB",
		64 << 20:          "64 MiB",
		1<<20 + 600<<10:   "1.6 MiB",
		512 << 20:         "512 MiB",
		1 << 30:           "1 GiB",
		1<<30 + 512<<20:   "1.5 GiB",
		1<<30 + 1<<20 - 1: "1 GiB",
	} {
		if got := Text(n); got != want {
			t.Errorf("%d: %s, want %s", n, got, want)
		}
	}
}
