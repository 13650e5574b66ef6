package curl

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// A Command is a curl to run. Its command line, which every user of its host can read in /proc,
// holds nothing of the request: curl reads URL, method, headers and body from standard input.
type Command struct {
	Line  []string // the program and its arguments
	Input []byte   // for its standard input: a configuration as curl(1) describes it under --config
}

// maxTime bounds one request in seconds.
const maxTime = "15"

// maxLine is the longest line of a configuration that every curl from 7.63 on reads;
// newer ones read more.
const maxLine = 96 << 10

// Send returns the curl that sends a call: times is how often, one after the other; args are
// more arguments of curl's own as a person types them, and they stand after the call's.
// Standard error then holds what Parse reads. The error says which argument cannot be given,
// and never what an argument holds.
func Send(call flow.Call, times int, args ...string) (Command, error) {
	return send(call, times, "/dev/null", args)
}

// Show returns the curl that sends a call once, as Send does, and writes the answer's body to its
// standard output.
func Show(call flow.Call, args ...string) (Command, error) { return send(call, 1, "-", args) }

func send(call flow.Call, times int, output string, args []string) (Command, error) {
	c := &config{line: append([]string{"curl"}, Args()...)}
	c.option("max-time", maxTime)
	c.flag("globoff")        // the URL is one URL, also with brackets in it
	c.option("noproxy", "*") // what the container's environment says of proxies is not followed
	c.flag("path-as-is")     // and its dots are not taken out, as inference does not
	if method := requested(call); method != "" {
		c.option("request", method)
	} else if call.Method == "HEAD" { // by its name alone curl would wait for a body
		c.flag("head")
	} else if call.Method == "POST" && !inURL(args) {
		c.option("request", call.Method)
	}
	if call.RequestID != "" {
		c.header("x-request-id", call.RequestID)
	}
	for _, name := range slices.Sorted(maps.Keys(call.Headers)) {
		for _, value := range call.Headers[name] {
			c.header(name, value)
		}
	}
	for _, name := range call.Without {
		c.option("header", name+":")
	}
	if call.Body != nil {
		c.option("data-binary", string(call.Body))
	}
	if err := eachOption(args, c.given); err != nil {
		return Command{}, err
	}
	for range times {
		c.option("output", output)
		c.option("url", strings.ReplaceAll(call.URL, " ", "%20"))
	}
	if c.err != nil {
		return Command{}, c.err
	}
	return Command{Line: append(c.line, "--config", "-"), Input: []byte(c.text.String())}, nil
}

// inURL says whether arguments of curl's have it send data in the URL, by GET.
func inURL(args []string) bool {
	options, err := Options(args)
	return err == nil && slices.ContainsFunc(options, func(o Option) bool { return o.Name == "-G" || o.Name == "get" })
}

// config is a configuration of curl that is being written.
type config struct {
	line []string
	text strings.Builder
	err  error
}

func (c *config) flag(name string) { c.text.WriteString(name + "\n") }

// quoted are the characters that have another form between the quotes of a configuration.
var quoted = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "\r", `\r`, "\t", `\t`, "\v", `\v`)

// option writes an option with its value. curl takes an empty value from its command line only, and
// there is nothing to keep from anybody in one.
func (c *config) option(name, value string) {
	separator := " = "
	if strings.HasPrefix(name, "-") {
		separator = " " // after a letter an equals sign is the value's first character
	}
	line := name + separator + `"` + quoted.Replace(value) + "\"\n"
	switch {
	case strings.ContainsRune(value, 0):
		c.fail(fmt.Errorf("give curl its option %s: the value has a NUL byte (send it from a file of the container: "+
			"-- --data-binary @FILE)", name))
	case len(line) > maxLine:
		c.fail(fmt.Errorf("give curl its option %s: a value of %d bytes is longer than curl reads (send it from a "+
			"file of the container: "+
			"-- --data-binary @FILE)", name, len(value)))
	case value == "":
		c.line = append(c.line, dashed(name), "")
	default:
		c.text.WriteString(line)
	}
}

func (c *config) fail(err error) {
	if c.err == nil {
		c.err = err
	}
}

// dashed is an option as it stands on a command line.
func dashed(name string) string {
	if strings.HasPrefix(name, "-") {
		return name
	}
	return "--" + name
}

// header writes a header as curl wants it: one with an empty value ends in a semicolon.
func (c *config) header(name, value string) {
	switch {
	case strings.ContainsAny(name+value, "\r\n"):
		c.fail(fmt.Errorf("give curl a header: its name or value has a line break, which would make two headers of it"))
	case value == "":
		c.option("header", name+";")
	default:
		c.option("header", name+": "+value)
	}
}

// again are options that would send a request once more, to where an answer redirects it or because
// it failed. One request is sent: they are left out.
var again = map[string]bool{"-L": true, "location": true, "location-trusted": true, "follow": true, "retry": true,
	"retry-all-errors": true, "retry-connrefused": true, "retry-delay": true, "retry-max-time": true}

// second are options with which curl sends another request: to another URL, or after an answer that
// asks who it is.
var second = map[string]bool{"url": true, "next": true, "-:": true, "anyauth": true, "digest": true, "ntlm": true,
	"ntlm-wb": true, "negotiate": true}

// elsewhere are options with which the request takes another way than its URL and an address for
// its host say, or begins with something else.
var elsewhere = map[string]bool{"-x": true, "proxy": true, "preproxy": true, "proxy1.0": true, "socks4": true,
	"socks4a": true, "socks5": true, "socks5-hostname": true, "connect-to": true, "unix-socket": true,
	"abstract-unix-socket": true, "haproxy-protocol": true, "haproxy-clientip": true}

// given writes an option that a person gave.
func (c *config) given(o Option) error {
	switch {
	case second[o.Name]:
		return fmt.Errorf("give curl its option %s: it would send a second request", o.Name)
	case elsewhere[o.Name]:
		return fmt.Errorf("give curl its option %s: the request would go another way than its URL says, which is "+
			"not followed (name in the URL what is called; --resolve gives its address)", o.Name)
	case again[o.Name]: // what it says is only for a second request
	case o.Stdin():
		return fmt.Errorf("give curl its option %s: standard input is taken by the request itself (use a file)", o.Name)
	case o.Name == "-K" || o.Name == "config":
		return fmt.Errorf("give curl its option %s: what the file makes of the request is not known (give its options "+
			"themselves)", o.Name)
	case o.Valued:
		c.option(o.Name, o.Value)
	default:
		c.flag(o.Name)
	}
	return nil
}
