package stackauth_test

import (
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// A request target has neither a fragment nor anything beyond ASCII (RFC 9112,
// section 3.2; RFC 3986, section 3.4), and net/http lets both pass. Python's
// httptools ends the query at the number sign, and to Starlette a byte beyond
// ASCII is a character of Latin-1: what Mallory may not ask for hides behind one.
func TestMalloryEndsAQueryWhereOnlyTheStackEndsIt(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	mallory := as(issuer, "mallory", "user")
	for name, rules := range map[string]string{
		"a forbid":                  "forbid {\nmatch {\nquery admin=1\n}\n}\nforbid {\nmatch {\nquery role=\u00e9\n}\n}\npermit",
		"a permit for the others":   "permit {\nmatch {\nnot query admin=1\nnot query role=\u00e9\n}\n}",
		"a forbid by an expression": "forbid {\nmatch {\nexpression `{query.admin} == '1' || {query.role} == '\u00e9'`\n}\n}\npermit",
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, protect(issuer, rules)+proxy(stack))
			stack.judged(t, passes, func() answer { return g.do(t, "GET", "/x?admin=2&role=%C3%A8", mallory) })
			for _, query := range []string{"admin=1", "role=%C3%A9", "role=\xe9", "role=\xc3\xa9"} {
				stack.judged(t, forbidden, func() answer { return g.raw(t, "GET /x?"+query+" HTTP/1.1\n"+mallory+"\n\n") })
			}
			for _, query := range []string{"admin=1#", "admin=1#x", "a=b&admin=1#&admin=2", "#"} {
				stack.judged(t, twoWays, func() answer { return g.raw(t, "GET /x?"+query+" HTTP/1.1\n"+mallory+"\n\n") })
			}
		})
	}
	t.Run("a block for such queries", func(t *testing.T) {
		g := startGateway(t, "@admin query admin=1\n"+protect(issuer)+"stack_auth @admin {\nrequire roles admin\n}\n"+proxy(stack))
		stack.judged(t, passes, func() answer { return g.do(t, "GET", "/x?admin=2", mallory) })
		stack.judged(t, forbidden, func() answer { return g.raw(t, "GET /x?admin=1&r=\xe9 HTTP/1.1\n"+mallory+"\n\n") })
		stack.judged(t, forbidden, func() answer { return g.raw(t, "GET /x?admin=\xe9 HTTP/1.1\n"+mallory+"\n\n") })
		stack.judged(t, twoWays, func() answer { return g.raw(t, "GET /x?admin=1# HTTP/1.1\n"+mallory+"\n\n") })
	})
	t.Run("a whole block for such queries", func(t *testing.T) {
		g := startGateway(t, "@admin query admin=1\nroute {\nstack_auth @admin {\n"+trust(issuer, "")+"}\n"+proxy(stack)+"}")
		stack.judged(t, passes, func() answer { return g.do(t, "GET", "/x?admin=2") })
		stack.judged(t, twoWays, func() answer { return g.raw(t, "GET /x?admin=1# HTTP/1.1\n\n") })
	})
	t.Run("rules about something else do not mind", func(t *testing.T) {
		g := startGateway(t, protect(issuer, "permit /x")+proxy(stack))
		stack.judged(t, passes, func() answer { return g.raw(t, "GET /x?q=\xc3\xa9 HTTP/1.1\n"+mallory+"\n\n") })
	})
}

// What a path cannot have (RFC 3986, section 3.3) net/http encodes on the way, and
// then all of the path anew: an encoded slash becomes a slash.
func TestAPathWhoseEncodedSlashWouldBecomeOneIsRefused(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "public /public*")+proxy(stack))
	anna := as(issuer, "anna")
	for _, path := range []string{
		`/v1/models/a%2Fb"`, "/v1/models/a%2Fb|c", "/v1/models/a%2Fb{c}", "/v1/models/a%2Fb<c>", "/v1/models/a%2Fb^", "/v1/models/a%2Fb`",
		"/v1/models/a%2F\xc3\xa9", "/public/a%2F\xc3\xa9",
	} {
		stack.judged(t, twoWays, func() answer { return g.raw(t, "GET "+path+" HTTP/1.1\n"+anna+"\n\n") })
	}
	// Without an encoded slash the path means the same either way.
	stack.judged(t, passes, func() answer { return g.raw(t, "GET /v1/models/a|\xc3\xa9 HTTP/1.1\n"+anna+"\n\n") })
	if got := stack.last(t).RequestURI; got != "/v1/models/a%7C%C3%A9" {
		t.Errorf("it arrived as %s", got)
	}
	for _, path := range []string{"/v1/models/a%2Fb%22", "/v1/models/a%2F%C3%A9", "/v1/models/a%2fb%7c", "/v1/models/a[1]"} {
		stack.judged(t, passes, func() answer { return g.raw(t, "GET "+path+" HTTP/1.1\n"+anna+"\n\n") })
		if got := stack.last(t).RequestURI; got != path {
			t.Errorf("%s arrived as %s", path, got)
		}
	}
}
