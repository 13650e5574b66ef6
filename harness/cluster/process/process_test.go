package process

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
)

const (
	id    = "1cfa2a1a8c1bd7f1e6a8e0f5d7f2f77cf1c3ad0a5a1f5dd2a43f9dca4c76e9d1"
	other = "9d0dcd4d3b0a1a9ce3f0b4b6b9e4a3f2c1d0e9f8a7b6c5d4e3f2a1b0c9d8e7f6"
)

func TestBelongs(t *testing.T) {
	for _, tt := range []struct {
		name, cgroups string
		want          bool
	}{
		{"cgroupfs, version 2", "0::/kubepods/besteffort/pod1/" + id + "\n", true},
		{"cgroupfs, version 1", "12:cpu,cpuacct:/kubepods/pod1/" + id + "\n1:name=systemd:/kubepods/pod1/" +
			id + "\n", true},
		{"containerd with systemd", "0::/kubepods.slice/kubepods-pod1.slice/cri-containerd-" + id + ".scope\n", true},
		{"CRI-O", "0::/kubepods.slice/crio-" + id + ".scope\n", true},
		{"a group that the container made in its own", "0::/kubepods/pod1/" + id + "/init.scope\n", true},
		{"a node that is a container", "0::/docker/" + other + "/kubelet/kubepods/pod1/" + id + "\n", true},
		{
			"a node that is a container, with systemd",
			"0::/system.slice/docker-" + other + ".scope/kubelet.slice/kubelet-kubepods.slice/cri-containerd-" + id +
				".scope\n", true,
		},
		{"a Docker container, with systemd", "0::/system.slice/docker-" + id + ".scope\n", true},
		{"a container inside the container", "0::/docker/" + id + "/kubelet/kubepods/pod1/" + other + "\n", true},
		{"an id that ends like it", "0::/kubepods/pod1/prefix" + id + "\n", false},
		{"an id that begins like it", "0::/kubepods/cri-containerd-" + id + "0\n", false},
		{"the process that watches CRI-O's container", "0::/kubepods.slice/crio-conmon-" + id + ".scope\n", false},
		{"another container", "0::/kubepods/pod1/" + other + "\n", false},
		{"the host", "0::/init.scope\n", false},
		{"no cgroup", "", false},
		{"a cut line", "0::", false},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := belongs(tt.cgroups, id); got != tt.want {
				t.Errorf("belongs: %v, want %v", got, tt.want)
			}
		})
	}
	if belongs("0::/kubepods//\n", "") {
		t.Error("a container without an id has processes")
	}
}

func TestInCgroup(t *testing.T) {
	proc := t.TempDir()
	for _, pid := range []int{7, 8, 4000} {
		dir := filepath.Join(proc, fmt.Sprint(pid))
		if err := os.MkdirAll(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "cgroup"), []byte("0::/pod/"+id+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(proc, "9"), 0o700); err != nil { // it ended meanwhile
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(proc, "cpuinfo"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := inCgroup(proc, id)
	if slices.Sort(got); err != nil || !slices.Equal(got, []int{7, 8, 4000}) {
		t.Errorf("processes %v, %v", got, err)
	}
	if got, err := inCgroup(proc, other); err != nil || len(got) != 0 {
		t.Errorf("processes of a container that is elsewhere: %v, %v", got, err)
	}
}

// TestOfContainer looks through this host's processes: none of them is in a container of that id.
func TestOfContainer(t *testing.T) {
	if pids, err := OfContainer(other); !errors.Is(err, ErrElsewhere) || len(pids) != 0 {
		t.Errorf("%v, %v; want %v", pids, err, ErrElsewhere)
	}
}
