package lesson

import "testing"

func TestBecause(t *testing.T) {
	zh, _ := Speak("zh")
	en, _ := Speak("en")
	for _, tc := range []struct {
		why, want string
		known     bool
	}{
		{"", "", true},
		{"the chain has no TLS transport socket", "该 filter chain 没有 TLS transport socket", true},
		{"needs destination port 8079, the connection has 8080", "要求目的端口 8079，而连接的是 8080", true},
		{"matched by destination port 8080, transport protocol tls, application protocol istio",
			"匹配的条件：目的端口 8080、传输协议 tls、应用协议 istio", true},
		{"rds names route configuration 8080; virtual host b: domain b is the authority itself; route default [0]: " +
			"the " +
			"first that matches, by prefix /; no timeout, 2 retries on connect-failure,unavailable by the route",
			"rds 指定了 route configuration 8080；virtual host b：domain b 就是请求的 authority；route default [0]：" +
				"第一个匹配的 route，条件：前缀 /；没有超时限制，按 route 的设置最多重试 2 次，条件：connect-failure,unavailable", true},
		{`http_connection_manager "inbound_0.0.0.0_8080;" ends the chain, codec http1`,
			`该 filter chain 以 http_connection_manager "inbound_0.0.0.0_8080;" 结束，codec 是 http1`, true},
		{"1 of 1 endpoints are healthy; it is purple", "1 个 endpoint 中有 1 个健康；it is purple", false},
		{"it is purple", "it is purple", false},
	} {
		if got, known := zh.Because(tc.why); got != tc.want || known != tc.known {
			t.Errorf("%q is %q (%v), want %q", tc.why, got, known, tc.want)
		}
		if got, known := en.Because(tc.why); got != tc.why || !known {
			t.Errorf("in English %q is %q", tc.why, got)
		}
	}
}

// FuzzBecause holds that any reason has words, and that one of no form stays as it is.
func FuzzBecause(f *testing.F) {
	zh, _ := Speak("zh")
	f.Add("needs destination port 8079, the connection has 8080; {what}")
	f.Fuzz(func(t *testing.T, why string) {
		if said, _ := zh.Because(why); (said == "") != (why == "") {
			t.Errorf("%q is said as %q", why, said)
		}
	})
}
