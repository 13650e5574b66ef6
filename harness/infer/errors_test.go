package infer

import (
	"errors"
	"testing"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// TestErrorsCanBeToldApart is the table of what a caller can ask an error for.
func TestErrorsCanBeToldApart(t *testing.T) {
	client, server := recorded(t, "netshoot"), recorded(t, "fortio-server")
	way := func(client, server *configdump.Dump, url string) error {
		_, err := Way(client, server, flow.Call{URL: url}, WayOptions{})
		return err
	}
	read := func(line string) error { _, err := New(client).ReadRequest([]byte(line)); return err }
	decide := func(address string) error {
		_, err := New(client).Decide(flow.Request{Address: address, Port: 80})
		return err
	}
	parse := func(text string) error { _, err := configdump.Parse([]byte(text)); return err }
	for name, c := range map[string]struct{ err, want error }{
		"a name that no dump has":   {way(client, server, "http://nothing:8080/"), ErrUnresolved},
		"no dump at all":            {way(nil, nil, "http://a/"), ErrWay},
		"the dump of another pod":   {way(client, client, "http://fortio-server:8080/"), ErrWay},
		"a key that no request has": {read(`{"adress":"10.0.0.1"}`), ErrRequest},
		"an address that is none":   {decide("nothing"), ErrRequest},
		"half a dump":               {parse("{"), configdump.ErrRead},
		"nothing":                   {parse(" "), configdump.ErrRead},
		"another JSON":              {parse(`{"a": 1}`), configdump.ErrRead},
		"a list of something else":  {parse(`[{"hostStatuses": []}]`), configdump.ErrRead},
		"a program":                 {parse("\x7fELF\x00\xff\xfe"), configdump.ErrRead},
	} {
		if !errors.Is(c.err, c.want) {
			t.Errorf("%s: %v is not %v", name, c.err, c.want)
		}
	}
}
