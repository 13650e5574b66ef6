package script

import (
	"bytes"
	"slices"
	"strings"

	"github.com/flowproof/lab/internal/lazyregexp"
)

// A touch is what a command does to the sidecars of its pods.
type touch int

const (
	nothing  touch = iota // it needs none of them for itself
	measures              // it reads what another run would change
	changes               // it changes what another run would read
)

// podWord is a word of a script that may name a pod: POD, POD.NAMESPACE, with /CONTAINER or :PORT.
var podWord = lazyregexp.New(`^([a-z0-9](?:[-.a-z0-9]*[a-z0-9])?)(?:[:/][-a-z0-9]+)?$`)

// words are the lines of a scenario as commands with their arguments, without their conditions.
func (s *Scenario) words() [][]string {
	var all [][]string
	for _, p := range s.phases {
		for _, st := range p.lines {
			if words := st.words(); len(words) > 0 {
				all = append(all, words)
			}
		}
	}
	return all
}

// words are those of a line's command; where it is repeated, of what is repeated.
func (st statement) words() []string {
	words := strings.Fields(strings.TrimLeft(st.text[len(conditions.FindString(st.text)):], "!? "))
	if len(words) > 2 && words[0] == eventuallyCommand.Name {
		words = words[2:]
	}
	return words
}

// testscripts are the commands that testscript itself has.
var testscripts = strings.Fields("cd chmod cmp cmpenv cp env exec exists grep kill mkdir mv rm skip stderr stdin" +
	" stdout ttyin ttyout stop symlink unix2dos unquote wait")

// onlyLine is a script with one of its lines alone, where it stands: what is misspelt there is told
// by testscript, before anything is done.
func onlyLine(script []byte, number int) []byte {
	lines := bytes.Split(script, []byte("\n"))
	for i := range lines {
		if i != number-1 {
			lines[i] = nil
		}
	}
	return bytes.Join(lines, []byte("\n"))
}

// misspelt is the first line that begins with a word that is no command; 0: there is none. A word
// in which a variable stands is known only when it runs.
func (s *Scenario) misspelt() int {
	for _, p := range s.phases {
		for _, st := range p.lines {
			words := st.words()
			if len(words) > 0 && commandOf(words) == nil && !slices.Contains(testscripts, words[0]) &&
				!strings.ContainsAny(words[0], "$'") {
				return st.number
			}
		}
	}
	return 0
}

// commandOf is the command of the table by which a line begins; nil: it is testscript's.
func commandOf(words []string) *Command {
	i := slices.IndexFunc(commands, func(c Command) bool { return c.Name == words[0] })
	if i < 0 {
		return nil
	}
	return &commands[i]
}

// alone has the sidecars of the scenario's pods alone before a command that changes or
// measures them, until everything is restored. The first such command takes those of all
// pods that the script names, so that two scenarios take them in the same order. A script
// that changes nothing waits for others and takes none. Where the cluster does not say
// which pods there are, unknown is why: the command itself meets the same, or finds its own
// fault before, and does not count as done.
func (s *session) alone(c Command, args []string) (unknown, err error) {
	if s.Lab.Mesh == nil || c.touches == nothing || c.offline != nil && c.offline(args) {
		return nil, nil
	}
	words, take := c.named(args), c.touches == changes
	for _, line := range s.script {
		if command := commandOf(line); command != nil {
			take = take || command.touches == changes
			words = append(words, command.named(line[1:])...)
		}
	}
	words = slices.DeleteFunc(words, func(word string) bool { return s.looked[word] })
	refs := s.podsOf(words)
	if refs, unknown = s.Sidecars(s.ctx, refs...); unknown != nil {
		return unknown, nil
	}
	for _, word := range words {
		s.looked[word] = true
	}
	switch {
	case len(refs) == 0:
		return nil, nil
	case take:
		return nil, s.Alone(s.ctx, refs...)
	}
	return nil, s.AwaitAlone(s.ctx, refs...)
}

// named are those arguments of a call that name pods, and the URL that is called.
func (c Command) named(args []string) []string {
	if c.names == nil {
		return nil
	}
	return slices.Clone(c.names(args))
}

// ends are the arguments on both sides of the arrow; without one, the first that is no flag.
func ends(args []string) []string {
	for i := len(args) - 2; i > 0; i-- {
		if args[i] == "->" {
			return []string{args[i-1], args[i+1]}
		}
	}
	for i, arg := range args {
		if !strings.HasPrefix(arg, "-") {
			return args[i : i+1]
		}
	}
	return nil
}

// every is each of the arguments.
func every(args []string) []string { return args }

// last is the last of the arguments.
func last(args []string) []string { return args[max(len(args)-1, 0):] }

// podsOf are the pods that words may name, or that are behind a URL among them.
func (s *session) podsOf(words []string) []string {
	var refs []string
	for _, word := range words {
		word = strings.Trim(word, "'")
		if strings.Contains(word, "://") {
			if call, err := s.NewCall("any", word); err == nil {
				behind, _ := s.Behind(s.ctx, call) // a URL of no Service has no pod behind it
				refs = append(refs, behind.Pods...)
			}
		} else if m := podWord.FindStringSubmatch(word); m != nil && !s.Outside(m[1]) {
			refs = append(refs, m[1])
		}
	}
	return refs
}
