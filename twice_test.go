package stackauth_test

import (
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

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
				"Accept: a/b\nAccept: c/d\nX: 1\nX: 2\nCookie: a=1; a=2\n"+anna+"\n\n")
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
