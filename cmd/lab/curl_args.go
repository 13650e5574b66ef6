package main

import (
	"strings"

	"github.com/flowproof/lab/harness/flow"
)

// curlValued are curl's options of one letter that have a value: the rest of the argument, or the next one. Source: curl(1).
const curlValued = "AbcCdDeEFHKmoPQrtTuUwxXyYz"

// curlLong are the long options that decide the method or the headers, by a letter that means as much.
var curlLong = map[string]byte{
	"--request": 'X', "--header": 'H', "--head": 'I', "--get": 'G',
	"--data": 'd', "--data-ascii": 'd', "--data-raw": 'd', "--data-binary": 'd', "--data-urlencode": 'd', "--json": 'd',
	"--form": 'F', "--form-string": 'F', "--upload-file": 'T',
}

// readCurl takes from curl's arguments what inference has to know: the method and the headers.
func readCurl(args []string, call *flow.Call) {
	given := map[byte]bool{}
	said := "" // by -X, which decides whatever else there is
	curlOptions(args, func(option byte, value string) {
		given[option] = true
		switch option {
		case 'X':
			said = value
		case 'H':
			readHeader(value, call)
		}
	})
	switch {
	case said != "":
		call.Method = said
	case given['I']:
		call.Method = "HEAD"
	case given['T']:
		call.Method = "PUT"
	case given['G']: // data go into the URL
		call.Method = "GET"
	case given['d'], given['F']:
		call.Method = "POST"
	}
}

// readHeader takes a header as curl does: "name: value"; "name;" is one with an empty value, and "name:" one that is not sent.
func readHeader(text string, call *flow.Call) {
	name, value, ok := strings.Cut(text, ":")
	value = strings.TrimSpace(value)
	if empty, found := strings.CutSuffix(strings.TrimSpace(text), ";"); found && !ok {
		name = empty
	} else if value == "" {
		return
	}
	if call.Headers == nil {
		call.Headers = map[string]string{}
	}
	call.Headers[strings.ToLower(strings.TrimSpace(name))] = value
}

// curlOptions hands on each option of one letter, and of curlLong, with its value. Letters without a value can stand together, and
// one with a value after them: -skXPOST.
func curlOptions(args []string, found func(option byte, value string)) {
	next := func() (arg string) {
		if len(args) > 0 {
			arg, args = args[0], args[1:]
		}
		return arg
	}
	for len(args) > 0 {
		arg := next()
		switch {
		case strings.HasPrefix(arg, "--"):
			name, value, joined := strings.Cut(arg, "=")
			option := curlLong[name]
			if option != 0 && !joined && strings.IndexByte(curlValued, option) >= 0 {
				value = next()
			}
			if option != 0 {
				found(option, value)
			}
		case strings.HasPrefix(arg, "-"):
			letters := arg[1:]
			for n := range len(letters) {
				if strings.IndexByte(curlValued, letters[n]) < 0 {
					found(letters[n], "")
					continue
				}
				value := letters[n+1:]
				if value == "" {
					value = next()
				}
				found(letters[n], value)
				break
			}
		}
	}
}
