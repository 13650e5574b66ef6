package script

var controlCommand = Command{
	Name:    "control",
	names:   ends,
	touches: measures,
	Usage:   "control FROM -> URL",
	Summary: "After the request, send another one that must be answered, to show that the instruments were still " +
		"watching",
	Detail: "It is for a request of which nothing must be seen: that nothing was seen counts only when something " +
		"else was. Read the counters\n" +
		"and the socket tables before it, so that they are about the request alone; observe then waits for the " +
		"control's line in the\n" +
		"client's access log.",
	hand:   nothingTyped,
	replay: nothingRecorded,
	run: func(s *session, args []string) error {
		from, to, err := fromTo(args)
		if err != nil || len(args) != 3 {
			return badUsage("write FROM -> URL")
		}
		if !s.Sent() || s.Controlled() {
			return badUsage("it comes once, after request")
		}
		call, err := s.NewCall(from, to)
		if err != nil {
			return err
		}
		told, err := s.Control(s.ctx, call)
		if err != nil {
			return err
		}
		s.print("status %d", told.Status)
		return nil
	},
}
