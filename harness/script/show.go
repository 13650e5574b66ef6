package script

import (
	"fmt"
	"strings"

	"github.com/flowproof/lab/harness/fault"
)

var showCommand = Command{
	Name: "show",
	names: func(args []string) []string {
		if len(args) > 1 && args[0] == "pod" {
			return last(args)
		}
		return nil
	},
	Usage:   "show pod [-ready] NAME | show service NAME",
	Summary: "Print what the cluster says about a pod or a Service",
	Detail: "For a pod: its address, which $NAME_IP then stands for (NAME in capitals, with _ for -), its node and " +
		"how many of its containers\n" +
		"are ready; with -ready it fails while one is not: after apply, wait with `eventually 60s show pod -ready " +
		"NAME`. For a Service: its\n" +
		"address, its ports and the endpoints behind it, counted from the pods themselves; infer takes from it what " +
		"stands behind a\n" +
		"node port.",
	hand:   handShow,
	replay: nothingRecorded,
	run: func(s *session, args []string) error {
		if len(args) == 3 && args[0] == "pod" && args[1] == "-ready" {
			return s.showPod(args[2], true)
		}
		if len(args) != 2 {
			return badUsage("it needs what to show, and its name")
		}
		switch args[0] {
		case "pod":
			return s.showPod(args[1], false)
		case "service":
			return s.showService(args[1])
		}
		return badUsage("it shows a pod or a service")
	},
}

func (s *session) showPod(ref string, wantReady bool) error {
	pod, err := s.Lab.Mesh.Pod(s.ctx, ref)
	if err != nil {
		return err
	}
	ready, total := pod.Ready()
	if wantReady && ready < total {
		return fault.Environmentf("show pod %s: %d of its %d containers are ready", pod.Ref(), ready, total)
	}
	s.variables[addressVariable(pod.Name())] = pod.IP()
	s.print("%d/%d ready at %s on %s: %s", ready, total, pod.IP(), pod.Node(), strings.Join(pod.Containers(), ", "))
	return nil
}

// addressVariable is the name of the variable that stands for a pod's address.
func addressVariable(pod string) string {
	return strings.ToUpper(strings.NewReplacer("-", "_", ".", "_").Replace(pod)) + "_IP"
}

func (s *session) showService(ref string) error {
	service, err := s.Lab.Mesh.Service(s.ctx, ref)
	if err != nil {
		return err
	}
	if len(service.Endpoints) == 0 {
		return fmt.Errorf("show service %s.%s: no pod behind it is ready", service.Name, service.Namespace)
	}
	s.AddService(service)
	s.print("%s, ports %s", service.ClusterIP, strings.Join(service.Ports, ", "))
	s.print("endpoints %s", strings.Join(service.Endpoints, ", "))
	return nil
}

func handShow(ns string, args []string) []string {
	name, ns := podRef(ns, args[len(args)-1])
	if args[0] == "service" {
		return []string{fmt.Sprintf("kubectl get service %s -n %s", name, ns),
			fmt.Sprintf("kubectl get endpointslices -n %s -l kubernetes.io/service-name=%s", ns, name)}
	}
	return []string{fmt.Sprintf("kubectl get pod %s -n %s -o wide", name, ns)}
}
