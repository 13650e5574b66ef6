package accesslog

import (
	"slices"
	"testing"

	"github.com/flowproof/lab/harness/observe/instrument"
)

// A server is a target that is only asked for its name and its address.
type server struct {
	instrument.Target
	name, ip string
}

func (s server) Ref() string { return s.name }
func (s server) IP() string  { return s.ip }

func TestReached(t *testing.T) {
	for _, c := range []struct {
		name   string
		sent   Sent
		behind []string
		want   []string
	}{
		{"to one of them", Sent{Known: true, IP: "10.244.0.5", Attempts: 1}, []string{"a", "b"}, []string{"a"}},
		{"not sent on", Sent{Known: true}, []string{"a"}, nil},
		{"no line tells", Sent{}, []string{"a"}, []string{"a", "b"}},
		{"several attempts", Sent{Known: true, IP: "10.244.0.5", Attempts: 2}, []string{"a"}, []string{"a", "b"}},
		{"to a node's port", Sent{Known: true, IP: "172.21.206.193", Attempts: 1}, []string{"b"}, []string{"b"}},
		{"out of the cluster", Sent{Known: true, IP: "192.0.2.1", Attempts: 1}, nil, nil},
		{"to a pod that is not watched", Sent{Known: true, IP: "10.244.0.7"}, []string{"c"}, nil},
	} {
		var got []string
		all := []instrument.Target{server{name: "a", ip: "10.244.0.5"}, server{name: "b", ip: "10.244.0.6"}}
		for _, pod := range reached(all, c.sent, c.behind) {
			got = append(got, pod.Ref())
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: waited for %q, want %q", c.name, got, c.want)
		}
	}
}
