package report

import (
	"cmp"
	"encoding/xml"
	"fmt"
	"io"
	"strings"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/verify"
)

// The elements of JUnit's XML that CI systems read.
type (
	testSuites struct {
		XMLName  xml.Name    `xml:"testsuites"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Errors   int         `xml:"errors,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Suites   []testSuite `xml:"testsuite"`
	}
	testSuite struct {
		Name     string     `xml:"name,attr"`
		Tests    int        `xml:"tests,attr"`
		Failures int        `xml:"failures,attr"`
		Errors   int        `xml:"errors,attr"`
		Skipped  int        `xml:"skipped,attr"`
		Cases    []testCase `xml:"testcase"`
	}
	testCase struct {
		Class   string   `xml:"classname,attr"`
		Name    string   `xml:"name,attr"`
		Time    string   `xml:"time,attr,omitempty"` // seconds
		Failure *message `xml:"failure"`
		Error   *message `xml:"error"`
		Skipped *message `xml:"skipped"`
		Out     string   `xml:"system-out,omitempty"`
	}
	message struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// JUnit writes one test case a hop: a refuted hop is a failure, one that was not observed is
// skipped. That the instruments saw everything is a test case of its own, because without it
// nothing is verified.
func JUnit(w io.Writer, run flow.Run, verdict flow.RunVerdict) error {
	run.Path = verdict.TakenPath(run.Path)
	return writeSuites(w, verify.Summary(verdict), hopSuite(run, verdict))
}

// hopSuite is the suite of a run's hops.
func hopSuite(run flow.Run, verdict flow.RunVerdict) testSuite {
	suite := testSuite{Name: clean(callName(run.Call)), Tests: len(verdict.Hops) + 1, Failures: verdict.Refuted,
		Skipped: verdict.NotObserved}
	for _, v := range verdict.Hops {
		suite.Cases = append(suite.Cases, hopCase(run, v))
	}
	instruments := testCase{Class: "run", Name: "instruments saw everything"}
	if len(verdict.Problems) > 0 {
		suite.Errors++
		instruments.Error = &message{clean(verdict.Problems[0]), clean(strings.Join(verdict.Problems, "\n"))}
	}
	suite.Cases = append(suite.Cases, instruments)
	return suite
}

// writeSuites writes the file of some suites, with a comment before them.
func writeSuites(w io.Writer, comment string, suites ...testSuite) error {
	all := testSuites{Suites: suites}
	for _, s := range suites {
		all.Tests, all.Failures, all.Errors, all.Skipped = all.Tests+s.Tests, all.Failures+s.Failures,
			all.Errors+s.Errors, all.Skipped+s.Skipped
	}
	if _, err := io.WriteString(w, xml.Header+"<!-- "+strings.ReplaceAll(comment, "--", "- -")+" -->\n"); err != nil {
		return err
	}
	encoder := xml.NewEncoder(w)
	encoder.Indent("", "  ")
	if err := encoder.Encode(all); err != nil {
		return fmt.Errorf("write JUnit XML: %w", err)
	}
	_, err := io.WriteString(w, "\n")
	return err
}

func hopCase(run flow.Run, v flow.HopVerdict) testCase {
	hop := hopOf(run, v)
	c := testCase{
		Class: cmp.Or(string(hop.Side), "run"),
		Name:  clean(fmt.Sprintf("%02d %s: %s", v.Hop+1, hop.Kind, hop.Decision)),
	}
	var lines []string
	for _, e := range v.Evidence {
		lines = append(lines, fmt.Sprintf("%s: expected %s, %s saw %s", e.Fact, e.Expected, e.Instrument, e.Seen))
	}
	text := clean(strings.Join(lines, "\n"))
	switch v.State {
	case flow.Confirmed, flow.Learned:
		c.Out = text
	case flow.Refuted:
		c.Failure = &message{clean(v.Reason), text}
	default:
		c.Skipped = &message{clean(v.Reason), text}
	}
	return c
}
