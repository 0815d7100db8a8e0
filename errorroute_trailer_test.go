package stackauth_test

import (
	"testing"
)

// A block that enforces refuses whoever nobody has asked for a credential. Caddy
// gives its error route the request as it was before it came to the block, and
// with it the trailers that are announced.
func TestTrailersDoNotComeInByTheErrorRouteOfABlockWithoutAProvider(t *testing.T) {
	stack := newStack(t)
	const announced = chunked + "Trailer: X-Auth-User-Id, X-Other\n\n5\nhello\n0\nX-Auth-User-Id: admin\nX-Other: 1\n\n"
	for name, rules := range map[string]string{"require": "require roles user", "a rule": "permit"} {
		g := startGateway(t, "stack_auth {\n"+rules+"\nerrors caddy\n}\nhandle_errors {\n"+proxy(stack)+"}\n"+proxy(stack))
		for method, want := range map[string]int{"POST": 401, "FOO": 405} {
			t.Run(name+" "+method, func(t *testing.T) {
				stack.isUntouched(t, func() {
					if a := g.raw(t, method+" /v1/x HTTP/1.1\n"+announced); a.StatusCode != want {
						t.Errorf("got %d %s", a.StatusCode, a.body)
					}
				})
				// Without any it is the error route's.
				g.raw(t, method+" /v1/x HTTP/1.1\nX-Auth-User-Id: admin\n\n")
				stack.last(t).identity(t, "")
			})
		}
	}
}
