package glossary_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/flow"
	"github.com/flowproof/lab/harness/glossary"
	"github.com/flowproof/lab/harness/observe"
	"github.com/flowproof/lab/scenarios"
)

// wanted are the words that a report uses, by kind.
func wanted() map[glossary.Kind][]string {
	all := map[glossary.Kind][]string{glossary.Hop: flow.HopKinds()}
	for _, i := range observe.Instruments() {
		all[glossary.Instrument] = append(all[glossary.Instrument], string(i.Name()))
	}
	for _, f := range flow.Facts {
		all[glossary.Fact] = append(all[glossary.Fact], f.Name)
	}
	for _, r := range append(slices.Clone(flow.Reasons), flow.Assumptions...) {
		all[glossary.Reason] = append(all[glossary.Reason], string(r.Code))
	}
	for _, f := range flow.Flags {
		all[glossary.Flag] = append(all[glossary.Flag], f.Flag)
	}
	verdicts := []string{
		string(flow.Verified),
		string(flow.Consistent),
		string(flow.Mismatch),
		string(flow.Incomplete),
		string(flow.Confirmed),
		string(flow.Learned),
		string(flow.Refuted),
		string(flow.NotObserved),
		string(flow.Forwarded),
		string(flow.Answered),
		string(flow.Failed),
		string(flow.Certain),
		string(flow.Depends),
		string(flow.Chance),
		"abstains",
	}
	for _, f := range []flow.Failure{flow.NoListener, flow.NoFilterChain, flow.TLSError, flow.MTLSError,
		flow.ProtocolError, flow.NoVirtualHost,
		flow.NoRoute, flow.NoCluster, flow.NoHealthyEndpoint, flow.Denied, flow.BlackHole, flow.Unanswered} {
		verdicts = append(verdicts, string(f))
	}
	all[glossary.Verdict] = verdicts
	return all
}

// TestEveryWordOfAReport holds the glossary, in each language, against what reports use.
func TestEveryWordOfAReport(t *testing.T) {
	for _, language := range glossary.Languages {
		for kind, names := range wanted() {
			for _, name := range names {
				e, ok := glossary.Of(kind, name, language)
				english, _ := glossary.Of(kind, name, glossary.English)
				switch {
				case !ok || e.Is == "":
					t.Errorf("%s: %s %q has no entry", language, kind, name)
				case language != glossary.English && e.Is == english.Is:
					t.Errorf("%s: %s %q has no words of its own", language, kind, name)
				}
				if kind == glossary.Flag && (len(e.Causes) == 0 || e.Long == "") {
					t.Errorf("flag %s has no cause or no long name", name)
				}
			}
		}
	}
}

// TestEntries holds each entry to what it says of others.
func TestEntries(t *testing.T) {
	lessons := scenarios.Names()
	english := glossary.All(glossary.English)
	for _, language := range glossary.Languages {
		seen := map[string]bool{}
		for i, e := range glossary.All(language) {
			if key := string(e.Kind) + " " + e.Name; seen[key] {
				t.Errorf("%s is there twice", key)
			} else {
				seen[key] = true
			}
			for _, word := range append([]string{e.Name}, e.Also...) {
				found := glossary.Find(word, language)
				if !slices.ContainsFunc(
					found,
					func(f glossary.Entry) bool { return f.Kind == e.Kind && f.Name == e.Name },
				) {
					t.Errorf("%s: %q does not lead to %s %s", language, word, e.Kind, e.Name)
				}
				if n := len(slices.DeleteFunc(found, func(f glossary.Entry) bool { return f.Kind != e.Kind })); n > 1 {
					t.Errorf("%s: %q leads to %d entries of kind %s", language, word, n, e.Kind)
				}
			}
			for _, see := range e.See {
				if len(glossary.Find(see, language)) == 0 {
					t.Errorf("%s %s: see %q, which has no entry", e.Kind, e.Name, see)
				}
			}
			for _, l := range e.Lessons {
				if !slices.Contains(lessons, l) {
					t.Errorf("%s %s: there is no lesson %s", e.Kind, e.Name, l)
				}
			}
			if !strings.HasSuffix(strings.TrimRight(e.Is, "。"), ".") && language == glossary.English || e.Is == "" {
				t.Errorf("%s %s: %q is no sentence", e.Kind, e.Name, e.Is)
			}
			if language != glossary.English && e.Is == english[i].Is {
				t.Errorf("%s: %s %s has no words of its own", language, e.Kind, e.Name)
			}
			for n, c := range e.Causes {
				if language != glossary.English && c.Text == english[i].Causes[n].Text {
					t.Errorf("%s: cause %d of %s has no words of its own", language, n, e.Name)
				}
				if !slices.Contains([]string{"", "client", "server"}, c.Side) {
					t.Errorf("%s: side %q", e.Name, c.Side)
				}
			}
		}
	}
}

func TestFind(t *testing.T) {
	for word, want := range map[string]string{
		"filter-chain": "filter-chain", "Filter Chain": "filter-chain", "filter_chain": "filter-chain", "nr": "NR",
		"NoRouteFound": "NR",

		"upstream_reset_before_response_started{remote_connection_failure|" +
			"delayed_connect_error:_Connection_refused}": "upstream_reset_before_response_started",

		"rbac_access_denied_matched_policy[ns[mark]-policy[deny]-rule[0]]": "rbac_access_denied_matched_policy",
		"downstream_local_disconnect(codec_error:x)":                       "downstream_local_disconnect",
		"virtualinbound": "virtualInbound", "envoy.filters.listener.original_dst": "original_dst", "mTLS": "mutual TLS",
		"iptables": "netfilter",
		"15006":    "15006", "not observed": "not observed", "rbac.no-policy-matches": "rbac.no-policy-matches",
	} {
		if found := glossary.Find(word, "en"); len(found) == 0 || found[0].Name != want {
			t.Errorf("%q: %v, want %s", word, found, want)
		}
	}
	if found := glossary.Find("no-such-word", "en"); found != nil {
		t.Errorf("found %v", found)
	}
	if near := glossary.Near("filterchain", 3); !slices.Contains(near, "filter-chain") {
		t.Errorf("near filterchain: %v", near)
	}
	if inside := glossary.Inside("x{a|b}"); !slices.Equal(inside, []string{"a", "b"}) {
		t.Errorf("inside: %q", inside)
	}
	if inside := glossary.Inside("rbac[ns[mark]-policy[a]]"); !slices.Equal(inside, []string{"ns[mark]-policy[a]"}) {
		t.Errorf("inside: %q", inside)
	}
}
