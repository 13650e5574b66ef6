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

// nothingTyped is the hand of a command that has no such lines: it only reads or judges what others
// have kept, or has no program of a person's in its place.
func nothingTyped(string, []string) []string { return nil }

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
	c := commandOf(words)
	if c == nil {
		return nil
	}
	return c.hand(namespace, words[1:])
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

// shellWord quotes a word where a shell would read it otherwise.
func shellWord(word string) string {
	if !strings.ContainsAny(word, " \t$#&;|<>()*?[]{}'\"\\`!~") {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}
