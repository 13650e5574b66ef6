package redact

import (
	"slices"
	"strings"
	"sync"
	"unicode"

	"github.com/flowproof/lab/internal/lazyregexp"
)

func set(words string) map[string]bool {
	all := map[string]bool{}
	for word := range strings.FieldsSeq(words) {
		all[word] = true
	}
	return all
}

// shownHeaders are the headers whose values are shown: what a request's way is read from. Those of
// tracing are from the specifications of W3C, Zipkin, Jaeger, Datadog and the clouds; the rest from
// RFC 9110 and from Envoy's and Istio's pages.
var shownHeaders = set(`:authority :method :path :protocol :scheme :status host connection accept accept-charset
	accept-encoding accept-language accept-ranges access-control-allow-credentials access-control-allow-headers
	access-control-allow-methods access-control-allow-origin access-control-expose-headers
	access-control-max-age access-control-request-headers access-control-request-method age allow alt-svc
	cache-control content-disposition content-encoding content-language content-length content-location
	content-range content-type date expect expires forwarded grpc-accept-encoding grpc-encoding grpc-message
	grpc-status grpc-timeout http2-settings if-match if-modified-since if-none-match if-range
	if-unmodified-since etag keep-alive last-modified location max-forwards origin pragma priority
	proxy-connection range referer referrer-policy retry-after sec-fetch-dest sec-fetch-mode sec-fetch-site
	sec-fetch-user server strict-transport-security te timing-allow-origin trailer transfer-encoding upgrade
	upgrade-insecure-requests user-agent vary via warning x-content-type-options x-frame-options x-powered-by
	x-xss-protection x-dns-prefetch-control permissions-policy x-request-id request-id x-correlation-id
	correlation-id traceparent tracestate b3 x-b3-traceid x-b3-spanid x-b3-parentspanid x-b3-sampled x-b3-flags
	x-ot-span-context x-cloud-trace-context x-amzn-trace-id uber-trace-id x-datadog-trace-id x-datadog-parent-id
	x-datadog-sampling-priority sw8 x-client-trace-id x-trace-id x-span-id x-forwarded-client-cert
	x-forwarded-for x-forwarded-host x-forwarded-port x-forwarded-prefix x-forwarded-proto x-forwarded-scheme
	x-real-ip x-http-method-override x-requested-with x-ratelimit-limit x-ratelimit-remaining x-ratelimit-reset
	ratelimit-limit ratelimit-remaining ratelimit-reset ratelimit-policy`)

// shownPrefixes begin the names of headers that Envoy and Istio make.
var shownPrefixes = []string{"x-envoy-", "x-istio-", "istio-", "sec-ch-"}

// opaque are shown headers whose values are long and mean nothing by their form: nothing in
// them is looked for.
var opaque = set(`x-envoy-peer-metadata x-envoy-peer-metadata-id traceparent tracestate b3 x-b3-traceid
x-b3-spanid x-b3-parentspanid x-request-id request-id x-ot-span-context x-cloud-trace-context x-amzn-trace-id
uber-trace-id http2-settings etag if-none-match if-match date x-correlation-id correlation-id x-trace-id
x-span-id sw8 x-client-trace-id`)

// shownParameters are the query parameters whose values are shown: those that page, sort and choose
// a form, and those of Envoy's admin interface and of fortio's echo server.
var shownParameters = set(`page pages per_page perpage page_size pagesize limit offset start end from to count
size sort sortby order orderby order_by dir direction asc desc lang language locale hl region country currency
unit units tz timezone format fmt output pretty indent v ver version api-version apiversion fields include
exclude expand filter view mode type kind category tab step since until before after year month day week date
time ts timestamp width height zoom lat lon include_eds resource mask name_regex usedonly text_readouts
histogram_buckets level paths enable status delay close load gzip proto retry timeout debug verbose dry_run
dryrun watch follow tail namespace fieldselector labelselector service cluster route listener port method`)

// ShownHeader reports whether the header's value is shown. Names are compared
// without regard to case.
func ShownHeader(name string) bool {
	name = strings.ToLower(strings.TrimSpace(name))
	if shownHeaders[name] {
		return true
	}
	return slices.ContainsFunc(shownPrefixes, func(prefix string) bool {
		return strings.HasPrefix(name, prefix)
	}) && !SecretName(name)
}

// small is a value that gives nothing away under any name: a switch, or a number of at most three
// digits.
var small = lazyregexp.New(`^(?i:true|false|yes|no|on|off|null|none|enabled|disabled|[0-9]{1,3})$`)

