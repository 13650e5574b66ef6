package script

import (
	"fmt"
	"slices"
	"strings"
)

// proxyContainer is the container of a sidecar.
const proxyContainer = "istio-proxy"

// A hand says what a person types for a command of the language: each line is one for a shell in
// which KUBECONFIG is the lab's. The words are those of the book's chapter, with the names of this
// line.
type hand func(namespace string, args []string) []string

// hands are the commands that have such lines; what only reads what others have kept has none.
var hands = map[string]hand{
	"apply": func(_ string, args []string) []string { return []string{"kubectl apply -f " + args[0]} },
	"dump": func(ns string, args []string) []string {
		return []string{admin(ns, args[len(args)-1], "'localhost:15000/config_dump?include_eds'")}
	},
	"events":           handEvents,
	"infer":            handInfer,
	"kill-connections": handKill,
	"loglevel": func(ns string, args []string) []string {
		return []string{admin(ns, args[0], "-XPOST 'localhost:15000/logging?level="+args[1]+"'")}
	},
	"logs": func(ns string, args []string) []string {
		pod, ns := podRef(ns, args[1])
		return []string{fmt.Sprintf("kubectl logs -f %s -n %s -c %s", pod, ns, proxyContainer)}
	},
	"netfilter": func(ns string, args []string) []string {
		return eachPod(ns, args, func(pod, _ string) string {
			return fmt.Sprintf("for pid in $(pgrep envoy); do [ \"$(nsenter -t $pid -u hostname)\" = %s ] && nsenter "+
				"-t $pid -n iptables-save -c -t nat; done", pod)
		})
	},
	"request": handRequest,
	"restart": func(ns string, args []string) []string {
		return []string{admin(ns, args[0], "-XPOST localhost:15000/quitquitquit")}
	},
	"show": handShow,
	"sockets": func(ns string, args []string) []string {
		pod, ns := podRef(ns, args[0])
		return []string{fmt.Sprintf("kubectl exec %s -n %s -c %s -- ss -tanp", pod, ns, proxyContainer)}
	},
	"stats": func(ns string, args []string) []string {
		return eachPod(ns, args, func(pod, ns string) string {
			return admin(ns, pod, "'localhost:15000/stats?usedonly'")
		})
	},
	"trace": handTrace,
}

// ByHand returns what a person types in place of the lines of a phase, each line once.
func (p Phase) ByHand(namespace string) []string {
	var all []string
	for _, line := range p.Lines {
		for _, typed := range ByHand(namespace, line.Words) {
			if !slices.Contains(all, typed) {
				all = append(all, typed)
			}
		}
	}
	return all
}

// ByHand returns what a person types in place of a line of a scenario; none where there is nothing
// to type. Pods that are named without a namespace are in namespace.
func ByHand(namespace string, words []string) []string {
	if len(words) > 2 && words[0] == eventuallyCommand.Name {
		words = words[2:]
	}
	if len(words) < 2 {
		return nil
	}
	make, ok := hands[words[0]]
	if c := commandOf(words); !ok || c == nil || words[0] != "infer" && c.offline != nil && c.offline(words[1:]) {
		return nil
	}
	return make(namespace, words[1:])
}

// admin asks Envoy's admin interface by the curl of the sidecar's own container.
func admin(ns, ref, arguments string) string {
	pod, ns := podRef(ns, ref)
	return fmt.Sprintf("kubectl exec %s -n %s -c %s -- curl -s %s", pod, ns, proxyContainer, arguments)
}

// podRef splits POD, POD.NAMESPACE and POD/CONTAINER.
func podRef(ns, ref string) (pod, namespace string) {
	ref, _, _ = strings.Cut(ref, "/")
	ref, _, _ = strings.Cut(ref, ":")
	pod, namespace, named := strings.Cut(ref, ".")
	if !named {
		namespace = ns
	}
	return pod, namespace
}

func eachPod(ns string, args []string, line func(pod, ns string) string) []string {
	var lines []string
	for _, ref := range args {
		lines = append(lines, line(podRef(ns, ref)))
	}
	return lines
}

func handShow(ns string, args []string) []string {
	name, ns := podRef(ns, args[len(args)-1])
	if args[0] == "service" {
		return []string{fmt.Sprintf("kubectl get service %s -n %s", name, ns),
			fmt.Sprintf("kubectl get endpointslices -n %s -l kubernetes.io/service-name=%s", ns, name)}
	}
	return []string{fmt.Sprintf("kubectl get pod %s -n %s -o wide", name, ns)}
}

// handKill is the book's ss -K, by the address of the server's pod. Where the container may not end
// a connection, ss says nothing and ends none.
func handKill(ns string, args []string) []string {
	if len(args) < 3 {
		return nil
	}
	pod, podNS := podRef(ns, args[0])
	server, serverNS := podRef(ns, args[2])
	_, port, _ := strings.Cut(args[2], ":")
	return []string{fmt.Sprintf("kubectl exec %s -n %s -- ss -K dst \"$(kubectl get pod %s -n %s -o "+
		"jsonpath={.status.podIP})\" dport = :%s",
		pod, podNS, server, serverNS, port)}
}

func handRequest(ns string, args []string) []string {
	if len(args) < 3 {
		return nil
	}
	from, options := args[len(args)-3], args[:len(args)-3]
	container := ""
	if _, name, ok := strings.Cut(from, "/"); ok {
		container = " -c " + name
	}
	pod, ns := podRef(ns, from)
	line := fmt.Sprintf("kubectl exec %s -n %s%s -- curl -sv", pod, ns, container)
	for _, o := range append(options, args[len(args)-1]) {
		line += " " + shellWord(o)
	}
	return []string{line}
}

// handInfer reads a dump as istioctl shows it: what a person looks at before the
// way is written down.
func handInfer(ns string, args []string) []string {
	if len(args) < 3 {
		return nil
	}
	if _, aside, ok := strings.Cut(args[len(args)-3], "/"); ok && aside == proxyContainer {
		return nil // it goes past its sidecar
	}
	pod, ns := podRef(ns, args[len(args)-3])
	of := pod + "." + ns
	return []string{"istioctl proxy-config listeners " + of, "istioctl proxy-config routes " + of,
		"istioctl proxy-config clusters " + of, "istioctl proxy-config endpoints " + of}
}

// handTrace and handEvents are the author's own probes, in one line each. They need bpftrace, a
// kernel with BTF and, for what is inside of Envoy, an Envoy with its symbols, which a released one
// has not.
func handTrace(string, []string) []string {
	return []string{
		"bpftrace -e 'kretprobe:inet_csk_accept { $s = (struct sock *)retval; printf(\"%s accepts on %d\\n\", comm, " +
			"$s->__sk_common.skc_num); }'",
		"bpftrace -e 'kprobe:tcp_connect { $s = (struct sock *)arg0; printf(\"%s connects from %s to %s\\n\", comm, " +
			"ntop($s->__sk_common.skc_rcv_saddr), ntop($s->__sk_common.skc_daddr)); }'",
	}
}

func handEvents(string, []string) []string {
	return []string{"bpftrace -e 'tracepoint:syscalls:sys_enter_epoll_ctl /comm == \"wrk:worker_0\" || comm == " +
		"\"wrk:worker_1\"/ " +
		"{ printf(\"%s epoll_ctl op %d fd %d\\n\", comm, args->op, args->fd); }'"}
}

// shellWord quotes a word where a shell would read it otherwise.
func shellWord(word string) string {
	if !strings.ContainsAny(word, " \t$#&;|<>()*?[]{}'\"\\`!~") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
