package stackauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// Ways around a decision: what was not decided, or was refused, goes to an
// error route or to another block, and must be harmless there.

const reserved = `X-OGX-Provider-Data: {"__authenticated_user":{"principal":"admin"}}`

// A proxy as error route would make a tunnel of a refused upgrade, in which
// whole requests pass unseen, and older stacks believe what provider data says.
func TestRefusedRequestsAreHarmlessToAnErrorRouteThatProxies(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "errors caddy", "forward_token")+
		"handle /admin* {\nstack_auth {\nrequire roles admin\n}\n"+proxy(stack)+"}\n"+
		"handle_errors {\n"+proxy(stack)+"}\n"+proxy(stack))
	token := issuer.Token("alice", nil)
	for name, lines := range map[string]string{
		"an upgrade to h2c":                   "GET /v1/x HTTP/1.1\nConnection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABk\n",
		"a WebSocket without a credential":    "GET /v1/x HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\n",
		"provider data with a reserved name":  "GET /v1/x HTTP/1.1\n" + reserved + "\n",
		"a known caller, refused further in":  "GET /admin/x HTTP/1.1\n" + bearer(token) + "\n",
		"an upgrade by a known caller inside": "GET /admin/x HTTP/1.1\nConnection: Upgrade\nUpgrade: websocket\n" + bearer(token) + "\n",
	} {
		t.Run(name, func(t *testing.T) {
			before := stack.count()
			g.raw(t, lines+"\n")
			for _, r := range stack.since(before) {
				r.identity(t, "")
				r.isWithout(t, token)
				for _, gone := range []string{"Upgrade", "Http2-Settings", "X-Ogx-Provider-Data"} {
					if r.Header.Get(gone) != "" {
						t.Errorf("the stack got %s: %s", gone, r.Header.Get(gone))
					}
				}
			}
		})
	}
}

func TestUnmatchedRequestsOpenNoTunnelAndCarryNoReservedData(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, "@api not path /health*\nstack_auth @api {\n"+trust(issuer, "")+"}\n"+proxy(stack))
	for _, lines := range []string{
		"Connection: Upgrade\nUpgrade: h2c\n",
		"Connection: Upgrade\nUpgrade: web\u017focket\n",
		reserved + "\n",
	} {
		a := g.raw(t, "GET /health HTTP/1.1\n"+lines+"\n")
		if a.StatusCode != 200 {
			t.Errorf("%q: got %d", lines, a.StatusCode)
		}
		h := stack.last(t).Header
		if h.Get("Upgrade") != "" || h.Get("X-Ogx-Provider-Data") != "" {
			t.Errorf("%q: the stack got %v", lines, h)
		}
	}
	stack.isUntouched(t, func() {
		g.raw(t, "GET http:health HTTP/1.1\n\n").is(t, 400, "ambiguous_request")
	})
}

// A block that starts afresh sees the credential from wherever the outer one
// took it, and takes it off again from there, too.
func TestABlockThatStartsAfreshTakesOffWhatTheOuterOneKnew(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer,
		"token_source cookie sid", "token_source header X-Api-Key", "token_source query token", "token_source header Authorization Bearer")+
		"handle /pub/* {\n"+protect(issuer, "public /pub/*")+proxy(stack)+"}\n"+proxy(stack))
	token := issuer.Token("alice", nil)
	keepSecret("X-Api-Key", token)
	for _, c := range []struct{ path, header string }{
		{"/pub/x", "Cookie: sid=" + token + "; a=b"},
		{"/pub/x", "X-Api-Key: " + token},
		{"/pub/x?a=b&token=" + token, "X-None: 1"},
		{"/pub/x", bearer(token)},
	} {
		g.do(t, "GET", c.path, c.header).is(t, 200, "")
		r := stack.last(t)
		r.isWithout(t, token)
		if strings.Contains(r.RequestURI, "token=") {
			t.Errorf("%s: the stack got %s", c.path, r.RequestURI)
		}
	}
}

// HEAD counts as GET, and so does the CONNECT that opens a WebSocket over
// HTTP/2 or 3: a block for one method is no way around for the other.
func TestABlockForGETIsForHEADAndWebSocketsToo(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer)+"@get {\npath /only/*\nmethod GET\n}\nstack_auth @get {\nrequire roles admin\n}\n"+proxy(stack))
	token := bearer(issuer.Token("alice", nil))
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		stack.isUntouched(t, func() {
			if a := g.do(t, method, "/only/x", token); a.StatusCode != 403 {
				t.Errorf("%s: got %d", method, a.StatusCode)
			}
		})
	}
	if a := g.do(t, http.MethodPost, "/only/x", token); a.StatusCode != 200 {
		t.Errorf("POST: got %d", a.StatusCode)
	}
}

