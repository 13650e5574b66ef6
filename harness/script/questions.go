package script

import (
	"context"
	"io/fs"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/lesson"
)

// Questions are those questions of a scenario that can be put without a run of it: about the orders
// of events that it has, and about the way that is inferred from the dumps that are kept beside it
// as dumps/POD.json.gz. After a line that changes the configuration nothing is inferred, since the
// dumps were taken without it; what cannot be asked so is left out. Nothing is sent or changed.
func Questions(ctx context.Context, s *Scenario) []lesson.Answer {
	r := &replay{session: newSession(ctx, Lab{}, silent{})}
	defer r.session.Close()
	r.session.script, r.session.archive = s.words(), s.archive
	var all []lesson.Answer
	changed := false
	for _, phase := range s.Phases() {
		for _, line := range phase.Lines {
			if len(line.Words) == 0 {
				continue
			}
			command, args := commandOf(line.Words), line.Words[1:]
			switch {
			case command == nil:
			case command.changes == flow.TouchObjects || command.changes == flow.TouchRestart:
				changed, r.session.Flow = true, flow.Run{}
			case command.Name == dumpCommand.Name && s.Files != nil && len(args) > 0:
				r.keep(s.Files, args[len(args)-1])
			case command.Name == inferCommand.Name && !changed:
				_ = inferCommand.run(r.session, args) // of what has no dump here nothing is asked
			case command.Name == predictCommand.Name:
				all = append(all, r.asked(args)...)
			}
		}
	}
	return all
}

// asked is the question of a predict line, where it can be put.
func (r *replay) asked(args []string) []lesson.Answer {
	call, err := parsePredict(args)
	if err != nil {
		return nil
	}
	q, err := r.session.question(call)
	if err != nil {
		return nil
	}
	return []lesson.Answer{{Question: q}}
}

// keep keeps the dump of a pod that lies beside the scenario, where there is one.
func (r *replay) keep(files fs.FS, ref string) {
	text, err := fs.ReadFile(files, "dumps/"+ref+".json.gz")
	if err != nil {
		return // there is none
	}
	r.session.KeepDump(r.session.FullName(ref), text)
	r.address(text)
}
