//go:build linux

package enclosure

import (
	"slices"
	"strings"
	"testing"
)

const (
	mountsV1 = `31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
34 31 0:31 / /sys/fs/cgroup/cpuset rw,relatime shared:7 - cgroup cgroup rw,cpuset,clone_children
40 31 0:37 / /sys/fs/cgroup/systemd rw,relatime - cgroup cgroup rw,xattr,release_agent=/lib/systemd/agent,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw
`
	mountsV2 = `22 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda1 rw
30 24 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 cgroup2 rw,nsdelegate
`
)

func TestParseHierarchies(t *testing.T) {
	for _, tt := range []struct {
		name, mountinfo string
		v1, v2          []string
	}{
		{"version 1 beside an empty version 2", mountsV1,
			[]string{"/sys/fs/cgroup/cpu,cpuacct cpu,cpuacct", "/sys/fs/cgroup/cpuset cpuset",
				"/sys/fs/cgroup/systemd name=systemd"},
			[]string{"/sys/fs/cgroup/unified "}},
		{"version 2", mountsV2, nil, []string{"/sys/fs/cgroup "}},
		{"a hierarchy that is mounted twice counts once", mountsV1 + mountsV1,
			[]string{"/sys/fs/cgroup/cpu,cpuacct cpu,cpuacct", "/sys/fs/cgroup/cpuset cpuset",
				"/sys/fs/cgroup/systemd name=systemd"},
			[]string{"/sys/fs/cgroup/unified ", "/sys/fs/cgroup/unified "}},
		{"version 2 that nothing can be made in", strings.Replace(mountsV2, "cgroup rw,", "cgroup ro,", 1), nil,
			[]string{"/sys/fs/cgroup ro"}},
		{"nothing", "", nil, nil},
		{"cut off", "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgro", nil, nil},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v1, v2 := parseHierarchies(tt.mountinfo)
			if got := names(v1); !slices.Equal(got, tt.v1) {
				t.Errorf("version 1: %q, want %q", got, tt.v1)
			}
			if got := names(v2); !slices.Equal(got, tt.v2) {
				t.Errorf("version 2: %q, want %q", got, tt.v2)
			}
		})
	}
}

func names(all []hierarchy) []string {
	var out []string
	for _, h := range all {
		options := h.options
		if h.readOnly {
			options += "ro"
		}
		out = append(out, h.mount+" "+options)
	}
	return out
}

// TestEnterAsFarAsWanted: where the host does not let the lab into a hierarchy that it can do
// without, it does without.
func TestEnterAsFarAsWanted(t *testing.T) {
	all := []hierarchy{{mount: "/proc/self", unified: true, optional: true}} // where root makes nothing either
	if err := enterAll(all, "flowproof-none"); err != nil {
		t.Errorf("enter an optional one: %v", err)
	}
	if err := leaveAll(all); err != nil {
		t.Errorf("leave an optional one: %v", err)
	}
	all[0].optional = false
	if err := enterAll(all, "flowproof-none"); err == nil {
		t.Error("no error for one that is needed")
	}
	if err := leaveAll(all); err == nil {
		t.Error("no error for one that cannot be left")
	}
}

func FuzzParseHierarchies(f *testing.F) {
	f.Add(mountsV1)
	f.Add(mountsV2)
	f.Add(" - cgroup")
	f.Fuzz(func(t *testing.T, mountinfo string) {
		v1, v2 := parseHierarchies(mountinfo)
		if len(v1)+len(v2) > strings.Count(mountinfo, "\n")+1 {
			t.Errorf("%d hierarchies in %d lines", len(v1)+len(v2), strings.Count(mountinfo, "\n")+1)
		}
	})
}
