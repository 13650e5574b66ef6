package authority

import "strings"

// scoped is a connection manager with scoped routes: fragments make the key, and each scope has a
// key, as a list of texts, and leads to a cluster.
func scoped(fragments string, scopes ...[2]string) string {
	var all []string
	for n, s := range scopes {
		var key []string
		for _, part := range strings.Split(s[0], "|") {
			key = append(key, "{string_key: "+quoted(part)+"}")
		}
		name := string(rune('a' + n))
		all = append(all, "{name: s"+name+", route_configuration: {name: r"+name+", virtual_hosts: [{name: v, "+
			"domains: ['*'], routes: [{match: {prefix: /}, route: {cluster: "+s[1]+"}}]}]}, key: {fragments: ["+
			strings.Join(key, ", ")+"]}}")
	}
	return "scoped_routes: {name: s, scope_key_builder: {fragments: [" + fragments + "]}, " +
		"scoped_route_configurations_list: {scoped_route_configurations: [" + strings.Join(all, ", ") + "]}}"
}

// extracted is a fragment of a scope's key: a part of a header.
func extracted(fields string) string { return "{header_value_extractor: {" + fields + "}}" }

// scopeRules are scopes by one and more fragments, and filters beside them.
var scopeRules = []rule{
	{"scopes: two fragments", scoped(extracted("name: x-a, index: 0")+", "+extracted("name: x-b, index: 0"),
		[2]string{"1|2", "a"}, [2]string{"2|1", "b"}, [2]string{"1|1", "c"}), "",
		[]string{"GET x / x-a=1 x-b=2", "GET x / x-a=2 x-b=1", "GET x / x-a=1 x-b=1", "GET x / x-a=1",
			"GET x / x-a=2 x-b=2", "GET x / x-b=1"}},
	{"scopes: a key of fewer fragments", scoped(extracted("name: x-a, index: 0")+", "+extracted("name: x-b, index: 0"),
		[2]string{"1", "a"}, [2]string{"1|2|3", "b"}), "", []string{"GET x / x-a=1 x-b=2", "GET x / x-a=1"}},
	{"scopes: a part by its index", scoped(extracted("name: x-a, element_separator: ',', index: 1"),
		[2]string{"two", "a"}, [2]string{" two", "b"}, [2]string{"", "c"}), "",
		[]string{"GET x / x-a=one,two", "GET x / x-a=one,_two", "GET x / x-a=one,", "GET x / x-a=one",
			"GET x / x-a=one,two,three", "GET x / x-a=,two", "GET x /"}},
	{"scopes: the whole value", scoped(extracted("name: x-a, element_separator: '', index: 0"), [2]string{"1,2", "a"},
		[2]string{"1", "b"}), "", []string{"GET x / x-a=1,2", "GET x / x-a=1", "GET x / X-A=1"}},
	{"scopes: an index beyond the whole value", scoped(extracted("name: x-a, index: 0"), [2]string{"A", "a"},
		[2]string{"a", "b"}), "", []string{"GET x / x-a=A", "GET x / x-a=a", "GET x / x-a=B"}},
	{"scopes: the value of a key", scoped(extracted("name: x-a, element_separator: ';', element: {key: k, separator: "+
		"'='}"), [2]string{"1", "a"}, [2]string{"1=2", "b"}, [2]string{"", "c"}, [2]string{"k", "d"}), "",
		[]string{"GET x / x-a=k=1", "GET x / x-a=k=1=2", "GET x / x-a=k=", "GET x / x-a=k", "GET x / x-a=k=2;k=1",
			"GET x / x-a=j=1;k=1", "GET x / x-a=j=1;_k=1", "GET x / x-a=K=1", "GET x / x-a=kk=1", "GET x / x-a=;k=1;",
			"GET x / x-a=k;k=1"}},
	{"scopes: a separator of letters", scoped(extracted("name: x-a, element_separator: '--', element: {key: k, "+
		"separator: '::'}"), [2]string{"1", "a"}, [2]string{":1", "b"}), "",
		[]string{"GET x / x-a=j::2--k::1", "GET x / x-a=k:::1", "GET x / x-a=k:1"}},
	{"scopes: the authority", scoped(extracted("name: ':authority', element_separator: '.', index: 0"),
		[2]string{"one", "a"}, [2]string{"two", "b"}), "",
		[]string{"GET one.x /", "GET two.x /", "GET two /", "GET three.x /", "GET one:80 /"}},
	{"scopes: a header that a filter changes", scoped(extracted("name: x-a, index: 0"), [2]string{"1", "a"},
		[2]string{"2", "b"}) + ", " + chained(mutating("request_mutations: ["+setting("x-a", "2",
		"OVERWRITE_IF_EXISTS_OR_ADD")+"]"), clearing), "", []string{"GET x / x-a=1", "GET x / x-a=2", "GET x / x-a=3"}},
}
