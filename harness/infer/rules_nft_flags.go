package infer

import (
	"errors"
	"strings"
)

// flags reads what a rule wants of the flags of TCP, into the words of iptables: those to look at, and those of them that
// are to be set. Without a mask, one of the named flags is enough; with "!" none of them may be set; with "==" they are
// to be the only ones. nft 1.0 prints a mask after a slash, older versions before the comparison.
func (r *nftReader) flags(parsed *rule) error {
	if r.at("{") || strings.HasPrefix(r.peek(), "@") { // of combinations, which are not read
		return r.statement(parsed, "tcp flags")
	}
	masked := r.peek() == "&" // "& (fin | syn) == syn"
	var mask, set, operator string
	if masked {
		r.next()
		mask = r.flagList()
	}
	if w := r.peek(); w == "!" || w == "!=" || w == "==" {
		operator = r.next()
	}
	if set = r.flagList(); set == "" || masked && (mask == "" || operator == "") {
		return errors.New("flags of TCP are expected")
	}
	if r.peek() == "/" { // "syn / fin,syn,rst,ack"
		r.next()
		mask, masked = r.flagList(), true
	}
	negate := operator == "!="
	switch {
	case masked:
	case operator == "":
		mask, set, negate = set, "NONE", true
	case operator == "!":
		mask, set = set, "NONE"
	default:
		mask = "0xff"
	}
	parsed.tests = append(parsed.tests, test{"-p", listed("tcp"), false}, test{"--tcp-flags", listed(mask + " " + set), negate})
	return nil
}

// flagList reads "fin,syn" and "(fin | syn)", and returns it with commas.
func (r *nftReader) flagList() string {
	var all []string
	for more := true; more; {
		if word := strings.Trim(r.next(), "()"); word != "" {
			all = append(all, word)
		}
		if more = r.is(","); !more && r.peek() == "|" {
			r.next()
			more = true
		}
	}
	return strings.Join(all, ",")
}
