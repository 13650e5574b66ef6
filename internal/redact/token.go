package redact

import (
	"cmp"
	"slices"
	"strings"
	"unicode"

	"github.com/flowproof/lab/internal/lazyregexp"
)

// A form is how an issuer of tokens writes them. Every one has a text in it by which it is looked
// for before the expression is tried.
type form struct {
	has        string
	expression *lazyregexp.Regexp
}

// known are the forms of tokens that their issuers publish.
var known = forTokens(map[string][]string{
	// JWT, JWS, JWE: RFC 7519
	`\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,3}`: {"eyJ"},
	// AWS
	`\b(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{12,}\b`: {"AKIA", "ASIA", "AROA", "AIDA", "AGPA",
		"ANPA", "ANVA", "ABIA", "ACCA"},
	`\bAIza[A-Za-z0-9_-]{30,}`:                                             {"AIza"},    // Google API keys
	`\bya29\.[A-Za-z0-9_-]{10,}`:                                           {"ya29."},   // Google OAuth access tokens
	`\b1//0[A-Za-z0-9_-]{20,}`:                                             {"1//0"},    // Google OAuth refresh tokens
	`\bGOCSPX-[A-Za-z0-9_-]{10,}`:                                          {"GOCSPX-"}, // Google OAuth client secrets
	`\bgh[pousr]_[A-Za-z0-9]{16,}`:                                         {"ghp_", "gho_", "ghu_", "ghs_", "ghr_"},
	`\bgithub_pat_[A-Za-z0-9_]{20,}`:                                       {"github_pat_"},
	`\bgl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|ffct)-[A-Za-z0-9_.-]{16,}`: {"gl"},  // GitLab
	`\bxox[abeoprs]-[A-Za-z0-9-]{8,}`:                                      {"xox"}, // Slack
	`\bxapp-[A-Za-z0-9-]{8,}`:                                              {"xapp-"},
	`hooks\.slack\.com/services/[A-Za-z0-9/]+`:                             {"hooks.slack"},
	`\b[spr]k_(?:live|test)_[A-Za-z0-9]{8,}`:                               {"k_live_", "k_test_"}, // Stripe
	`\bwhsec_[A-Za-z0-9+/=]{16,}`:                                          {"whsec_"},
	`\bsk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{20,}`:                           {"sk-"}, // OpenAI, Anthropic
	`\bhf_[A-Za-z0-9]{20,}`:                                                {"hf_"},
	`\bnpm_[A-Za-z0-9]{20,}`:                                               {"npm_"},
	`\bpypi-[A-Za-z0-9_-]{20,}`:                                            {"pypi-"},
	`\bdop_v1_[a-f0-9]{20,}`:                                               {"dop_v1_"},
	`\bSG\.[A-Za-z0-9_-]{12,}\.[A-Za-z0-9_-]{12,}`:                         {"SG."},                  // SendGrid
	`\bhv[sbr]\.[A-Za-z0-9_-]{16,}`:                                        {"hvs.", "hvb.", "hvr."}, // Vault
	`\bdapi[a-f0-9]{32}\b`:                                                 {"dapi"},
	`\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{24,}`:                                {"shp"},
	`\blin_api_[A-Za-z0-9]{20,}`:                                           {"lin_api_"},
	`\bATATT[A-Za-z0-9_=-]{20,}`:                                           {"ATATT"},
	`\bglsa_[A-Za-z0-9_]{20,}`:                                             {"glsa_"},
	`\bNRAK-[A-Z0-9]{20,}`:                                                 {"NRAK-"},
	`\bsq0[a-z]{3}-[A-Za-z0-9_-]{20,}`:                                     {"sq0"},
	`\bPMAK-[a-f0-9-]{30,}`:                                                {"PMAK-"},
	`\bEAAC[A-Za-z0-9]{20,}`:                                               {"EAAC"},
	`\bkey-[a-f0-9]{32}\b`:                                                 {"key-"},
	`\bAGE-SECRET-KEY-1[A-Z0-9]{12,}`:                                      {"AGE-SECRET-KEY-1"},
	`\b[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}`:                                   {":AA"}, // Telegram
	// crypt(5) hashes of passwords
	`\$(?:2[abxy]?|5|6|y|1|apr1|argon2[a-z]*|scrypt|pbkdf2[a-z0-9-]*)\$[^\s:'",]{8,}`: {"$"},
	`\{(?:SHA|SSHA|SHA256|SSHA256|SHA512|SSHA512)\}[A-Za-z0-9+/=]{20,}`:               {"SHA"}, // htpasswd and LDAP
})

