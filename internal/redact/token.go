package redact

import (
	"regexp"
	"strings"
	"unicode"
)

// known are the forms of tokens that their issuers publish, each with a beginning by which it is found.
var known = regexp.MustCompile(strings.Join([]string{
	`\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*){0,3}`, // JWT, JWS, JWE: RFC 7519
	`\b(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA|ANVA|ABIA|ACCA)[A-Z0-9]{12,}\b`,  // AWS access key IDs
	`\bAIza[A-Za-z0-9_-]{30,}`,                                       // Google API keys
	`\bya29\.[A-Za-z0-9_-]{10,}`,                                     // Google OAuth access tokens
	`\b1//0[A-Za-z0-9_-]{20,}`,                                       // Google OAuth refresh tokens
	`\bGOCSPX-[A-Za-z0-9_-]{10,}`,                                    // Google OAuth client secrets
	`\bgh[pousr]_[A-Za-z0-9]{16,}`, `\bgithub_pat_[A-Za-z0-9_]{20,}`, // GitHub
	`\bgl(?:pat|dt|rt|cbt|ptt|ft|imt|agent|soat|ffct)-[A-Za-z0-9_.-]{16,}`, // GitLab
	`\bxox[abeoprs]-[A-Za-z0-9-]{8,}`, `\bxapp-[A-Za-z0-9-]{8,}`,           // Slack
	`hooks\.slack\.com/services/[A-Za-z0-9/]+`,                              // and its webhooks
	`\b[spr]k_(?:live|test)_[A-Za-z0-9]{8,}`, `\bwhsec_[A-Za-z0-9+/=]{16,}`, // Stripe
	`\bsk-(?:ant-|proj-|or-)?[A-Za-z0-9_-]{20,}`, // OpenAI, Anthropic
	`\bhf_[A-Za-z0-9]{20,}`, `\bnpm_[A-Za-z0-9]{20,}`, `\bpypi-[A-Za-z0-9_-]{20,}`, `\bdop_v1_[a-f0-9]{20,}`,
	`\bSG\.[A-Za-z0-9_-]{12,}\.[A-Za-z0-9_-]{12,}`,            // SendGrid
	`\bhv[sbr]\.[A-Za-z0-9_-]{16,}`, `\bs\.[A-Za-z0-9]{24}\b`, // Vault
	`\bdapi[a-f0-9]{32}\b`, `\bshp(?:at|ca|pa|ss)_[a-fA-F0-9]{24,}`, `\blin_api_[A-Za-z0-9]{20,}`, `\bATATT[A-Za-z0-9_=-]{20,}`,
	`\bglsa_[A-Za-z0-9_]{20,}`, `\bNRAK-[A-Z0-9]{20,}`, `\bsq0[a-z]{3}-[A-Za-z0-9_-]{20,}`, `\bPMAK-[a-f0-9-]{30,}`,
	`\bEAAC[A-Za-z0-9]{20,}`, `\bkey-[a-f0-9]{32}\b`, `\bAGE-SECRET-KEY-1[A-Z0-9]{12,}`,
	`\b[0-9]{8,10}:AA[A-Za-z0-9_-]{30,}`,                                              // Telegram
	`\b[a-z0-9]{6}\.[a-z0-9]{16}\b`,                                                   // Kubernetes bootstrap tokens
	`\$(?:2[abxy]?|5|6|y|1|apr1|argon2[a-z]*|scrypt|pbkdf2[a-z0-9-]*)\$[^\s:'",]{8,}`, // crypt(5) hashes of passwords
	`\{(?:SHA|SSHA|SHA256|SSHA256|SHA512|SSHA512)\}[A-Za-z0-9+/=]{20,}`,               // htpasswd and LDAP
}, "|"))

// schemes are those of HTTP authentication (IANA registry) that carry the secret themselves.
var schemes = regexp.MustCompile(`(?i)\b(bearer|basic|negotiate|digest|ntlm|hawk|dpop|privatetoken|apikey|token|aws4-hmac-sha256|hoba|mutual|scram-sha-256|vapid|gnap|snowflake)([ \t]+|%20|\+)((?:` + markForm + `|[A-Za-z0-9._~+/=:-])+(?:[ \t]*,[ \t]*[A-Za-z]+=(?:"[^"]*"|[^\s,'"]+))*)`)

var (
	pem         = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----|\z)`)
	pemBase64   = regexp.MustCompile(`\bLS0tLS1CRUdJTi[A-Za-z0-9+/=_-]+`) // "-----BEGIN " in base64
	hexadecimal = regexp.MustCompile(`^(?:[0-9a-f]{32,}|[0-9A-F]{32,})$`)
	candidate   = regexp.MustCompile(`[A-Za-z0-9_+/=~.-]{20,}`)
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
	text = known.ReplaceAllStringFunc(text, Mark)
	return replace(schemes, text, func(m []string) string {
		if !credential(m[1], m[3]) {
			return m[0]
		}
		return m[1] + m[2] + Mark(m[3])
	})
}

// credential reports whether a word after the name of a scheme is one, and not the next word of a sentence.
func credential(scheme, value string) bool {
	if strings.Contains(value, "=") && strings.Contains(value, ",") {
		return true
	}
	if scheme == "Bearer" || scheme == "Basic" {
		return len(value) >= 5 && !sentence[strings.ToLower(strings.TrimRight(value, ".:,=-"))]
	}
	if strings.EqualFold(scheme, "bearer") || strings.EqualFold(scheme, "negotiate") || strings.EqualFold(scheme, "ntlm") {
		return len(value) >= 5 && !plain(value)
	}
	return len(value) >= 6 && !plain(value)
}

// sentence are words that follow the name of a scheme where it is only spoken of.
var sentence = set(`token tokens auth authentication authorization scheme header credentials credential realm challenge format username`)

// plain is a word as a sentence has it: letters of one case, maybe with a capital at its beginning and a sign at its end.
func plain(word string) bool {
	word = strings.TrimRight(word, ".:,=-")
	if word == "" {
		return true
	}
	return strings.IndexFunc(word[1:], func(r rune) bool { return !unicode.IsLower(r) && r != '-' && r != '_' }) < 0 && unicode.IsLetter(rune(word[0])) && len(word) < 16
}

// public is a certificate or a public key.
var public = regexp.MustCompile(`(?s)-----BEGIN (?:[A-Z0-9]+ )*(?:CERTIFICATE|PUBLIC KEY|CERTIFICATE REQUEST|X509 CRL)-----.*?(?:-----END [A-Z0-9 ]*-----|\z)`)

// tokens hides words of text that look like tokens, but for those of certificates, which hold no secret.
func tokens(text string) string {
	if strings.Contains(text, "-----BEGIN ") {
		if at := public.FindStringIndex(text); at != nil {
			return tokens(text[:at[0]]) + text[at[0]:at[1]] + tokens(text[at[1]:])
		}
	}
	return candidate.ReplaceAllStringFunc(text, func(word string) string {
		if !Token(word) || strings.HasPrefix(word, "LS0tLS1CRUdJTi") {
			return word
		}
		return Mark(word)
	})
}

// Token reports whether a word looks like a token that a program made: long, of capitals, small letters and digits, which
// change often. Names that people and compilers make do not: InboundPassthroughClusterIpv4, outbound_.8080_._.a.svc, a UUID,
// an address, a digest in hexadecimal.
func Token(word string) bool {
	if known.MatchString(word) {
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

// random reports whether the kinds of characters of a word change as often as in one that was drawn at random: about every
// third character, and in names at each word.
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
