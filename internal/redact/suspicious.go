package redact

import (
	"strings"
	"unicode/utf8"
)

// stems are parts of the names of secrets, in lower case. Every name for which SecretName
// holds has one of them.
var stems = []string{"pass", "pwd", "pw", "pswd", "secret", "token", "key", "cookie", "cred", "auth", "bearer", "sig",
	"hmac", "otp", "pin", "cvv",
	"cvc", "sess", "sid", "jwt", "jws", "ssn", "dsn", "saml", "assertion", "pkcs", "p12", "pfx", "magiclink",
	"cationcode", "verifier", "devicecode", "device_code", "device-code",
	"usercode", "user_code", "user-code", "cation_code", "cation-code", "resetcode", "reset_code", "reset-code",
	"mnemonic", "seedphrase",
	"connstr", "connections", "connection_s", "connection-s", "csrf", "xsrf", "webhook", "userpwd",
	"userpass", "-user", "-u "}

// mayName reports whether the name of a secret may be in text. It is quick, so that most lines of a
// log cost no expression.
func mayName(text string) bool {
	if !strings.ContainsAny(text, ":=-> '") {
		return false
	}
	lower := strings.ToLower(text)
	for _, stem := range stems {
		if strings.Contains(lower, stem) {
			return true
		}
	}
	return false
}

// mayAuthorize reports whether the name of a header with credentials may be in text.
func mayAuthorize(text string) bool {
	lower := strings.ToLower(text)
	return strings.Contains(lower, "authorization") || strings.Contains(lower, "authenticat") ||
		strings.Contains(lower, "cookie")
}

// mayPair reports whether the name of a secret stands in text before a sign that gives it a value:
// whether pairs finds one. It looks from each sign backwards.
func mayPair(text string) bool {
	for n := range len(text) {
		if text[n] != ':' && text[n] != '=' {
			continue
		}
		before := strings.TrimRight(text[:n], " \t")
		before = strings.TrimSuffix(before, "]")
		if quoteless := strings.TrimRight(before, "\"'`"); len(before)-len(quoteless) == 1 {
			before = strings.TrimSuffix(quoteless, `\`)
		}
		begin := len(before)
		for begin > 0 && (letterOrDigit(before[begin-1]) || strings.IndexByte("_.-", before[begin-1]) >= 0) {
			begin--
		}
		if begin > 0 && before[begin-1] >= utf8.RuneSelf {
			return true // some characters are equal to letters without regard to case
		}
		if name := strings.TrimLeft(before[begin:], "0123456789.-"); name != "" && SecretName(name) {
			return true
		}
	}
	return false
}

// long reports whether text has a word that could be a token: of 16 characters and more, with a
// digit or a capital, or of 20.
func long(text string) bool {
	length, other := 0, false
	for n := range len(text) {
		switch c := text[n]; {
		case c >= '0' && c <= '9', c >= 'A' && c <= 'Z':
			other = true
		case c >= 'a' && c <= 'z', strings.IndexByte("-_+/=~.:$!*", c) >= 0:
		default:
			length, other = 0, false
			continue
		}
		if length++; length >= 16 && (other || length >= 20) {
			return true
		}
	}
	return false
}

// mayOption reports whether an option of a command line may begin in text: a dash or two before a
// letter, behind a blank or a quote.
func mayOption(text string) bool {
	for n := range len(text) {
		if text[n] != '-' || n > 0 && strings.IndexByte(" \t\n\f\r'\"`[,", text[n-1]) < 0 {
			continue
		}
		name := strings.TrimPrefix(text[n+1:], "-")
		if name != "" && letterOrDigit(name[0]) {
			return true
		}
	}
	return false
}

// maySay reports whether text may have a word that stands between the name of a secret and the
// secret in a sentence.
func maySay(text string) bool {
	if strings.ContainsAny(text, "\u017f\u212a") { // equal to s and k without regard to case
		return true
	}
	for n := range len(text) {
		if text[n] != ' ' {
			continue
		}
		switch word, _, _ := strings.Cut(text[n+1:min(n+5, len(text))], " "); strings.ToLower(word) {
		case "is", "was", "are", "to", "of":
			return true
		}
	}
	return false
}
