package providers

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// endpointUnderTest is an endpoint that keeps what it is sent.
type endpointUnderTest struct {
	*judgeServer
	mu     sync.Mutex
	bodies []string
	last   *http.Request
}

func newEndpoint(t testing.TB, answer http.HandlerFunc) *endpointUnderTest {
	t.Helper()
	e := new(endpointUnderTest)
	e.judgeServer = newJudgeServer(t, nil)
	e.says(answer)
	return e
}

func (e *endpointUnderTest) says(answer http.HandlerFunc) {
	e.judgeServer.says(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		e.mu.Lock()
		e.bodies, e.last = append(e.bodies, string(body)), r
		e.mu.Unlock()
		answer(w, r)
	})
}

// body returns what was posted last, and demands that it was the n-th call.
func (e *endpointUnderTest) body(t testing.TB, n int) string {
	t.Helper()
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.bodies) != n {
		t.Fatalf("endpoint was asked %d times, want %d", len(e.bodies), n)
	}
	return e.bodies[n-1]
}

// headersOf returns the headers of a posted body.
func headersOf(t testing.TB, body string) map[string]string {
	t.Helper()
	var posted struct {
		Request struct {
			Headers map[string]string `json:"headers"`
		} `json:"request"`
	}
	if err := json.Unmarshal([]byte(body), &posted); err != nil {
		t.Fatalf("%s: %v", body, err)
	}
	return posted.Request.Headers
}

// newCustom returns a provider that asks the address.
func newCustom(t testing.TB, address, lines string) *Custom {
	t.Helper()
	return newKind[*Custom](t, "custom", "endpoint "+address+"\n"+lines)
}

// requestFor returns a request as net/http hands it to a handler. Headers are
// `Name: value`.
func requestFor(t testing.TB, method, target string, headers ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, target, nil)
	r.Host = "ai.example.com"
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		r.Header[name] = append(r.Header[name], value)
	}
	return r
}

