//go:build linux

// Command kill9 kills parts of a lab with SIGKILL at random moments and looks each time for what is
// left: processes at once or within five seconds, and everything that hack/fingerprint.sh prints,
// byte by byte. Run it as root on a machine that does nothing else, or where others are not seen:
//
//	go build -o bin/kill9 ./hack/kill9 && hack/apart.sh bin/kill9 -rounds 50
//
// It prints its seed; -seed with -from repeats a round.
package main

import (
	"errors"
	"flag"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"time"

	"github.com/flowproof/lab/internal/removal"
)

// settled is how long nothing may be left after a kill.
const settled = 5 * time.Second

// A killer is one campaign.
type killer struct {
	lab, name, backend string
	fingerprint        string // program
	folder             string // of a person's, which is bound into the lab; it has to stay whole
	bundle             string // of a kept run, which is judged again
	before             string // what the fingerprint was
	standing           string // what it was when the lab was up; "" while there is none
	counts             struct{ rounds, kills, labs, all, excused, folders, failed int }
	longest            time.Duration   // from a kill until nothing was left
	done               map[string]bool // kills by their names
}

func main() {
	if err := run(os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "kill9:", err)
		os.Exit(1)
	}
}

func run(args []string, out io.Writer) error {
	flags := flag.NewFlagSet("kill9", flag.ContinueOnError)
	rounds := flags.Int("rounds", 50, "how many rounds")
	from := flags.Int("from", 1, "first round")
	most := flags.Duration("for", 24*time.Hour, "begin no round after this time")
	seed := flags.Uint64("seed", uint64(time.Now().Unix()), "of the choices")
	lab := flags.String("lab", "bin/lab", "the command")
	k := &killer{done: map[string]bool{}}
	flags.StringVar(&k.name, "name", "kill9", "the lab's name")
	flags.StringVar(&k.backend, "backend", "node", "the lab's backend; with kind it is the Docker that the lab starts")
	reached := flags.String("reached", "", "file of what make nightly keeps: kills that it does not have come first")
	again := flags.String("repeat", "", "PHASE:VICTIM[,VICTIM], in the place of those that the seed draws")
	flags.StringVar(&k.fingerprint, "fingerprint", "hack/fingerprint.sh",
		"program that prints what the machine is like")
	if err := flags.Parse(args); err != nil {
		return err
	}
	aims, err := missing(*reached)
	if err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("kill parts of a lab: it makes namespaces (run as root)")
	}
	dir, err := os.MkdirTemp("", "kill9-")
	if err != nil {
		return err
	}
	defer removal.All(dir)
	if err := k.prepare(dir, *lab); err != nil {
		return err
	}
	defer func() { _, _ = k.command("down").CombinedOutput() }() // on the way out of a failure, which has been said
	fmt.Fprintf(out, "seed %d: kill9 -seed %d -from N -rounds 1 -repeat PHASE:VICTIMS repeats round N\n", *seed, *seed)
	start := time.Now()
	for n := *from; n < *from+*rounds && time.Since(start) < *most; n++ {
		r := pick(rand.New(rand.NewPCG(*seed, uint64(n))))
		if *again != "" {
			r.aim(*again)
		} else if aim := k.next(aims, n); aim != "" {
			r.aim(aim)
		}
		said, err := k.round(r)
		fmt.Fprintf(out, "%s round %d: %s%s\n", time.Now().Format(time.TimeOnly), n, r, said)
		if err == nil {
			continue
		}
		k.counts.failed++
		fmt.Fprintf(out, "FAILED round %d of seed %d: %v\n", n, *seed, err)
		if err := k.anew(); err != nil {
			return err
		}
	}
	return k.summary(out)
}

func (k *killer) summary(out io.Writer) error {
	c := k.counts
	fmt.Fprintf(out, "%d rounds on %d labs, %d kills, %d rounds left something; nothing was left after %.1f s at the "+
		"longest; after %d rounds in "+
		"which all were killed, %d empty cgroup directories and files of our own waited for the next command; a "+
		"person's folder was bound "+
		"in %d times and whole\n", c.rounds, c.labs, c.kills, c.failed, k.longest.Seconds(), c.all,
		c.excused, c.folders)
	if c.failed > 0 {
		return fmt.Errorf("%d of %d rounds left something", c.failed, c.rounds)
	}
	return nil
}

// anew ends what a round has left, for the next one to begin from what the machine is like then.
func (k *killer) anew() error {
	k.standing = ""
	out, err := k.command("down").CombinedOutput()
	if err != nil {
		return fmt.Errorf("lab down: %w\n%s", err, out)
	}
	k.ended()
	k.before, err = k.print()
	return err
}

// ended waits a moment for the end of the lab's processes: what a lab leaves to the kernel to end
// is gone soon after.
func (k *killer) ended() {
	for end := time.Now().Add(settled); len(k.processes(0)) > 0 && time.Now().Before(end); {
		time.Sleep(100 * time.Millisecond)
	}
}

// prepare copies the command, by whose path its processes are known, makes a person's folder,
// brings a lab up once, so that what later rounds take from the cache is there, keeps one run, and
// takes the fingerprint.
func (k *killer) prepare(dir, lab string) error {
	data, err := os.ReadFile(lab)
	if err != nil {
		return err
	}
	k.lab, k.folder, k.bundle = filepath.Join(dir, "lab"), filepath.Join(dir, "person"), filepath.Join(dir, "kept")
	if err := os.WriteFile(k.lab, data, 0o755); err != nil {
		return err
	}
	for _, name := range []string{"thesis.txt", "photos/2019/a", "photos/2020/b"} {
		path := filepath.Join(k.folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(name), 0o644); err != nil {
			return err
		}
	}
	for _, words := range [][]string{{"up"}, {"run", "inbound", "--bundle", k.bundle}, {"down"}} {
		if out, err := k.command(words...).CombinedOutput(); err != nil {
			return fmt.Errorf("lab %s: %w\n%s", words[0], err, out)
		}
	}
	k.ended()
	k.before, err = k.print()
	return err
}

func (k *killer) command(words ...string) *exec.Cmd {
	cmd := exec.Command(k.lab, append(words, "--backend", k.backend, "--name", k.name, "-q")...)
	cmd.WaitDelay = settled // what is left may hold its output open; it is looked for by other means
	return cmd
}

// kubectl is for the lab's cluster: what follows the verb is kubectl's own.
func (k *killer) kubectl(words ...string) *exec.Cmd {
	cmd := exec.Command(k.lab, append([]string{"--backend", k.backend, "--name", k.name, "kubectl"}, words...)...)
	cmd.WaitDelay = settled
	return cmd
}

func (k *killer) print() (string, error) {
	out, err := exec.Command(k.fingerprint).Output()
	if err != nil {
		return "", fmt.Errorf("take the fingerprint: %w", err)
	}
	return string(out), nil
}
