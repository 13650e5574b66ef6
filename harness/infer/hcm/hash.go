package hcm

import (
	"cmp"
	"math/bits"

	"github.com/cespare/xxhash/v2"

	"github.com/flowproof/lab/harness/configdump"
	"github.com/flowproof/lab/harness/infer/match"
	"github.com/flowproof/lab/harness/infer/passage"
)

// A Hash is what a hash_policy makes of a request.
type Hash struct {
	By    []string // what is hashed: "header x-user"; none where no policy gives a hash
	Lacks []string // what the policies ask for and the request does not have
	Value uint64
	Known bool // Value is what Envoy computes
}

// HashOf hashes a request as the policies of a list say. (Http::HashPolicyImpl::generateHash)
func HashOf(w *passage.Walk, policies configdump.Value) Hash {
	h := Hash{Known: true}
	for _, p := range policies.Elements() {
		part := hashPart(w, p)
		if !part.given {
			h.Lacks = append(h.Lacks, part.name)
		} else {
			h.By = append(h.By, part.name)
			h.Known = h.Known && part.known
			h.Value = bits.RotateLeft64(h.Value, 1) ^ xxhash.Sum64String(part.text)
		}
		if p.Get("terminal").Bool() && len(h.By) > 0 {
			break
		}
	}
	return h
}

// A hashedPart is what one policy hashes.
type hashedPart struct {
	name, text string
	given      bool
	known      bool // text is what Envoy hashes
}

func hashPart(w *passage.Walk, p configdump.Value) hashedPart {
	header := func(name string) (value string, given, known bool) {
		value, given = w.Req.Header.Get(name)
		_, open := w.Req.Header.Open(name)
		return value, given, !open && len(w.Req.Header.Values(name)) < 2
	}
	for kind, v := range p.Fields() {
		part := hashedPart{name: v.Get("name").Text()}
		switch configdump.FieldName(kind) {
		case "header":
			part.name = cmp.Or(v.Get("header_name").Text(), part.name)
			part.text, part.given, part.known = header(part.name)
			if rewrite := v.Get("regex_rewrite"); rewrite.Exists() {
				part.text = match.Substitute(rewrite, part.text)
			}
			part.name = "header " + part.name
		case "cookie":
			all, _, known := header("cookie")
			part.text, part.known = match.Cookies(all)[part.name], known
			if part.given = part.text != ""; !part.given && v.Has("ttl") {
				// Envoy makes the cookie, of the addresses of both ends
				return hashedPart{name: "the connection's addresses (cookie " + part.name + " is not there, and " +
					"with its ttl Envoy makes one of them)", given: true}
			}
			part.name = "cookie " + part.name
		case "query_parameter":
			path, _, known := header(":path")
			part.text, part.given = match.QueryParams(path)[part.name]
			part.name, part.known = "query parameter "+part.name, known
		case "connection_properties":
			if v.Get("source_ip").Bool() {
				return sourceAddress(w)
			}
			continue
		case "source_ip": // of a TCP proxy
			return sourceAddress(w)
		case "filter_state":
			key := v.Get("key").Text()
			return hashedPart{name: "filter state " + key, given: w.State.Has(key)}
		default:
			continue
		}
		return part
	}
	return hashedPart{name: "what is not known"}
}

// sourceAddress is the client's address: that of the connection, or what the connection manager
// takes it for.
func sourceAddress(w *passage.Walk) hashedPart {
	addr := w.Client
	if !addr.IsValid() {
		addr = w.Conn.Remote.Addr()
	}
	part := hashedPart{name: "the client's address", given: true, known: addr.IsValid()}
	if part.known {
		part.text = addr.String()
	}
	return part
}
