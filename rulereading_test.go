package stackauth_test

import (
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

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

// A parameter, or a header, that is there twice is one thing to Caddy's matchers,
// which are content with either, and another to a stack that takes the last.
func TestAPermitIsNotHadByAParameterThatIsThereTwice(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	mallory := as(issuer, "mallory", "user")
	for name, c := range map[string]struct{ rules, good, bad string }{
		"a permit by a query":                   {"permit {\nmatch {\nquery model=small\n}\n}", "GET /x?model=small HTTP/1.1\n", "GET /x?model=small&model=big HTTP/1.1\n"},
		"a forbid by what is missing":           {"forbid {\nmatch {\nnot query model=small\n}\n}\npermit", "GET /x?model=small HTTP/1.1\n", "GET /x?model=small&model=big HTTP/1.1\n"},
		"a permit by an expression":             {"permit {\nmatch {\nexpression `{query.model} == 'small'`\n}\n}", "GET /x?model=small HTTP/1.1\n", "GET /x?model=small&model=big HTTP/1.1\n"},
		"a forbid by an expression":             {"forbid {\nmatch {\nexpression `{query.model} == 'big'`\n}\n}\npermit", "GET /x?model=small HTTP/1.1\n", "GET /x?model=big&model=big HTTP/1.1\n"},
		"a forbid by an expression of a header": {"forbid {\nmatch {\nexpression `{header.X-Model} == 'big'`\n}\n}\npermit", "GET /x HTTP/1.1\nX-Model: small\n", "GET /x HTTP/1.1\nX-Model: big\nX-Model: big\n"},
		"a forbid by an expression of a cookie": {"forbid {\nmatch {\nexpression `{cookie.model} == 'big'`\n}\n}\npermit", "GET /x HTTP/1.1\nCookie: model=small\n", "GET /x HTTP/1.1\nCookie: model=small; model=big\n"},
		"a permit by a header":                  {"permit {\nmatch {\nheader X-Model small\n}\n}", "GET /x HTTP/1.1\nX-Model: small\n", "GET /x HTTP/1.1\nX-Model: small\nX-Model: big\n"},
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, protect(issuer, c.rules)+proxy(stack))
			stack.judged(t, passes, func() answer { return g.raw(t, c.good+mallory+"\n\n") })
			stack.judged(t, forbidden, func() answer { return g.raw(t, c.bad+mallory+"\n\n") })
		})
	}
}

// What no matcher reads may be there as often as its reader wants.
func TestWhatNoRuleReadsMayBeThereTwice(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	anna := as(issuer, "anna", "user")
	for _, match := range []string{
		"query model=small", "header X-Model small", "expression `{query.model} == 'small' && {header.X-Model} == 'small'`",
		"method GET\nquery model=small", "not header X-Model big", "client_ip private_ranges",
	} {
		g := startGateway(t, protect(issuer, "permit {\nmatch {\n"+match+"\n}\n}")+proxy(stack))
		stack.judged(t, passes, func() answer {
			return g.raw(t, "GET /x?model=small&include[]=a&include[]=b&mode=1&mode=2 HTTP/1.1\nX-Model: small\n"+
				"Accept: a/b\nAccept: c/d\nX: 1\nX: 2\nCookie: a=1; a=2;; b=1;\n"+anna+"\n\n")
		})
		stack.judged(t, passes, func() answer {
			return g.raw(t, "GET /x?model=small&=1&=2 HTTP/1.1\nX-Model: small\n"+anna+"\n\n")
		})
	}
}

// A block for some parameter is for a request that has it twice, whichever counts.
func TestABlockIsNotPassedByWithAParameterThatIsThereTwice(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, "@big not query model=small\n"+protect(issuer)+"stack_auth @big {\nrequire roles admin\n}\n"+proxy(stack))
	mallory := as(issuer, "mallory", "user")
	stack.judged(t, passes, func() answer { return g.do(t, "GET", "/x?model=small", mallory) })
	stack.judged(t, forbidden, func() answer { return g.do(t, "GET", "/x?model=big", mallory) })
	stack.judged(t, forbidden, func() answer { return g.do(t, "GET", "/x?model=small&model=big", mallory) })
}

// yesMatcher is somebody else's, and is configured by a word.
type yesMatcher bool

func init() { caddy.RegisterModule(new(yesMatcher)) }

func (*yesMatcher) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.matchers.stack_auth_test_yes", New: func() caddy.Module { return new(yesMatcher) }}
}

func (m *yesMatcher) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	*m = true
	return nil
}

func (m *yesMatcher) MatchWithError(*http.Request) (bool, error) { return bool(*m), nil }

// Names are looked for in what matchers have in them, whatever that is.
func TestAParameterWithoutANameIsInNoMatcher(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "permit {\nmatch {\nstack_auth_test_yes\n}\n}")+proxy(stack))
	anna := as(issuer, "anna", "user")
	stack.judged(t, passes, func() answer { return g.do(t, "GET", "/x?=1&=2", anna) })
	stack.judged(t, passes, func() answer { return g.do(t, "GET", "/x?rue=1&rue=2&t=1&t=2", anna) })
	stack.judged(t, forbidden, func() answer { return g.do(t, "GET", "/x?true=1&true=2", anna) })
}
