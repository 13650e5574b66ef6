package curl

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/flowproof/lab/internal/lazyregexp"
)

// An Option is one option of curl's as it was given.
type Option struct {
	Name   string // long without dashes, "header"; short with one, "-H"
	Value  string
	Valued bool // it takes a value
}

// shortValued are curl's options of one letter that have a value: the rest of the argument, or the
// next one. Source: curl(1).
const shortValued = "AbcCdDeEFHKmoPQrtTuUwxXyYz"

// flags are curl's long options without a value, but for those that begin with no-; source:
// curl(1), 7.63 to 8.17.
var flags = strings.Fields(`anyauth append basic ca-native cert-status compressed compressed-ssh create-dirs
crlf digest disable disable-eprt disable-epsv disallow-username-in-url doh-cert-status doh-insecure
dump-ca-embed fail fail-early fail-with-body false-start follow form-escape ftp-create-dirs ftp-pasv ftp-pret
ftp-skip-pasv-ip ftp-ssl ftp-ssl-ccc ftp-ssl-control ftp-ssl-reqd get globoff haproxy-protocol head http0.9
http1.0 http1.1 http2 http2-prior-knowledge http3 http3-only ignore-content-length include insecure ipv4 ipv6
junk-session-cookies list-only location location-trusted mail-rcpt-allowfails manual metalink mptcp negotiate
netrc netrc-optional next npn alpn buffer keepalive progress-meter sessionid clobber ntlm ntlm-wb out-null
parallel parallel-immediate path-as-is post301 post302 post303 progress-bar proxy-anyauth proxy-basic
proxy-ca-native proxy-digest proxy-http2 proxy-insecure proxy-negotiate proxy-ntlm proxy-ssl-allow-beast
proxy-ssl-auto-client-cert proxy-tlsv1 proxytunnel raw remote-header-name remote-name remote-name-all
remote-time remove-on-error retry-all-errors retry-connrefused sasl-ir show-error show-headers silent
skip-existing socks5-basic socks5-gssapi socks5-gssapi-nec ssl ssl-allow-beast ssl-auto-client-cert
ssl-no-revoke ssl-reqd ssl-revoke-best-effort sslv2 sslv3 styled-output suppress-connect-headers tcp-fastopen
tcp-nodelay tftp-no-options tls-earlydata tlsv1 tlsv1.0 tlsv1.1 tlsv1.2 tlsv1.3 tr-encoding trace-ids trace-time
use-ascii verbose version xattr`)

// ErrNoOption is in the chain of the error about an argument that is no option of curl's.
var ErrNoOption = errors.New("it is no option of curl's, and the URL is --to's")

// optionName is what a name of curl's options is made of.
var optionName = lazyregexp.New(`^(?:-[A-Za-z0-9#:]|[a-z0-9][a-z0-9.-]*)$`)

// Options reads arguments of curl's own as curl does: letters without a value can stand together,
// and one with a value after them, as in -skXPOST; a long option's value is the next argument, or
// stands after an equals sign.
func Options(args []string) ([]Option, error) {
	var all []Option
	err := eachOption(args, func(o Option) error {
		all = append(all, o)
		return nil
	})
	return all, err
}

// eachOption hands on each option; an argument that is none is an error, which says its place
// and not what it holds.
func eachOption(args []string, found func(Option) error) error {
	for at := 0; at < len(args); at++ {
		arg := args[at]
		var options []Option
		var open bool // the last one's value is the next argument
		switch {
		case strings.HasPrefix(arg, "--") && len(arg) > 2:
			options, open = long(arg[2:], at+1 < len(args) && !strings.HasPrefix(args[at+1], "-"))
		case strings.HasPrefix(arg, "-") && len(arg) > 1 && arg != "--":
			options, open = short(arg[1:])
		default:
			return fmt.Errorf("read argument %d of curl's: %w", at+1, ErrNoOption)
		}
		if open {
			if at++; at == len(args) {
				return fmt.Errorf("read argument %d of curl's: %s has no value", at, options[len(options)-1].Name)
			}
			options[len(options)-1].Value = args[at]
		}
		for _, o := range options {
			if !optionName.MatchString(o.Name) {
				return fmt.Errorf("read argument %d of curl's: %w", at+1, ErrNoOption)
			}
			if err := found(o); err != nil {
				return err
			}
		}
	}
	return nil
}

// long reads a long option. One that is not known takes a value when an argument
// follows that is no option.
func long(text string, follows bool) (options []Option, open bool) {
	name, value, joined := strings.Cut(text, "=")
	switch {
	case joined:
		return []Option{{Name: name, Value: value, Valued: true}}, false
	case strings.HasPrefix(name, "no-"), slices.Contains(flags, name):
		return []Option{{Name: name}}, false
	}
	open = follows || slices.Contains(valued, name)
	return []Option{{Name: name, Valued: open}}, open
}

// valued are long options whose value may begin with a dash, as curl takes any argument for it.
var valued = []string{"data", "data-ascii", "data-raw", "data-binary", "data-urlencode", "json", "form",
	"form-string", "header", "request",
	"user", "user-agent", "referer", "cookie", "cookie-jar", "upload-file", "url-query", "oauth2-bearer",
	"aws-sigv4", "output", "write-out",
	"max-time", "connect-timeout", "config", "proxy-user", "proxy-header", "pass", "key", "cert"}

// short reads letters after one dash.
func short(letters string) (options []Option, open bool) {
	for n := range len(letters) {
		o := Option{Name: "-" + letters[n:n+1], Valued: strings.IndexByte(shortValued, letters[n]) >= 0}
		if o.Valued {
			o.Value = letters[n+1:]
			return append(options, o), o.Value == ""
		}
		options = append(options, o)
	}
	return options, false
}

// Stdin reports whether the option reads standard input, which is taken.
func (o Option) Stdin() bool {
	switch o.Name {
	case "-K", "config", "-T", "upload-file":
		return o.Value == "-" || o.Value == "."
	case "-d", "data", "data-ascii", "data-binary", "json", "-H", "header", "proxy-header", "-b", "cookie":
		return o.Value == "@-" || (o.Name == "-b" || o.Name == "cookie") && o.Value == "-"
	case "data-urlencode":
		return strings.HasSuffix(o.Value, "@-")
	case "-F", "form":
		_, value, _ := strings.Cut(o.Value, "=")
		return strings.HasPrefix(value, "@-") || strings.HasPrefix(value, "<-")
	}
	return false
}
