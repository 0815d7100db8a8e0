package stackauth_test

import (
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

func TestOnlySevenMethodsAreKnown(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "public /public")+proxy(stack))
	token := issuer.Token("alice", nil)
	keepSecret("Authorization", token)
	for _, method := range []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"} {
		t.Run(method+" passes with a token", func(t *testing.T) {
			a := g.raw(t, method+" /v1/x HTTP/1.1\n"+bearer(token)+"\n\n")
			a.is(t, 200, "")
			r := stack.last(t)
			if r.Method != method {
				t.Errorf("arrived as %s", r.Method)
			}
			r.identity(t, "alice")
		})
		t.Run(method+" does not without", func(t *testing.T) {
			stack.isUntouched(t, func() {
				a := g.raw(t, method+" /v1/x HTTP/1.1\n\n")
				if a.StatusCode != 401 || a.Header.Get("WWW-Authenticate") != bareChallenge {
					t.Errorf("got %d %s", a.StatusCode, a.Header.Get("WWW-Authenticate"))
				}
			})
		})
	}
	for _, method := range []string{"get", "Get", "TRACE", "FOO", "PROPFIND", "PRI", "QUERY", "SEARCH", "PURGE"} {
		for _, path := range []string{"/v1/x", "/public"} {
			t.Run(method+" "+path+" is refused", func(t *testing.T) {
				stack.isUntouched(t, func() {
					a := g.raw(t, method+" "+path+" HTTP/1.1\n"+bearer(token)+"\n\n")
					a.is(t, 405, "method_not_allowed")
					if got := a.Header.Get("Allow"); got != "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" {
						t.Errorf("Allow is %s", got)
					}
				})
			})
		}
	}
	t.Run("an override is not believed", func(t *testing.T) {
		a := g.raw(t, "GET /v1/x?_method=DELETE HTTP/1.1\nX-HTTP-Method-Override: DELETE\nX-HTTP-Method: DELETE\n"+bearer(token)+"\n\n")
		a.is(t, 200, "")
		r := stack.last(t)
		if r.Method != "GET" || r.Header.Get("X-Http-Method-Override") != "" || r.Header.Get("X-Http-Method") != "" {
			t.Errorf("arrived as %s with %v", r.Method, r.Header)
		}
	})
}

func TestARefusedHEADHasHeadersAndNoBody(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer)+proxy(stack))
	get, head := g.raw(t, "GET / HTTP/1.1\n\n"), g.raw(t, "HEAD / HTTP/1.1\n\n")
	if head.StatusCode != 401 || head.body != "" {
		t.Errorf("got %d %q", head.StatusCode, head.body)
	}
	for _, name := range []string{"WWW-Authenticate", "Content-Type", "Cache-Control", "Content-Length"} {
		if got, want := head.Header.Get(name), get.Header.Get(name); got != want || got == "" {
			t.Errorf("%s is %q, of a GET %q", name, got, want)
		}
	}
	if stack.count() != 0 {
		t.Error("the stack was reached")
	}
}

func TestPreflightsPassWithNothingOfTheirOwn(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	const origin, asks = "Origin: https://app.example\n", "Access-Control-Request-Method: POST\n"
	token := issuer.Token("alice", nil)
	t.Run("where they are allowed", func(t *testing.T) {
		g := startGateway(t, protect(issuer, "allow_preflight", allSources)+proxy(stack))
		keepSecret("Authorization", token)
		body := "hello"
		a := g.raw(t, "OPTIONS /v1/x?key="+token+" HTTP/1.1\n"+origin+asks+bearer(token)+"\nX-Api-Key: "+token+
			"\nCookie: session="+token+"\nX-Auth-User-Id: admin\nContent-Type: text/plain\nContent-Length: 5\n\n"+body)
		a.is(t, 200, "")
		r := stack.last(t)
		r.identity(t, "")
		r.isWithout(t, token)
		if r.body != "" || r.ContentLength != 0 || r.Header.Get("Content-Type") != "" {
			t.Errorf("body %q of length %d, type %q", r.body, r.ContentLength, r.Header.Get("Content-Type"))
		}
		if r.Header.Get("Origin") == "" || r.Header.Get("Access-Control-Request-Method") == "" {
			t.Error("what a preflight is about is gone")
		}
	})
	for _, c := range []struct{ name, options, head string }{
		{"without Origin", "allow_preflight", asks},
		{"without Access-Control-Request-Method", "allow_preflight", origin},
		{"where they are not allowed", "", origin + asks},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := startGateway(t, protect(issuer, c.options)+proxy(stack))
			stack.isUntouched(t, func() {
				g.raw(t, "OPTIONS /v1/x HTTP/1.1\n"+c.head+"\n").is(t, 401, "missing_credential")
			})
		})
	}
	t.Run("only OPTIONS", func(t *testing.T) {
		g := startGateway(t, protect(issuer, "allow_preflight")+proxy(stack))
		stack.isUntouched(t, func() {
			g.raw(t, "GET /v1/x HTTP/1.1\n"+origin+asks+"\n").is(t, 401, "missing_credential")
			g.raw(t, "OPTIONS /v1/../x HTTP/1.1\n"+origin+asks+"\n").is(t, 400, "ambiguous_request")
		})
	})
}

func TestEarlyDataIsOnlyForReading(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "public /public")+proxy(stack))
	token := issuer.Token("alice", nil)
	for _, c := range []struct {
		method string
		lines  []string
		status int
	}{
		{"GET", []string{"Early-Data: 1"}, 200},
		{"POST", nil, 200},
		{"POST", []string{"Early-Data: 1"}, 425},
		{"PUT", []string{"early-data: 1"}, 425},
		{"DELETE", []string{"Early-Data: 1"}, 425},
		{"PATCH", []string{"Early-Data: 1"}, 425},
		// RFC 8470, section 5.1: several, or invalid ones, are as good as 1.
		{"POST", []string{"Early-Data: 0", "Early-Data: 1"}, 425},
		{"POST", []string{"Early-Data: yes"}, 425},
	} {
		for _, path := range []string{"/v1/x", "/public"} {
			before := stack.count()
			a := g.do(t, c.method, path, append([]string{bearer(token)}, c.lines...)...)
			if c.status == 200 {
				a.is(t, 200, "")
				continue
			}
			a.is(t, c.status, "too_early")
			if stack.count() != before {
				t.Errorf("%s %v reached the stack", c.method, c.lines)
			}
		}
	}
}
