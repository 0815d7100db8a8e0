package providers

import (
	"crypto/tls"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

var (
	apiKeyHeader = TokenSource{Source: "header", Name: "x-api-key"}
	keyQuery     = TokenSource{Source: "query", Name: "key"}
	tokenCookie  = TokenSource{Source: "cookie", Name: "token"}
	webSocketKey = TokenSource{Source: "websocket_protocol", Name: "openai-insecure-api-key"}
	everySource  = TokenSources{DefaultTokenSource(), apiKeyHeader, keyQuery, tokenCookie, webSocketKey}
)

func TestEverySourceIsReadInOneWay(t *testing.T) {
	const noChar = "malformed: token has a character that no token has"
	for _, tc := range []struct {
		name, target string
		header       http.Header
		want         string
	}{
		{"none", "/", nil, "none"},
		{"header without a scheme", "/", http.Header{"X-Api-Key": {"t"}}, "token t"},
		{"header twice", "/", http.Header{"X-Api-Key": {"t", "t"}}, "duplicate: header x-api-key is there twice"},
		{"header empty", "/", http.Header{"X-Api-Key": {""}}, "malformed: token is empty"},
		{"header with a scheme it should not have", "/", http.Header{"X-Api-Key": {"Bearer t"}}, noChar},
		{"query", "/?key=t", nil, "token t"},
		{"query among others", "/?a=b&key=t&c", nil, "token t"},
		{"query, escaped", "/?k%65y=%74", nil, "token t"},
		{"query, plus is a space", "/?key=t+u", nil, noChar},
		{"query, a bad escape is itself", "/?key=%zz", nil, "token %zz"},
		{"query twice", "/?key=t&key=u", nil, "duplicate: query parameter is there twice"},
		{"query twice, one escaped", "/?key=t&k%65y=u", nil, "duplicate: query parameter is there twice"},
		{"query twice, with a semicolon", "/?key=t;key=u", nil, "duplicate: query parameter is there twice"}, // two to Go before 1.17, and to others today
		{"query empty", "/?key=", nil, "malformed: token is empty"},
		{"query without a value", "/?key", nil, "malformed: token is empty"},
		{"query in another case", "/?KEY=t", nil, "none"},
		{"cookie", "/", http.Header{"Cookie": {"a=b; token=t"}}, "token t"},
		{"cookie twice", "/", http.Header{"Cookie": {"token=t; token=u"}}, "duplicate: cookie is there twice"},
		{"cookie twice in two lines", "/", http.Header{"Cookie": {"token=t", "token=u"}}, "duplicate: cookie is there twice"},
		{"cookie empty", "/", http.Header{"Cookie": {"token="}}, "malformed: token is empty"},
		{"cookie that net/http passes over", "/", http.Header{"Cookie": {"token=a\x80b"}}, "malformed: cookie has a value that no cookie has"},
		{"cookie beside one that net/http passes over", "/", http.Header{"Cookie": {"token=t; token=a\x80b"}}, "duplicate: cookie is there twice"},
		{"cookie among too many", "/", http.Header{"Cookie": {"token=t" + strings.Repeat("; a=b", 3000)}}, "malformed: cookie has a value that no cookie has"},
		{"cookie behind a blank of Latin-1", "/", http.Header{"Cookie": {"\xa0token=t"}}, "malformed: cookie has a value that no cookie has"},
		{"cookie with a blank of Latin-1 behind its name", "/", http.Header{"Cookie": {"a=b; token\x85=t"}}, "malformed: cookie has a value that no cookie has"},
		{"cookie of another name", "/", http.Header{"Cookie": {"Token=t; xtoken=u"}}, "none"},
		{"subprotocol", "/", http.Header{"Sec-Websocket-Protocol": {"realtime, openai-insecure-api-key.t"}}, "token t"},
		{"subprotocol in a second line", "/", http.Header{"Sec-Websocket-Protocol": {"realtime", "openai-insecure-api-key.t"}}, "token t"},
		{"subprotocol twice", "/", http.Header{"Sec-Websocket-Protocol": {"openai-insecure-api-key.t,openai-insecure-api-key.u"}}, "duplicate: WebSocket subprotocol is there twice"},
		{"subprotocol empty", "/", http.Header{"Sec-Websocket-Protocol": {"openai-insecure-api-key."}}, "malformed: token is empty"},
		{"another subprotocol", "/", http.Header{"Sec-Websocket-Protocol": {"realtime"}}, "none"},
		// Case 19, RFC 6750, section 2: clients must not use more than one method.
		{"two sources", "/?key=t", http.Header{"Authorization": {"Bearer u"}}, "duplicate: credential in more than one place"},
		{"two sources, the same token", "/", http.Header{"X-Api-Key": {"t"}, "Cookie": {"token=t"}}, "duplicate: credential in more than one place"},
		{"a source and an access_token", "/?key=t&access_token=t", nil, "duplicate: credential and an access_token in the query"},
		{"an access_token alone", "/?access_token=t", nil, "none"},
		// Somebody else's credential does not hide ours, nor stand beside it.
		{"Basic beside a key", "/?key=t", http.Header{"Authorization": {"Basic x"}}, "token t"},
		{"a broken header beside a key", "/?key=t", http.Header{"Authorization": {"Bearer"}}, "malformed: header has no token behind the scheme"},
		{"two Authorization lines beside a key", "/?key=t", http.Header{"Authorization": {"Basic x", "Basic y"}}, "duplicate: Authorization is there twice"},
	} {
		r := httptest.NewRequest(http.MethodGet, tc.target, nil)
		maps.Copy(r.Header, tc.header)
		if got := finding(everySource.Find(r)); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
	// access_token as the configured source is no second credential.
	r := httptest.NewRequest(http.MethodGet, "/?access_token=t", nil)
	if got := finding(TokenSources{{Source: "query", Name: "access_token"}}.Find(r)); got != "token t" {
		t.Errorf("access_token as the source: %s", got)
	}
	if got := finding(TokenSources{{Source: "body", Name: "x"}}.Find(r)); got != "none" {
		t.Errorf("a source that Check refuses: %s", got)
	}
}

// Contract, token_source: browsers send cookies along with what other sites
// cause, and Origin is how they tell (CSRF, cross-site WebSocket hijacking).
func TestACookieFromAnotherSiteIsRefusedWhereItCouldDoSomething(t *testing.T) {
	const refused = "origin: credential from a cookie and not from this site"
	for _, tc := range []struct {
		name, method, host string
		header             http.Header
		tls                bool
		want               string
	}{
		{"reading", "GET", "a.example", nil, false, "token t"},
		{"reading from another site", "GET", "a.example", http.Header{"Origin": {"https://evil.example"}}, false, "token t"},
		{"HEAD", "HEAD", "a.example", nil, false, "token t"},
		{"OPTIONS", "OPTIONS", "a.example", nil, false, "token t"},
		{"writing, no origin", "POST", "a.example", nil, false, refused},
		{"deleting, no origin", "DELETE", "a.example", nil, false, refused},
		{"a method nobody knows", "get", "a.example", nil, false, refused},
		{"writing, own origin", "POST", "a.example", http.Header{"Origin": {"http://a.example"}}, false, "token t"},
		{"writing, own origin with TLS in front", "POST", "a.example", http.Header{"Origin": {"https://a.example"}}, false, "token t"},
		{"writing, own origin with TLS", "POST", "a.example", http.Header{"Origin": {"https://a.example"}}, true, "token t"},
		{"writing, own origin without TLS, while this has it", "POST", "a.example", http.Header{"Origin": {"http://a.example"}}, true, refused},
		{"writing, own origin in another case", "POST", "A.example", http.Header{"Origin": {"http://a.EXAMPLE"}}, false, "token t"},
		{"the default port", "POST", "a.example", http.Header{"Origin": {"http://a.example:80"}}, false, "token t"},
		{"the default port, the other way round", "POST", "a.example:443", http.Header{"Origin": {"https://a.example"}}, true, "token t"},
		{"a port", "POST", "a.example:8080", http.Header{"Origin": {"http://a.example:8080"}}, false, "token t"},
		{"another port", "POST", "a.example:8080", http.Header{"Origin": {"http://a.example:8081"}}, false, refused},
		{"IPv6", "POST", "[::1]:8080", http.Header{"Origin": {"http://[::1]:8080"}}, false, "token t"},
		{"IPv6 without a port", "POST", "[::1]", http.Header{"Origin": {"http://[::1]"}}, false, "token t"},
		{"another site", "POST", "a.example", http.Header{"Origin": {"https://evil.example"}}, false, refused},
		{"a site below", "POST", "a.example", http.Header{"Origin": {"https://x.a.example"}}, false, refused},
		{"a site that ends like it", "POST", "a.example", http.Header{"Origin": {"https://xa.example"}}, false, refused},
		{"a site that begins like it", "POST", "a.example", http.Header{"Origin": {"https://a.example.evil"}}, false, refused},
		{"null, as sandboxed frames send it", "POST", "a.example", http.Header{"Origin": {"null"}}, false, refused},
		{"an extension", "POST", "a.example", http.Header{"Origin": {"moz-extension://a.example"}}, false, refused},
		{"not a URL", "POST", "a.example", http.Header{"Origin": {"http://%zz"}}, false, refused},
		{"empty", "POST", "a.example", http.Header{"Origin": {""}}, false, refused},
		{"two of them", "POST", "a.example", http.Header{"Origin": {"http://a.example", "http://a.example"}}, false, refused},
		{"a WebSocket from another site", "GET", "a.example", http.Header{"Upgrade": {"websocket"}, "Origin": {"https://evil.example"}}, false, refused},
		{"a WebSocket without an origin", "GET", "a.example", http.Header{"Upgrade": {"websocket"}}, false, refused},
		{"a WebSocket from here", "GET", "a.example", http.Header{"Upgrade": {"websocket"}, "Origin": {"http://a.example"}}, false, "token t"},
		{"a WebSocket over HTTP/2", "CONNECT", "a.example", http.Header{"Origin": {"https://evil.example"}}, true, refused},
	} {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		r.Method, r.Host, r.TLS = tc.method, tc.host, nil
		if tc.tls {
			r.TLS = new(tls.ConnectionState)
		}
		maps.Copy(r.Header, tc.header)
		r.Header.Set("Cookie", "token=t")
		if got := finding(TokenSources{tokenCookie}.Find(r)); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
		// A credential that scripts have to set themselves is nobody's accident.
		r.Header.Del("Cookie")
		r.Header.Set("Authorization", "Bearer t")
		if got := finding(everySource.Find(r)); got != "token t" {
			t.Errorf("%s, in the header: %s", tc.name, got)
		}
	}
}

func TestTokenSourcesInTheCaddyfile(t *testing.T) {
	for line, want := range map[string]string{
		"token_source header Authorization Bearer":                 `{"source":"header","name":"Authorization","scheme":"Bearer"}`,
		"token_source header x-api-key":                            `{"source":"header","name":"x-api-key"}`,
		"token_source query key":                                   `{"source":"query","name":"key"}`,
		"token_source cookie __Host-token":                         `{"source":"cookie","name":"__Host-token"}`,
		"token_source websocket_protocol openai-insecure-api-key.": `{"source":"websocket_protocol","name":"openai-insecure-api-key."}`,
		"token_source header":                                      "!wrong argument count or unexpected line ending after 'header', at Testfile:1",
		"token_source":                                             "!wrong argument count or unexpected line ending after 'token_source', at Testfile:1",
		"token_source header a b c":                                "!wrong argument count or unexpected line ending after 'c', at Testfile:1",
		"token_source body x":                                      `!token_source "body": expected header, query, cookie or websocket_protocol, at Testfile:1`,
		`token_source header "a b"`:                                `!token_source header "a b": expected a name, at Testfile:1`,
		`token_source header ""`:                                   `!token_source header "": expected a name, at Testfile:1`,
		`token_source cookie "a;b"`:                                `!token_source cookie "a;b": expected a name, at Testfile:1`,
		`token_source query ""`:                                    `!token_source query: expected a name, at Testfile:1`,
		`token_source websocket_protocol ""`:                       `!token_source websocket_protocol: expected a name, at Testfile:1`,
		"token_source query key Bearer":                            `!token_source query key: unexpected "Bearer", at Testfile:1`,
		`token_source header a "b c"`:                              `!token_source header a: unexpected "b c", at Testfile:1`,
	} {
		d := caddyfile.NewTestDispenser(line)
		d.Next()
		var s TokenSource
		err := s.UnmarshalCaddyfile(d)
		got := string(mustJSON(t, s))
		if err != nil {
			got = "!" + err.Error()
		}
		if got != want {
			t.Errorf("%s\ngot  %s\nwant %s", line, got, want)
		}
	}
}

// Contract, token_source: Caddy's log hides Authorization and Cookie only.
func TestSourcesThatTheAccessLogShowsSayHowToHideThem(t *testing.T) {
	for want, s := range map[string]TokenSource{
		"":                                 DefaultTokenSource(),
		"request>headers>X-Api-Key delete": apiKeyHeader,
		"request>uri query {\n\treplace key REDACTED\n}": keyQuery,
		"request>headers>Sec-Websocket-Protocol delete":  webSocketKey,
	} {
		if got := s.LogFilter(); got != want {
			t.Errorf("%+v: %q, want %q", s, got, want)
		}
	}
	if got := tokenCookie.LogFilter() + (TokenSource{Source: "header", Name: "authorization"}).LogFilter(); got != "" {
		t.Errorf("what is hidden already: %q", got)
	}
}
