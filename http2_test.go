package stackauth_test

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

func TestTheSameHoldsOverHTTP2(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGatewayWith(t, "servers {\nprotocols h1 h2c\n}", protect(issuer, "public /public")+proxy(stack))
	transport := &http.Transport{Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	defer transport.CloseIdleConnections()
	token := issuer.Token("alice", nil)
	keepSecret("Authorization", token)
	do := func(method, path string, trailer http.Header, headers ...string) answer {
		t.Helper()
		req, err := http.NewRequest(method, g.URL+path, strings.NewReader("hello"))
		if err != nil {
			t.Fatal(err)
		}
		for _, line := range headers {
			name, value, _ := strings.Cut(line, ": ")
			req.Header[name] = append(req.Header[name], value)
		}
		if trailer != nil {
			req.Trailer = trailer
			req.ContentLength = -1
		}
		resp, err := transport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		if resp.ProtoMajor != 2 {
			t.Fatalf("protocol is %s", resp.Proto)
		}
		return read(t, resp)
	}
	t.Run("a good token passes, forged headers do not", func(t *testing.T) {
		do("POST", "/v1/x", nil, bearer(token), "X-Auth-User-Id: admin", "x_auth_user_id: admin", "X.Auth-Attributes: {}", "X-Tenant-Id: x").is(t, 200, "")
		r := stack.last(t)
		r.identity(t, "alice")
		r.isWithout(t, token)
	})
	t.Run("announced trailers are refused", func(t *testing.T) {
		stack.isUntouched(t, func() {
			do("POST", "/v1/x", http.Header{"X-Auth-User-Id": {"admin"}}, bearer(token)).is(t, 400, "ambiguous_request")
			do("POST", "/public", http.Header{"X-Other": {"admin"}}).is(t, 400, "ambiguous_request")
		})
	})
	t.Run("two Authorization fields are refused", func(t *testing.T) {
		stack.isUntouched(t, func() {
			do("GET", "/v1/x", nil, bearer(token), bearer(token)).is(t, 400, "duplicate_credential")
		})
	})
	t.Run("an ambiguous path is refused", func(t *testing.T) {
		stack.isUntouched(t, func() {
			do("GET", "/v1/%2e%2e/x", nil, bearer(token)).is(t, 400, "ambiguous_request")
		})
	})
	t.Run("no token is 401", func(t *testing.T) {
		stack.isUntouched(t, func() { do("GET", "/v1/x", nil).is(t, 401, "missing_credential") })
	})
}

// A WebSocket over HTTP/2 or HTTP/3 is a CONNECT with a protocol, and becomes
// a GET only inside reverse_proxy. Here is what no server hands on, too: over a
// network are TestAWebSocketOverHTTP2IsJudgedAsAGET and that of HTTP/3.
func TestAnExtendedCONNECTIsJudgedAsAGET(t *testing.T) {
	issuer := testissuer.New(t)
	d := newDirect(t, protect(issuer))
	token := issuer.Token("alice", nil)
	connect := func(major int, proto, header, credential string) (*httptest.ResponseRecorder, *http.Request) {
		r := httptest.NewRequest("CONNECT", "/v1/realtime", nil)
		r.URL.Path, r.RequestURI = "/v1/realtime", "/v1/realtime"
		r.ProtoMajor, r.Proto = major, proto
		if header != "" {
			r.Header[":protocol"] = []string{header}
		}
		if credential != "" {
			r.Header.Set("Authorization", "Bearer "+credential)
		}
		w, passed, err := d.serve(r)
		if err != nil {
			t.Fatal(err)
		}
		return w, passed
	}
	for _, c := range []struct {
		name          string
		major         int
		proto, header string
		credential    string
		status        int
	}{
		{"h2 WebSocket with a token", 2, "HTTP/2.0", "websocket", token, 200},
		{"h3 WebSocket with a token", 3, "websocket", "", token, 200},
		{"h2 WebSocket without one", 2, "HTTP/2.0", "websocket", "", 401},
		{"h3 WebSocket without one", 3, "websocket", "", "", 401},
		{"h2 to something else", 2, "HTTP/2.0", "connect-udp", token, 405},
		{"h3 to something else", 3, "connect-udp", "", token, 405},
		{"h2 plain CONNECT", 2, "HTTP/2.0", "", token, 405},
		{"h3 plain CONNECT", 3, "HTTP/3.0", "", token, 405},
		{"h1 with a header of that name", 1, "HTTP/1.1", "websocket", token, 405},
		{"h1 with a protocol of that name", 1, "websocket", "", token, 405},
	} {
		t.Run(c.name, func(t *testing.T) {
			w, passed := connect(c.major, c.proto, c.header, c.credential)
			if (passed != nil) != (c.status == 200) || passed == nil && w.Code != c.status {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
			if passed != nil {
				reached{passed, ""}.identity(t, "alice")
			}
		})
	}
}

func TestTLSEarlyDataIsOnlyForReading(t *testing.T) {
	issuer := testissuer.New(t)
	d := newDirect(t, protect(issuer))
	for method, status := range map[string]int{"GET": 200, "HEAD": 200, "OPTIONS": 200, "POST": 425, "DELETE": 425} {
		r := httptest.NewRequest(method, "/v1/x", nil)
		r.TLS = &tls.ConnectionState{HandshakeComplete: false}
		r.Header.Set("Authorization", "Bearer "+issuer.Token("alice", nil))
		w, passed, err := d.serve(r)
		if err != nil || (passed != nil) != (status == 200) || passed == nil && w.Code != status {
			t.Errorf("%s: got %d %s", method, w.Code, w.Body)
		}
	}
}

// Over TLS, a page that came in clear text is another site.
func TestACookieOverTLSWantsAnOriginOverTLS(t *testing.T) {
	issuer := testissuer.New(t)
	d := newDirect(t, protect(issuer, "token_source cookie session"))
	for origin, ok := range map[string]bool{
		"https://stack.example": true, "https://stack.example:443": true, "https://STACK.example": true,
		"http://stack.example": false, "http://stack.example:443": false, "https://stack.example:8443": false,
		"https://stack.example.evil.example": false, "https://evil.example/stack.example": false, "": false, "stack.example": false,
		"javascript://stack.example": false,
	} {
		r := httptest.NewRequest("POST", "https://stack.example/v1/x", nil)
		r.RequestURI, r.URL.Scheme, r.URL.Host = "/v1/x", "", ""
		r.TLS = &tls.ConnectionState{HandshakeComplete: true}
		r.Header.Set("Cookie", "session="+issuer.Token("alice", nil))
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		w, passed, err := d.serve(r)
		if err != nil || (passed != nil) != ok || passed == nil && w.Code != 403 {
			t.Errorf("%s: got %d %s", origin, w.Code, w.Body)
		}
	}
}