func forTokens(expressions map[string][]string) []form {
	var all []form
	for expression, texts := range expressions {
		compiled := lazyregexp.New(expression)
		for _, has := range texts {
			all = append(all, form{has, compiled})
		}
	}
	slices.SortFunc(all, func(a, b form) int {
		return cmp.Or(cmp.Compare(a.has, b.has), cmp.Compare(a.expression.String(), b.expression.String()))
	})
	return all
}

// issued hides tokens of known forms.
func issued(text string) string {
	for _, f := range known {
		if strings.Contains(text, f.has) {
			text = f.expression.ReplaceAllStringFunc(text, Mark)
		}
	}
	return text
}

// bootstrap is a token of Kubernetes' for nodes that join.
var bootstrap = lazyregexp.New(`^[a-z0-9]{6}\.[a-z0-9]{16}$`)

// schemes are those of HTTP authentication (IANA registry) that carry the secret themselves.
var schemes = lazyregexp.New(
	`(?i)\b(bearer|basic|negotiate|digest|ntlm|hawk|dpop|privatetoken|apikey|token|aws4-hmac-sha256|hoba|mutual|` +
		`scram-sha-[0-9]+|vapid|gnap|snowflake)([ \t]+|%20|\+)((?:` + markForm + `|[A-Za-z0-9._~+/=:-])+(?:[ \t]*,[ ` +
		`\t]*[A-Za-z]+=(?:"[^"]*"|[^\s,'"]+))*)`)