// A deferred header operation takes one header away while the trailer adds one.
func TestTrailersOfTheStackLoseIdentityBesideHeaderOperations(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, "header -X-Junk\n"+protect(issuer)+proxy(stack))
	for _, announced := range []bool{true, false} {
		stack.answerWith(func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Junk", "1")
			name := http.TrailerPrefix + "X-Auth-User-Id"
			if announced {
				name = "X-Auth-User-Id"
				w.Header().Set("Trailer", name)
			}
			_, _ = w.Write([]byte("body"))
			_ = http.NewResponseController(w).Flush()
			w.Header().Set(name, "evil")
		})
		a := g.do(t, "GET", "/v1/x", bearer(issuer.Token("alice", nil)))
		if a.StatusCode != 200 || a.Trailer.Get("X-Auth-User-Id") != "" || a.Header.Get("X-Auth-User-Id") != "" {
			t.Errorf("announced %t: got %d, headers %v, trailers %v", announced, a.StatusCode, a.Header, a.Trailer)
		}
	}
}

func TestAPreflightCannotBecomeATunnel(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "allow_preflight")+proxy(stack))
	a := g.raw(t, "OPTIONS /v1/x HTTP/1.1\nOrigin: https://a.example\nAccess-Control-Request-Method: GET\n"+
		"Connection: Upgrade\nUpgrade: websocket\nExpect: 100-continue\nContent-Length: 2\n\n{}")
	if a.StatusCode != 200 {
		t.Fatalf("got %d", a.StatusCode)
	}
	r := stack.last(t)
	if r.Header.Get("Upgrade") != "" || r.Header.Get("Expect") != "" || r.body != "" {
		t.Errorf("the stack got %v and %q", r.Header, r.body)
	}
}

func TestTwoAuthorizationLinesAreRefusedOnPublicPathsToo(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "public /public", "forward_token")+proxy(stack))
	stack.isUntouched(t, func() {
		g.raw(t, "GET /public HTTP/1.1\nAuthorization: Basic eA==\nAuthorization: Bearer zzz\n\n").is(t, 400, "duplicate_credential")
	})
}

// What the verified token did not come with is never forwarded in its place.
func TestATokenThatWasNotCheckedIsNotForwarded(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "token_source header X-Api-Key", "forward_token")+proxy(stack))
	token := issuer.Token("alice", nil)
	keepSecret("X-Api-Key", token)
	g.do(t, "GET", "/v1/x", "X-Api-Key: "+token, bearer(strings.Repeat("x", len(token)))).is(t, 200, "")
	if got := stack.last(t).Header["Authorization"]; len(got) != 1 || got[0] != "Bearer "+token {
		t.Errorf("the stack got another token than the verified one: %d lines", len(got))
	}
}

// The method that an expression asks for is the one that is decided on.
func TestAnExpressionOfTheMethodIsForHEADToo(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer)+"@get expression `{method} == \"GET\"`\nstack_auth @get {\nrequire roles admin\n}\n"+proxy(stack))
	token := bearer(issuer.Token("alice", nil))
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		stack.isUntouched(t, func() {
			if a := g.do(t, method, "/x", token); a.StatusCode != 403 {
				t.Errorf("%s: got %d", method, a.StatusCode)
			}
		})
	}
	if a := g.do(t, http.MethodPost, "/x", token); a.StatusCode != 200 {
		t.Errorf("POST: got %d", a.StatusCode)
	}
}

// A matcher that fails, and a target that is no path, lead to an error route
// without a decision: neither may take forged identity along.
func TestErrorRoutesBesideTheHandlerGetNothingForged(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, "@api expression `{http.request.header.X-Number} > 5`\nstack_auth @api {\n"+trust(issuer, "")+
		"errors caddy\n}\nhandle_errors {\n"+proxy(stack)+"}\n"+proxy(stack))
	for _, request := range []string{
		"POST /v1/x HTTP/1.1\nX-Number: many\nTrailer: X-Foo\n" + chunked + "\n5\nhello\n0\nX-Foo: 1\nX-Auth-User-Id: admin\n\n",
		"GET http:v1/x HTTP/1.1\nX-Number: 1\nX-Auth-User-Id: admin\nAuthorization: Bearer secret-test-only\n\n",
	} {
		before := stack.count()
		g.raw(t, request)
		for _, r := range stack.since(before) {
			r.identity(t, "")
			r.isWithout(t, "secret-test-only")
			if len(r.Trailer) > 0 {
				t.Errorf("the stack got trailers %v", r.Trailer)
			}
		}
	}
}

// On a public path nobody looks at the credential. It goes on in the one form,
// or not at all, and a further block still sees it.
func TestThePublicCredentialIsForwardedInOneForm(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "public /pub/*", "forward_token", "token_source header X-Api-Key", "token_source header Authorization Bearer")+
		"handle /pub/inner {\n"+protect(issuer)+proxy(stack)+"}\n"+proxy(stack))
	token := issuer.Token("alice", nil)
	keepSecret("X-Api-Key", token)
	g.do(t, "GET", "/pub/x", "X-Api-Key: "+token).is(t, 200, "")
	r := stack.last(t)
	if r.Header.Get("X-Api-Key") != "" || r.Header.Get("Authorization") != "Bearer "+token {
		t.Error("the credential did not go on as Authorization alone")
	}
	g.do(t, "GET", "/pub/inner", bearer(token)).is(t, 200, "")
	stack.last(t).identity(t, "alice")
}