// secretWords are words that make a name the name of a secret, wherever they stand in it.
var secretWords = set(`password passwords passwd pwd pswd passphrase passcode passwort secret secrets token
tokens apikey apikeys apitoken jwt jws cookie cookies cookie2 credential credentials creds cred authorization
bearer signature sig hmac otp totp pin cvv cvc sessionid sessid sessionkey sid jsessionid phpsessid ssn
apisecret accesskey secretkey privatekey signingkey encryptionkey authkey accountkey sharedkey sharedaccesskey
masterkey storagekey clientassertion samlresponse samlrequest dsn authtoken accesstoken refreshtoken idtoken
csrftoken xsrf csrf keyid clientsecret userpass userpwd dbpass dbpassword basicauth mypassword pgpassword
redispassword webhookurl pkcs12 p12 pfx passkey magiclink resetcode verificationcode apppassword codeverifier devicecode
	usercode authorizationcode authcode mnemonic
seedphrase licensekey`)

// lastWords make a secret's name where they are its last word, or all of it.
var lastWords = set(`auth pass pw session connectionstring connstr`)

// keyKinds are words before key that make it a secret's name.
var keyKinds = set(`api access secret private signing signature encryption auth master account storage shared
subscription session client ssh pgp gpg deploy service function host license security server app application x
license-key tls ssl sign crypto aes rsa hmac stripe aws azure gcp google openai github consumer`)

// amounts are words before tokens that make them a number.
var amounts = set(`max min num total count`)

// harmlessEnds end names that speak about a secret and hold none.
var harmlessEnds = set(`name names file filename path url uri endpoint type kind header headers prefix count
size length len ttl expiry expires expiration lifetime timeout interval bucket fill limit max min required
enabled mode policy provider providers ref refs namespace config configs version audience issuer claims
algorithm alg format location locations field id ids per source domain samesite attributes age created updated
authn authz filter time date status state error errors description`)

// SecretName reports whether what stands under a name is a secret by its name alone:
// DB_PASSWORD, x-apikey, clientSecret. Words are told apart by case, by digits and by any
// character that is no letter.
func SecretName(name string) bool { return judged.secret(name) }

// judged are names that were judged before: most come again and again.
var judged nameMemory

// A nameMemory has whether each of some names is a secret's. It is safe for use by several
// goroutines.
type nameMemory struct {
	mu    sync.RWMutex
	known map[string]bool
}

// How many names are remembered, and of how many bytes.
const (
	mostNames   = 4096
	longestName = 64
)

func (n *nameMemory) secret(name string) bool {
	if len(name) > longestName {
		return secretName(name)
	}
	n.mu.RLock()
	secret, ok := n.known[name]
	n.mu.RUnlock()
	if ok {
		return secret
	}
	secret = secretName(name)
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.known) >= mostNames || n.known == nil {
		n.known = map[string]bool{}
	}
	n.known[strings.Clone(name)] = secret // which is not to keep the text that it is of
	return secret
}

func secretName(name string) bool {
	all := words(name)
	if len(all) == 0 {
		return false
	}
	last := all[len(all)-1]
	if len(all) > 1 && harmlessEnds[last] && !secretWords[strings.Join(all[max(0, len(all)-2):], "")] {
		return false
	}
	if lastWords[last] {
		return true
	}
	if last == "tokens" && amounts[all[0]] {
		return false
	}
	for n, word := range all {
		if secretWords[word] {
			return true
		}
		if n == 0 {
			continue
		}
		before := all[n-1]
		if (word == "key" || word == "keys") && keyKinds[before] || secretWords[before+word] ||
			before == "connection" && word == "string" || before == "pass" && word == "word" ||
			before == "auth" && (word == "code" || word == "ticket") {
			return true
		}
	}
	return secretWords[strings.Join(all, "")]
}

// words takes a name apart: x-apiKey2 is x, api, key.
func words(name string) []string {
	var all []string
	var word []rune
	end := func() {
		if len(word) > 0 {
			all, word = append(all, strings.ToLower(string(word))), nil
		}
	}
	runes := []rune(name)
	for n, r := range runes {
		if r >= '！' && r <= '～' { // the same characters in full width
			runes[n] = r - '！' + '!'
		}
	}
	for n, r := range runes {
		switch {
		case !unicode.IsLetter(r) && !(unicode.IsDigit(r) && len(word) > 0):
			end()
			continue
		case unicode.IsUpper(r) && n > 0 && (unicode.IsLower(runes[n-1]) ||
			n+1 < len(runes) && unicode.IsLower(runes[n+1]) && unicode.IsUpper(runes[n-1])):
			end()
		}
		word = append(word, r)
	}
	end()
	for n, word := range all {
		if trimmed := strings.TrimRight(word, "0123456789"); !secretWords[word] {
			all[n] = trimmed
		}
	}
	return all
}

// ShownParameter reports whether the value of a query parameter is shown.
func ShownParameter(name string) bool {
	name = strings.ToLower(name)
	return shownParameters[name] && !SecretName(name)
}