var (
	pem = lazyregexp.New(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ` +
		`]*PRIVATE KEY(?: BLOCK)?-----|\z)`)
	pemBase64   = lazyregexp.New(`\bLS0tLS1CRUdJTi[A-Za-z0-9+/=_-]+`) // "-----BEGIN " in base64
	hexadecimal = lazyregexp.New(`^(?:[0-9a-f]{32,}|[0-9A-F]{32,})$`)
)

// keyInBase64 is "PRIVATE KEY" in base64, at each of its three offsets.
var keyInBase64 = []string{"UFJJVkFURSBLRV", "BSSVZBVEUgS0VZ", "QUklWQVRFIEtFW"}

// forms hides what is a secret by its own form, wherever it stands in text.
func forms(text string) string {
	if len(text) < 8 {
		return text
	}
	if strings.Contains(text, "PRIVATE KEY") {
		text = pem.ReplaceAllStringFunc(text, Mark)
	}
	if strings.Contains(text, "LS0tLS1CRUdJTi") {
		text = pemBase64.ReplaceAllStringFunc(text, func(block string) string {
			for _, key := range keyInBase64 {
				if strings.Contains(block, key) {
					return Mark(block)
				}
			}
			return block
		})
	}
	text = issued(text)
	if !schemed(text) {
		return text
	}
	return replace(schemes, text, func(m []string) string {
		if !credential(m[1], m[3]) {
			return m[0]
		}
		return m[1] + m[2] + Mark(m[3])
	})
}

// schemed reports whether the name of a scheme may be in text.
func schemed(text string) bool {
	for _, name := range []string{"earer", "asic", "egotiate", "igest", "ntlm", "NTLM", "awk", "pop", "DPoP", "oken",
		"pikey", "piKey", "APIKEY", "ApiKey", "aws4", "AWS4",
		"hoba", "HOBA", "utual", "scram", "SCRAM", "apid", "gnap", "GNAP", "nowflake", "EARER", "ASIC", "TOKEN"} {
		if strings.Contains(text, name) {
			return true
		}
	}
	return false
}

// credential reports whether a word after the name of a scheme is one, and not the next
// word of a sentence.
func credential(scheme, value string) bool {
	if strings.Contains(value, "=") && strings.Contains(value, ",") {
		return true
	}
	if scheme == "Bearer" || scheme == "Basic" {
		return len(value) >= 5 && !sentence[strings.ToLower(strings.TrimRight(value, ".:,=-"))]
	}
	if strings.EqualFold(scheme, "bearer") || strings.EqualFold(scheme, "negotiate") ||
		strings.EqualFold(scheme, "ntlm") {
		return len(value) >= 5 && !plain(value)
	}
	return len(value) >= 6 && !plain(value)
}

// sentence are words that follow the name of a scheme where it is only spoken of.
var sentence = set(`token tokens auth authentication authorization scheme header credentials credential realm ` +
	`challenge format username`)

// plain is a word as a sentence has it: letters of one case, maybe with a capital at its beginning
// and a sign at its end.
func plain(word string) bool {
	word = strings.TrimRight(word, ".:,=-")
	if word == "" {
		return true
	}
	return strings.IndexFunc(word[1:], func(r rune) bool { return !unicode.IsLower(r) && r != '-' && r != '_' }) < 0 &&
		unicode.IsLetter(rune(word[0])) && len(word) < 16
}

// public is a certificate or a public key.
var public = lazyregexp.New(`(?s)-----BEGIN (?:[A-Z0-9]+ )*(?:CERTIFICATE|PUBLIC KEY|CERTIFICATE REQUEST|X509 ` +
	`CRL)-----.*?(?:-----END [A-Z0-9 ]*-----|\z)`)

// tokens hides words of text that look like tokens, but for those of certificates,
// which hold no secret.
func tokens(text string) string {
	if strings.Contains(text, "-----BEGIN ") {
		if at := public.FindStringIndex(text); at != nil {
			return tokens(text[:at[0]]) + text[at[0]:at[1]] + tokens(text[at[1]:])
		}
	}
	return runs(text, "_+/=~.-", 20, func(word string) string {
		if !Token(word) || strings.HasPrefix(word, "LS0tLS1CRUdJTi") {
			return word
		}
		return Mark(word)
	})
}

// runs replaces each run of at least so many letters, digits and signs. No expression is needed to
// find them, which are in most lines.
func runs(text, signs string, least int, by func(string) string) string {
	var b strings.Builder
	kept, begin := 0, 0 // text before kept is in b
	for n := 0; n <= len(text); n++ {
		if n < len(text) && (letterOrDigit(text[n]) || strings.IndexByte(signs, text[n]) >= 0) {
			continue
		}
		if n-begin >= least {
			if changed := by(text[begin:n]); changed != text[begin:n] {
				b.WriteString(text[kept:begin] + changed)
				kept = n
			}
		}
		begin = n + 1
	}
	if kept == 0 {
		return text
	}
	return b.String() + text[kept:]
}

func letterOrDigit(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z'
}

// Token reports whether a word looks like a token that a program made: long, of
// capitals, small letters and digits, which change often. Names that people and
// compilers make do not: InboundPassthroughClusterIpv4, outbound_.8080_._.a.svc, a
// UUID, an address, a digest in hexadecimal.
func Token(word string) bool {
	if len(word) < 16 {
		return false
	}
	if len(word) == 23 && bootstrap.MatchString(word) || issued(word) != word {
		return true
	}
	if len(word) < 20 || strings.HasPrefix(word, "_Z") || strings.HasPrefix(word, "/") && strings.Count(word, "/") > 2 {
		return false
	}
	for part := range strings.FieldsFuncSeq(word, func(r rune) bool { return strings.ContainsRune("._:=~/", r) }) {
		if random(longest(part)) || strings.ToLower(part) != part && random(strings.ReplaceAll(part, "-", "")) {
			return true
		}
	}
	return strings.ToLower(word) != word && random(strings.Map(func(r rune) rune {
		if strings.ContainsRune("+/=_-", r) {
			return -1
		}
		return r
	}, word)) && !strings.ContainsAny(word, ".")
}

// longest is the longest run without a dash.
func longest(part string) string {
	best := ""
	for run := range strings.SplitSeq(part, "-") {
		if len(run) > len(best) {
			best = run
		}
	}
	return best
}

// random reports whether the kinds of characters of a word change as often as in one that was drawn
// at random: about every third character, and in names at each word.
func random(word string) bool {
	if len(word) < 16 {
		return false
	}
	kind := func(c byte) int {
		switch {
		case c >= '0' && c <= '9':
			return 1
		case c >= 'A' && c <= 'Z':
			return 2
		}
		return 3
	}
	changes, seen := 0, [4]int{}
	for n := range len(word) {
		seen[kind(word[n])]++
		if n > 0 && kind(word[n]) != kind(word[n-1]) {
			changes++
		}
	}
	kinds := 0
	for _, count := range seen {
		if count > 0 {
			kinds++
		}
	}
	if kinds == 2 && seen[1] > 0 { // letters of one case and digits
		return len(word) >= 24 && changes*4 >= len(word) && !hexOnly(word)
	}
	return kinds == 3 && seen[1] >= 2 && seen[2] >= 2 && changes*3 >= len(word)
}

func hexOnly(word string) bool { return strings.Trim(word, "0123456789abcdefABCDEF") == "" }
