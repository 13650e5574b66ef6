package observe

import (
	"regexp"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/observe/instrument"
)

// TestServerOfBytes takes the line of the server's log by the client's line, where both proxies
// pass bytes on and no log has the request's id. Without what the client's line tells, it is no
// one's.
func TestServerOfBytes(t *testing.T) {
	opaque := func(name string) []byte {
		line := regexp.MustCompile(`(?m)^\{.*\n`).Find(file(t, name))
		return regexp.MustCompile(`"(protocol|request_id|stream_id)":"[^"]*"`).ReplaceAll(line, []byte(`"$1":null`))
	}
	client, server := opaque("accesslog/testdata/client.log"), opaque("accesslog/testdata/server.log")
	with := func(changes ...string) func([]byte) []byte {
		return func(line []byte) []byte { return []byte(strings.NewReplacer(changes...).Replace(string(line))) }
	}
	const (
		local = `"upstream_local_address":"172.21.206.197:`
		host  = `"upstream_host":"172.21.206.196:8080"`
		other = `"upstream_host":"172.21.206.199:8080"`
	)
	for _, c := range []struct {
		name   string
		change func(line []byte) []byte
		want   string
	}{
		{"as it was", with(), "seen"},
		{"from elsewhere", with(local+"32952", local+"32953"), "missed"},
		{"from nowhere", with(local+`32952"`, `"upstream_local_address":null`), "missed"},
		{"from a port that another begins with", with(local+"32952", local+"3295"), "missed"},
		{"of another connection", with("172.21.206.197:48606", "172.21.206.197:48607"), "missed"},
		{"to another address", with(host, other), "seen"},
		{"to another address, from elsewhere", with(host, other, local+"32952", local+"32953"), "not watched"},
		{"to another address, from a port that another begins with", with(host, other, local+"32952", local+"3295"),
			"not watched"},
	} {
		r := Recording{RequestID: "d1bd9705-f406-4bb6-85b0-3dbe66b959d6", Port: 8080, AccessLog: "JSON",
			Curl: []byte("flowproof-curl: status=200 version=1.1 local=172.21.206.197|48606 " +
				"remote=10.96.215.136|8080 namelookup=0.1 connect=0.1 starttransfer=0.1 total=0.1 size=0\n"),
			Client: Pod{Name: "netshoot.mark", IP: "172.21.206.197", Parts: map[string][]byte{
				instrument.LogText: c.change(client)}},
			Server: Pod{Name: "fortio-server.mark", IP: "172.21.206.196", Parts: map[string][]byte{
				instrument.LogText: server}}}
		_, watches, err := r.Observe()
		if err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		got := "not watched"
		for _, w := range watches {
			switch {
			case w.Instrument != flow.AccessLog || w.Side != flow.Server:
			case w.Complete:
				got = "seen"
			default:
				got = "missed"
			}
		}
		if got != c.want {
			t.Errorf("%s: the server's line is %s, want %s", c.name, got, c.want)
		}
	}
}
