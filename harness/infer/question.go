package infer

import (
	"fmt"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/flow"
)

// QuestionSchema is the version of the Question's JSON form.
const QuestionSchema = "flowproof.dev/question/v1"

// A Question is everything that inference was asked about a call, beside the dumps. Asked again
// with the same dumps it gives the same path, on another machine and without a cluster.
type Question struct {
	Schema string    `json:"schema"` // QuestionSchema
	Call   flow.Call `json:"call"`
	// "pod.namespace" of the client's sidecar; "": no sidecar takes the call there
	Client string `json:"client,omitempty"`
	// the same of the server's; "": the way ends where the client's sidecar connects
	Server  string     `json:"server,omitempty"`
	Options WayOptions `json:"options"`
}

// Path infers the path of the question's call from dumps, which are by "pod.namespace". A dump that
// the question names and that is not there, or that is another pod's, is an error.
func (q Question) Path(dumps map[string][]byte) (flow.Path, error) {
	client, err := dumpOf(q.Client, dumps)
	if err != nil {
		return flow.Path{}, err
	}
	server, err := dumpOf(q.Server, dumps)
	if err != nil {
		return flow.Path{}, err
	}
	return Way(client, server, q.Call, q.Options)
}

// dumpOf parses the dump of a pod; nil for "". A dump that was parsed from memory holds nothing
// that has to be closed.
func dumpOf(pod string, dumps map[string][]byte) (*configdump.Dump, error) {
	if pod == "" {
		return nil, nil
	}
	text, ok := dumps[pod]
	if !ok {
		return nil, fmt.Errorf("%w: there is no dump of %s", ErrWay, pod)
	}
	dump, err := configdump.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("dump of %s: %w", pod, err)
	}
	if owner := dump.Node().Proxy(); owner != pod {
		return nil, fmt.Errorf("dump of %s: it is the dump of %s", pod, owner)
	}
	return dump, nil
}