// The example of the very first design, byte for byte but for the host, which
// OGX shows too.
func TestAnEndpointGetsWhatTheDesignDocuments(t *testing.T) {
	e := newEndpoint(t, saying(http.StatusOK, `{}`))
	p := newCustom(t, e.URL+"/auth?tenant=x", "")
	r := requestFor(t, http.MethodGet, "/models/list?limit=100&offset=0", "Content-Type: application/json")
	if _, ok := p.Authenticate(r, Credential{Token: "sk-1"}).(*Yes); !ok {
		t.Error("the answer is not yes")
	}
	const want = `{"api_key":"sk-1","request":{"path":"/models/list","headers":{"content-type":"application/json","host":"ai.example.com"},` +
		`"params":{"limit":["100"],"offset":["0"]}}}`
	if got := e.body(t, 1); got != want {
		t.Errorf("posted\n%s\nwant\n%s", got, want)
	}
	for name, want := range map[string]string{
		"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "caddy-stack-auth", "Authorization": "", "Cookie": "",
	} {
		if got := e.last.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if e.last.Method != http.MethodPost || e.last.URL.String() != "/auth?tenant=x" {
		t.Errorf("asked by %s %s", e.last.Method, e.last.URL)
	}
}

func TestARequestIsShownAsTheStackReadsIt(t *testing.T) {
	for name, tc := range map[string]struct {
		target  string
		headers []string
		want    string // of request
	}{
		"nothing": {"/", nil, `{"path":"/","headers":{"host":"ai.example.com"},"params":{}}`},
		"an escaped path": {
			"/v1/models/a%2Fb%20c%C3%A9?", nil,
			`{"path":"/v1/models/a/b cé","headers":{"host":"ai.example.com"},"params":{}}`,
		},
		"text that HTML knows": {
			"/v1/a&b?q=%3Ca%3E%26b",
			[]string{`Accept: text/html;q="0.9"&<x>`},
			`{"path":"/v1/a&b","headers":{"accept":"text/html;q=\"0.9\"&<x>","host":"ai.example.com"},"params":{"q":["<a>&b"]}}`,
		},
		"a header in several lines": {
			"/",
			[]string{"Accept: a", "Accept: b, c", "X-Empty: "},
			`{"path":"/","headers":{"accept":"a, b, c","host":"ai.example.com","x-empty":""},"params":{}}`,
		},
		"a header that somebody set past net/http": {
			"/",
			[]string{"X-Region: eu", "x-region: us", "X-None"},
			`{"path":"/","headers":{"host":"ai.example.com","x-none":"","x-region":"eu, us"},"params":{}}`,
		},
		"a second host": {
			"/",
			[]string{"Host: evil.example", "host: evil.example"},
			`{"path":"/","headers":{"host":"ai.example.com"},"params":{}}`,
		},
	} {
		e := newEndpoint(t, saying(http.StatusOK, `{"principal":"alice"}`))
		p := newCustom(t, e.URL, "")
		wantYes(t, p.Authenticate(requestFor(t, http.MethodGet, tc.target, tc.headers...), Credential{Token: "k"}), "alice")
		if got, want := e.body(t, 1), `{"api_key":"k","request":`+tc.want+`}`; got != want {
			t.Errorf("%s: posted\n%s\nwant\n%s", name, got, want)
		}
	}
}

// Case 135. A client that is not to be trusted sends along what belongs to
// others, and what a proxy would say of it; the endpoint, which could use the
// one and believe the other, sees nothing of it. Each name comes in three
// spellings, for servers that make variables of headers take them for one.
func TestAHostileClientShowsTheEndpointNeitherSecretsNorLies(t *testing.T) {
	e := newEndpoint(t, saying(http.StatusOK, `{"principal":"mallory"}`))
	p := newCustom(t, e.URL, "")
	r := requestFor(t, http.MethodPost, "/v1/responses",
		"Content-Type: application/json", "Accept: text/event-stream", "User-Agent: OpenAI/Python", "X-Stainless-Lang: python",
		"Traceparent: 00-1-2-01", "X-Llamastack-Client-Version: 0.7.1", "Content-Length: 17")
	hostile := []string{
		// credentials
		"X-Api-Key", "Api-Key", "Apikey", "X-Apikey", "Authorization", "Proxy-Authorization", "X-Authorization", "Authentication", "X-Access-Token",
		"X-Accesstoken", "Private-Token", "X-Csrf-Token", "X-Amz-Security-Token", "X-Auth", "X-Oauth", "Dpop", "X-Client-Secret", "X-Password",
		"X-Passwd", "X-Credential", "X-Credentials", "X-Signature", "Signature-Input", "X-Hub-Signature-256", "X-Jwt-Assertion",
		"Cf-Access-Jwt-Assertion", "X-Session-Id", "Idempotency-Key", "X-Goog-Api-Key", "X-Openai-Key", "X-Otp",
		// cookies
		"Cookie", "Cookie2", "Set-Cookie", "X-Cookie",
		// keys of the caller's own for the stack
		"X-Llamastack-Provider-Data", "X-Ogx-Provider-Data", "X-Provider-Data",
		// the connection
		"Connection", "Keep-Alive", "Te", "Trailer", "Transfer-Encoding", "Upgrade", "Proxy-Connection", "Proxy-Authenticate", "Http2-Settings",
		"Sec-Websocket-Key", "Sec-Websocket-Protocol", "Sec-Websocket-Version",
		// what a proxy in front would say
		"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Client-Cert", "X-Forwarded", "X-Forward-For",
		"X-Real-Ip", "Via", "True-Client-Ip", "Cf-Connecting-Ip", "Cf-Connecting-Ipv6", "X-Client-Ip", "X-Cluster-Client-Ip", "Fastly-Client-Ip",
		"X-Original-Url", "X-Original-Uri", "X-Original-Method", "X-Rewrite-Url", "X-Envoy-Original-Path", "X-Envoy-External-Address",
		"X-Http-Method-Override", "X-Method-Override", "X-Http-Method", "X-Host", "Client-Cert", "X-Client-Cert", "X-Ssl-Client-S-Dn",
		"Remote-User", "X-Remote-Groups", "X-Consumer-Username", "X-Amzn-Oidc-Identity", "X-Goog-Iap-Jwt-Assertion", "X-Ms-Client-Principal",
		// what this gateway says to the stack
		"X-Auth-User-Id", "X-Auth-Attributes", "X-Auth-Anything", "X-Tenant-Id",
	}
	for _, name := range hostile {
		for _, spelling := range []string{name, strings.ReplaceAll(name, "-", "_"), strings.ToUpper(strings.Replace(name, "-", ".", 1))} {
			r.Header[spelling] = []string{"stolen-or-forged"}
		}
	}
	r.Header[":protocol"] = []string{"stolen-or-forged"}
	wantYes(t, p.Authenticate(r, Credential{Token: "k"}), "mallory")
	posted := e.body(t, 1)
	if strings.Contains(posted, "stolen-or-forged") {
		for name, value := range headersOf(t, posted) {
			if value == "stolen-or-forged" {
				t.Errorf("the endpoint is shown %s", name)
			}
		}
	}
	const want = `{"api_key":"k","request":{"path":"/v1/responses","headers":{"accept":"text/event-stream","content-length":"17",` +
		`"content-type":"application/json","host":"ai.example.com","traceparent":"00-1-2-01","user-agent":"OpenAI/Python",` +
		`"x-llamastack-client-version":"0.7.1","x-stainless-lang":"python"},"params":{}}}`
	if posted != want {
		t.Errorf("posted\n%s\nwant\n%s", posted, want)
	}
	for name, values := range e.last.Header {
		if slices.Contains(values, "stolen-or-forged") {
			t.Errorf("the call itself has %s", name)
		}
	}
}

// What an operator names is shown, secret or not, and nothing else.
func TestOnlyNamedHeadersAreShownWhereSomeAreNamed(t *testing.T) {
	for name, tc := range map[string]struct {
		lines string
		want  string
	}{
		"some":           {"forward_headers X-Region x-api-key\nforward_headers Cookie X-Absent", `{"cookie":"a=b","x-api-key":"mine","x-region":"eu"}`},
		"the host":       {"forward_headers Host", `{"host":"ai.example.com"}`},
		"what is absent": {"forward_headers X-Absent", `{}`},
		"forwarded":      {"forward_headers X-Forwarded-For X-OGX-Provider-Data", `{"x-forwarded-for":"192.0.2.1","x-ogx-provider-data":"{}"}`},
	} {
		e := newEndpoint(t, saying(http.StatusOK, `{"principal":"alice"}`))
		p := newCustom(t, e.URL, tc.lines)
		r := requestFor(t, http.MethodGet, "/", "X-Region: eu", "X_Region: forged", "X.Region: forged", "X-Regions: other", "X-Api-Key: mine",
			"X_Api_Key: forged", "Cookie: a=b", "Accept: a", "X-Forwarded-For: 192.0.2.1", "X-Ogx-Provider-Data: {}")
		wantYes(t, p.Authenticate(r, Credential{Token: "k"}), "alice")
		if got, want := e.body(t, 1), `{"api_key":"k","request":{"path":"/","headers":`+tc.want+`,"params":{}}}`; got != want {
			t.Errorf("%s: posted\n%s\nwant\n%s", name, got, want)
		}
	}
	e := newEndpoint(t, saying(http.StatusOK, `{"principal":"alice"}`))
	p := loadCustomJSON(t, `{"endpoint": "`+e.URL+`", "forward_headers": []}`)
	wantYes(t, p.Authenticate(requestFor(t, http.MethodGet, "/", "Accept: a"), Credential{Token: "k"}), "alice")
	if got, want := e.body(t, 1), `{"api_key":"k","request":{"path":"/","headers":{},"params":{}}}`; got != want {
		t.Errorf("an empty list: posted\n%s\nwant\n%s", got, want)
	}
}

// What Python 3.11's parse_qs gives of each (the first column is its input, and
// the second its output as JSON).
func TestAQueryIsShownAsParseQsGivesIt(t *testing.T) {
	for query, want := range map[string]string{
		"":                                    `{}`,
		"limit=100&offset=0":                  `{"limit":["100"],"offset":["0"]}`,
		"a=1&b=2&a=3":                         `{"a":["1","3"],"b":["2"]}`,
		"a=&b&c=1&&=":                         `{"c":["1"]}`,
		"=x":                                  `{"":["x"]}`,
		"a=b=c":                               `{"a":["b=c"]}`,
		"a+b=c+d%2B":                          `{"a b":["c d+"]}`,
		"a=%2":                                `{"a":["%2"]}`,
		"a=%zz%41%4":                          `{"a":["%zzA%4"]}`,
		"a=%2+1":                              `{"a":["%2 1"]}`,
		"a%5B%5D=%":                           `{"a[]":["%"]}`,
		"a;b=1;c=2":                           `{"a;b":["1;c=2"]}`,
		"a=%2526":                             `{"a":["%26"]}`,
		"é=%c3%a9é%a9":                        `{"é":["éé` + "\ufffd" + `"]}`,
		"x=%e2%82A%ff%fe":                     `{"x":["` + "\ufffdA\ufffd\ufffd" + `"]}`,
		"x=%ed%a0%80":                         `{"x":["` + "\ufffd\ufffd\ufffd" + `"]}`,
		"x=%f0%9f%98%80%f0%9f%98":             `{"x":["😀` + "\ufffd" + `"]}`,
		"%ff=1&%fe=2":                         `{"` + "\ufffd" + `":["1","2"]}`,
		"a=%00%0d%0a%22":                      `{"a":["\u0000\r\n\""]}`,
		"order=desc&include[]=x&max_tokens=5": `{"include[]":["x"],"max_tokens":["5"],"order":["desc"]}`,
	} {
		got, err := encodeShown(shownParams(query))
		if err != nil || string(got) != want {
			t.Errorf("%q is shown as %s, %v, want %s", query, got, err, want)
		}
	}
}

// Case 136: a credential in the query is not the endpoint's to see, however it
// is spelled.
func TestCredentialsInTheQueryAreNotShown(t *testing.T) {
	for _, name := range []string{
		"access_token", "api_key", "apikey", "api-key", "API_KEY", "apiKey", "api.key", "api%5Fkey", "%61pi_key", "api+key", "+api_key", "key", "KEY",
		"token", "id_token", "idToken", "refresh_token", "client_secret", "clientSecret", "password", "passwd", "authorization", "Authorization",
		"auth", "auth[token]", "x-api-key", "jwt", "bearer", "client_assertion", "X-Amz-Signature", "X-Amz-Credential", "X-Amz-Security-Token", "sig",
		"session_id", "api_keys", "secret", "credentials", "to%E2%84%AAen", "SAMLResponse",
	} {
		got := shownParams("limit=1&" + name + "=stolen&" + name + "=stolen")
		if len(got) != 1 || len(got["limit"]) != 1 {
			t.Errorf("%s is shown: %v", name, got)
		}
	}
}

// An answer must not be had for a request that the endpoint was shown in part,
// or in other bytes than the stack will read.
func TestWhatCannotBeShownAsItIsIsRefused(t *testing.T) {
	e := newEndpoint(t, saying(http.StatusOK, `{"principal":"alice"}`))
	p := newCustom(t, e.URL, "")
	long := strings.Repeat("x", maxShown)
	for name, tc := range map[string]struct {
		target  string
		headers []string
		want    string
	}{
		"too much of a header": {"/", []string{"X-Long: " + long}, "request has 65608 bytes of headers and parameters, more than the 65536 that are shown to the endpoint"},
		"too much of a query":  {"/?q=" + long, nil, "request has 65604 bytes of headers and parameters, more than the 65536 that are shown to the endpoint"},
		"a header that is not": {"/", []string{"X-Name: Andr\xe9"}, "request has a header that is not UTF-8, and cannot be shown to the endpoint"},
		"a query that is not":  {"/?q=Andr\xe9", nil, "request has a path or query that is not UTF-8, and cannot be shown to the endpoint"},
		"a path that is not":   {"/%E9", nil, "request has a path or query that is not UTF-8, and cannot be shown to the endpoint"},
	} {
		t.Run(name, func(t *testing.T) {
			wantNo(t, p.Authenticate(requestFor(t, http.MethodGet, tc.target, tc.headers...), Credential{Token: "k"}), tc.want)
		})
	}
	r := requestFor(t, http.MethodGet, "/")
	r.Host = "a\xe9"
	wantNo(t, p.Authenticate(r, Credential{Token: "k"}), "request has a Host that is not UTF-8, and cannot be shown to the endpoint")
	if n := e.calls.Load(); n != 0 {
		t.Errorf("the endpoint was asked %d times", n)
	}
	// The limit itself is not too much, and what is not shown does not count.
	wantYes(t, p.Authenticate(requestFor(t, http.MethodGet, "/", "X-Long: "+long[:maxShown-72]), Credential{Token: "k"}), "alice")
	wantNo(t, p.Authenticate(requestFor(t, http.MethodGet, "/", "X-Long: "+long[:maxShown-71]), Credential{Token: "k"}),
		"request has 65537 bytes of headers and parameters, more than the 65536 that are shown to the endpoint")
	wantYes(t, p.Authenticate(requestFor(t, http.MethodGet, "/", "Cookie: "+long+"\xe9"), Credential{Token: "k"}), "alice")
}

// Without a credential, or with one of another form, nobody is asked.
func TestOnlyItsOwnCredentialsAreShownToTheEndpoint(t *testing.T) {
	e := newEndpoint(t, saying(http.StatusOK, `{"principal":"alice"}`))
	p := newCustom(t, e.URL, "tokens prefix sk-")
	for _, token := range []string{"", "gho-1", "sk", "SK-1", "a.b.c"} {
		wantNotMine(t, askKind(t, p, token))
	}
	if n := e.calls.Load(); n != 0 {
		t.Errorf("the endpoint was asked %d times", n)
	}
	wantYes(t, askKind(t, p, "sk-1"), "alice")
	for lines, want := range map[string]Scope{
		"":                  {JWT: true, Opaque: true},
		"tokens jwt":        {JWT: true},
		"tokens opaque":     {Opaque: true},
		"tokens prefix a b": {JWT: true, Opaque: true, Prefixes: []string{"a", "b"}},
	} {
		if got := newCustom(t, e.URL, lines).Scope(); got.JWT != want.JWT || got.Opaque != want.Opaque || !slices.Equal(got.Prefixes, want.Prefixes) {
			t.Errorf("%s: scope is %+v", lines, got)
		}
	}
}
