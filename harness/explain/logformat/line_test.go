package logformat

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/flowproof/lab/harness/configdump"
)

const (
	uhLine = `[2026-11-23T06:46:18.107Z] "GET /a?b=c HTTP/1.1" 503 UH no_healthy_upstream - "-" 0 19 1 - "-" ` +
		`"curl/8.5.0" "d1bd9705-f406-4bb6-85b0-3dbe66b959d6" "fortio-server:8080" "-" ` +
		`outbound|8080||fortio-server.mark.svc.cluster.local - 10.96.215.136:8080 172.21.206.197:48606 - default`
	ufLine = `[2026-11-23T06:46:18.107Z] "POST / HTTP/2" 503 URX,UF ` +
		`upstream_reset_before_response_started{remote_connection_failure|delayed_connect_error:_Connection_refused} ` +
		`- "delayed_connect_error:_Connection_refused" 3 19 22 - "10.0.0.1,10.0.0.2" "a b" ` +
		`"d1bd9705-f406-4bb6-85b0-3dbe66b959d6" "fortio-server:8080" "172.21.206.196:9090" inbound|9090|| ` +
		`127.0.0.6:33333 172.21.206.196:9090 172.21.206.197:48606 ` +
		`outbound_.9090_._.fortio-server.mark.svc.cluster.local default`
	tcpLine = `[2026-11-23T06:46:18.107Z] "- - -" 0 NR filter_chain_not_found - "-" 0 0 0 - "-" "-" "-" "-" "-" - ` +
		`- 172.21.206.196:8080 172.21.206.197:48606 - -`
	jsonLine = `{"authority":"a","response_code":404,"response_flags":"NR",` +
		`"response_code_details":"route_not_found","path":"/x","method":"GET","protocol":"HTTP/1.1",` +
		`"upstream_cluster":null,"downstream_local_address":"10.0.0.1:80","start_time":"2026-11-23T06:46:18.107Z"}`
	envoyLine = `[2026-11-23T06:46:18.107Z] "GET / HTTP/1.1" 200 - 0 19 1 1 "-" "curl" "id" "a" "1.2.3.4:5"`
)

// TestParseLog reads lines as people paste them.
func TestParseLog(t *testing.T) {
	for name, c := range map[string]struct {
		row   string
		want  map[string]string
		flags []string
	}{
		"no healthy upstream": {
			row: uhLine,
			want: map[string]string{
				Method:       "GET",
				OriginalPath: "/a?b=c",
				Code:         "503",
				Details:      "no_healthy_upstream",
				Host:         "",
				Cluster:      "outbound|8080||fortio-server.mark.svc.cluster.local",
				DownLocal:    "10.96.215.136:8080",
				Route:        "default",
				Authority:    "fortio-server:8080",
			},
			flags: []string{"UH"},
		},
		"refused": {
			row: ufLine,
			want: map[string]string{
				Protocol:     "HTTP/2",
				Host:         "172.21.206.196:9090",
				UpstreamWhy:  "delayed_connect_error:_Connection_refused",
				ServerName:   "outbound_.9090_._.fortio-server.mark.svc.cluster.local",
				"user_agent": "a b",
			},
			flags: []string{"URX", "UF"},
		},
		"TCP": {
			row: tcpLine,
			want: map[string]string{
				Method:    "",
				Protocol:  "",
				Code:      "0",
				Details:   "filter_chain_not_found",
				DownLocal: "172.21.206.196:8080",
			},
			flags: []string{"NR"},
		},
		"JSON":        {jsonLine, map[string]string{Code: "404", OriginalPath: "/x", Cluster: ""}, []string{"NR"}},
		"Envoy's own": {envoyLine, map[string]string{Code: "200", Host: "1.2.3.4:5"}, nil},
		"in docker's json-file": {
			row:  `{"log":` + strconv.Quote(uhLine+"\n") + `,"stream":"stdout","time":"2026-11-30T10:00:00Z"}`,
			want: map[string]string{Code: "503", Method: "GET"}, flags: []string{"UH"},
		},
		"JSON in what Google Cloud Logging keeps": {
			row:  `{"insertId":"a","textPayload":` + strconv.Quote(jsonLine) + `}`,
			want: map[string]string{Code: "404", Authority: "a"}, flags: []string{"NR"},
		},
		"JSON that a collector has read": {
			row:  `{"log":` + jsonLine + `,"kubernetes":{"pod_name":"a"}}`,
			want: map[string]string{Code: "404", Authority: "a"}, flags: []string{"NR"},
		},
		"in the quotes of a shell": {row: "'" + uhLine + "'", want: map[string]string{Code: "503"},
			flags: []string{"UH"}},
		"kubectl --prefix": {
			row:   "[pod/netshoot/istio-proxy] " + uhLine,
			want:  map[string]string{Code: "503"},
			flags: []string{"UH"},
		},
		"kubectl timestamps": {
			row:   "2026-11-23T06:46:18.107209871Z " + uhLine,
			want:  map[string]string{Code: "503"},
			flags: []string{"UH"},
		},
		"the runtime's": {
			row:   "2026-11-23T06:46:18.107209871Z stdout F " + jsonLine,
			want:  map[string]string{Code: "404"},
			flags: []string{"NR"},
		},
		"stern's": {"netshoot istio-proxy " + uhLine, map[string]string{Code: "503"}, []string{"UH"}},
		"flags by long names": {
			row:   strings.Replace(jsonLine, `"NR"`, `"NoRouteFound,UnconditionalDropOverload"`, 1),
			flags: []string{"NR", "UDO"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			lines, others := ParseLog([]byte(c.row+"\r\n"), nil)
			if len(lines) != 1 || others != 0 {
				t.Fatalf("%d lines, %d others", len(lines), others)
			}
			for field, want := range c.want {
				if got, known := lines[0].Get(field); got != want || !known {
					t.Errorf("%s is %q (known: %v), want %q", field, got, known, want)
				}
			}
			if got := lines[0].FlagList(); !slices.Equal(got, c.flags) {
				t.Errorf("flags %v, want %v", got, c.flags)
			}
			if u := lines[0].Unsure(); len(u) > 0 {
				t.Errorf("%v can be read in more than one way", u)
			}
		})
	}
}

// TestNoLine holds that what is something else is none.
func TestNoLine(t *testing.T) {
	for _, row := range []string{
		"2026-11-23T06:46:18.107209Z\tdebug\tenvoy http\t[Tags: \"ConnectionId\":\"8\"] response complete\tthread=23",
		`{"level":"info","msg":"x","response_code":1,"response_flags":"-"}`, `{"a":1}`, "GET / HTTP/1.1",
		`{"response_code":200`, "[2026] \"- - -\"",
		`{"response_code":"abc"}`, strings.Repeat("a ", maxLine),
	} {
		if lines, others := ParseLog([]byte(row), nil); len(lines) != 0 || others != 1 {
			t.Errorf("%.60q is a line", row)
		}
	}
}

// TestUnsure writes into a user agent what looks like the columns after it.
func TestUnsure(t *testing.T) {
	row := strings.Replace(uhLine, "curl/8.5.0", `x" "00000000-0000-0000-0000-000000000000" "other:80`, 1)
	lines, _ := ParseLog([]byte(row), nil)
	if len(lines) != 1 {
		t.Fatalf("%d lines", len(lines))
	}
	if got := lines[0].Sure(Authority); got != "" {
		t.Errorf("the authority is %q by what the client wrote, and said to be sure", got)
	}
}

func TestFormatOfDump(t *testing.T) {
	const text = `{"configs":[{"@type":"type.googleapis.com/envoy.admin.v3.ListenersConfigDump",
		"dynamic_listeners":[{"name":"l","active_state":{"listener":
	{"name":"l","address":{"socket_address":{"address":"0.0.0.0","port_value":15006}},
	  "access_log":[{"typed_config":{"log_format":{"text_format_source":{"inline_string":
	"%START_TIME(%Y-%m-%dT%H:%M:%S.%6fZ)% <%RESPONSE_CODE%> flags=%RESPONSE_FLAGS_LONG% %REQ(X-Team):5% 100%%\n"}}}}],
	"filter_chains":[{"filters":[{"typed_config":{"access_log":[{"typed_config":{"log_format":{
	  "json_format":{"when":"%START_TIME%",
	  "a":{"code":"%RESPONSE_CODE%"},
	"both":"%REQ(:METHOD)% %REQ(:PATH)%","flags":"%RESPONSE_FLAGS%","plain":"x"}}}}]}}]}]}}}]}]}`
	dump, err := configdump.Parse([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	formats := FromDump(dump)
	if len(formats) != 2 {
		t.Fatalf("%d formats", len(formats))
	}
	lines, others := ParseLog([]byte("2026-11-23T06:46:18.107Z <404> flags=NoRouteFound red 100%\n"+
		`{"when":"2026-11-23T06:46:18.107Z","a":{"code":503},"both":"GET /x","flags":"UH","plain":"x"}`+"\n"), formats)
	if len(lines) != 2 || others != 0 {
		t.Fatalf("%d lines, %d others", len(lines), others)
	}
	if l := lines[0]; l.Value(Code) != "404" || !slices.Equal(l.FlagList(), []string{"NR"}) ||
		l.Value("header:x-team") != "red" ||
		l.Value(StartTime) == "" {
		t.Errorf("text: %+v", l)
	}
	if l := lines[1]; l.Value(Code) != "503" || l.Value(Method) != "GET" || l.Value(Path) != "/x" ||
		l.Value(StartTime) == "" {
		t.Errorf("JSON: %+v", l)
	}
}

func FuzzParseLog(f *testing.F) {
	for _, row := range []string{uhLine, ufLine, tcpLine, jsonLine, envoyLine} {
		f.Add([]byte(row), IstioText)
	}
	f.Add([]byte(`x "a" "b" 200`), `%REQ(A)% "%REQ(B)%" "%REQ(C)%" %RESPONSE_CODE%`)
	f.Fuzz(func(t *testing.T, text []byte, format string) {
		var formats []*Format
		if own, err := Compile("own", format); err == nil {
			formats = append(formats, own)
		}
		lines, _ := ParseLog(text, formats)
		for _, l := range lines {
			if l.Number < 1 || l.Text == "" || !strings.Contains(string(text), l.Text) {
				t.Errorf("line %d %q is not of the text", l.Number, l.Text)
			}
			if _, code := l.Get(Code); !code {
				if _, flags := l.Get(Flags); !flags {
					t.Errorf("%q has neither status nor flags", l.Text)
				}
			}
		}
	})
}
