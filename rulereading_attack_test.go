package stackauth_test

import (
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// A cookie is one thing to Caddy's placeholders, which take its name in any case
// and what net/http leaves of it, and another to Starlette, which knows the case,
// decodes what is in quotes, and takes the byte A0 for a blank.
func TestMalloryWritesACookieAsOnlyTheStackReadsIt(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	mallory := as(issuer, "mallory", "user")
	written := []string{
		"role=user; role=admin", "ROLE=user; role=admin", "role=admin; Role=user", "ROLE=user",
		`role="admin"`, `role="\141dmin"`, "\xa0role=admin", "role\xa0=admin", "role=admin\xa0", "\u00a0role=admin", "role=\xc3\xa9",
		"role =admin", "role= admin", "role=admin ; a=b", "role=user, role=admin", "role=user role=admin", "a=b role=admin", "a=b, role=admin",
		strings.Repeat("a;", 3001) + "role=admin",
	}
	for name, rules := range map[string]string{
		"a forbid by a placeholder":            "forbid {\nmatch {\nexpression `{cookie.role} == 'admin'`\n}\n}\npermit",
		"a permit by a placeholder":            "permit {\nmatch {\nexpression `{cookie.role} == 'user'`\n}\n}",
		"a permit by what it is not":           "permit {\nmatch {\nexpression `{cookie.role} != 'admin'`\n}\n}",
		"a permit by a variable":               "permit {\nmatch {\nvars {cookie.role} user\n}\n}",
		"a forbid by the header":               "forbid {\nmatch {\nheader Cookie *role=admin*\n}\n}\npermit",
		"a forbid by an expression in it":      "forbid {\nmatch {\nheader_regexp Cookie `\\brole=admin\\b`\n}\n}\npermit",
		"a permit by an expression in it":      "permit {\nmatch {\nheader_regexp Cookie `\\brole=user\\b`\n}\n}",
		"a permit by an expression, in groups": "permit {\nmatch {\nheader_regexp Cookie `(?:^|;\\s)(?P<name>role)=user`\n}\n}",
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, protect(issuer, rules)+proxy(stack))
			stack.judged(t, passes, func() answer {
				return g.raw(t, "GET /x HTTP/1.1\nCookie: _ga=GA1.2; role=user; _ga=again; theme=\"dark mode\"; prefs={\"a\":[1]}; ;; u=\xc3\xa9\n"+mallory+"\n\n")
			})
			for _, cookie := range written {
				stack.judged(t, forbidden, func() answer { return g.raw(t, "GET /x HTTP/1.1\nCookie: "+cookie+"\n"+mallory+"\n\n") })
			}
		})
	}
	t.Run("a block for such cookies", func(t *testing.T) {
		g := startGateway(t, "@admin expression `{cookie.role} == 'admin'`\nroute {\nstack_auth @admin {\n"+trust(issuer, "")+"}\n"+proxy(stack)+"}")
		stack.judged(t, passes, func() answer { return g.do(t, "GET", "/x", "Cookie: role=user") })
		for _, cookie := range written {
			stack.judged(t, unknown, func() answer { return g.raw(t, "GET /x HTTP/1.1\nCookie: "+cookie+"\n\n") })
		}
	})
}

// An expression may have a name behind an ampersand, or behind what is a letter
// only to look at, or take it from the environment.
func TestANameIsFoundHoweverAMatcherWritesIt(t *testing.T) {
	t.Setenv("PARAMETER", "role")
	issuer, stack := testissuer.New(t), newStack(t)
	mallory := as(issuer, "mallory", "user")
	for _, match := range []string{
		"expression `{query}.contains('&role=user')`", "expression `{uri}.contains('&role=user')`",
		"expression `{query}.matches('\\\\brole=user')`", "vars_regexp {query} `\\brole=user`",
		"query {env.PARAMETER}=user", "expression `query({'role': 'user'})`",
	} {
		t.Run(match, func(t *testing.T) {
			g := startGateway(t, protect(issuer, "permit {\nmatch {\n"+match+"\n}\n}")+proxy(stack))
			stack.judged(t, passes, func() answer { return g.do(t, "GET", "/x?a=1&role=user&include[]=a&include[]=b", mallory) })
			stack.judged(t, forbidden, func() answer { return g.do(t, "GET", "/x?a=1&role=user&role=admin", mallory) })
		})
	}
}

// Where a matcher reads a query as it is written, a letter that has been encoded
// for nothing hides a name from it, and from no stack.
func TestMalloryEncodesALetterOfAQuery(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	mallory := as(issuer, "mallory", "user")
	for _, placeholder := range []string{"query", "?query", "uri", "orig_uri"} {
		t.Run(placeholder, func(t *testing.T) {
			placeholder = strings.NewReplacer("?query", "http.request.uri.prefixed_query", "orig_uri", "http.request.orig_uri").Replace(placeholder)
			g := startGateway(t, protect(issuer, "forbid {\nmatch {\nexpression `{"+placeholder+"}.contains('role=admin')`\n}\n}\npermit")+proxy(stack))
			stack.judged(t, passes, func() answer {
				return g.do(t, "GET", "/x?role=user&q=%C3%A9%20b%2Bc%26d%7E&include%5B%5D=a&include%5B%5D=b", mallory)
			})
			for _, query := range []string{"role=admin", "role=%61dmin", "%72ole=admin", "r%6fle=admin", "r%6Fle=admin", "a=b;role=admin", "role=user&x=%41"} {
				stack.judged(t, forbidden, func() answer { return g.raw(t, "GET /x?"+query+" HTTP/1.1\n"+mallory+"\n\n") })
			}
		})
	}
}

// The same of a path, in which an encoded slash is a slash to the stack.
func TestMalloryEncodesALetterOfAPathThatARuleReadsAsItCame(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	mallory := as(issuer, "mallory", "user")
	g := startGateway(t, protect(issuer, "forbid {\nmatch {\nexpression `{uri}.startsWith('/v1/admin')`\n}\n}\npermit")+proxy(stack))
	stack.judged(t, passes, func() answer { return g.do(t, "GET", "/v1/models/caf%C3%A9", mallory) })
	for _, path := range []string{"/v1/admin", "/v1/%61dmin", "/v1/adm%69n/x", "/v1%2Fadmin", "/v1%2fadmin"} {
		stack.judged(t, forbidden, func() answer { return g.raw(t, "GET "+path+" HTTP/1.1\n"+mallory+"\n\n") })
	}
}

// Matchers of paths and hosts have placeholders, too, and the one of gRPC reads a header.
func TestAHeaderThatAnyMatcherReadsIsNotThereTwice(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	mallory := as(issuer, "mallory", "user")
	t.Run("a path", func(t *testing.T) {
		g := startGateway(t, protect(issuer, "permit {\nmatch {\npath /t/{header.X-Team}/*\n}\n}")+proxy(stack))
		stack.judged(t, passes, func() answer { return g.do(t, "GET", "/t/a/x", mallory, "X-Team: a") })
		stack.judged(t, forbidden, func() answer { return g.raw(t, "GET /t/a,b/x HTTP/1.1\nX-Team: a\nX-Team: b\n"+mallory+"\n\n") })
	})
	t.Run("gRPC", func(t *testing.T) {
		g := startGateway(t, protect(issuer, "forbid {\nmatch {\nprotocol grpc\n}\n}\npermit")+proxy(stack))
		stack.judged(t, passes, func() answer { return g.do(t, "GET", "/x", mallory, "Content-Type: text/plain") })
		stack.judged(t, forbidden, func() answer {
			return g.raw(t, "GET /x HTTP/1.1\nContent-Type: text/plain\nContent-Type: application/grpc\n"+mallory+"\n\n")
		})
	})
}

// What only describes a matcher is no name that it reads.
func TestTheWordsOfAMatcherAreNoParameters(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	anna := as(issuer, "anna", "user")
	for _, match := range []string{"path_regexp ^/v1/models/", "header_regexp X-Mode ^a", "vars_regexp {header.X-Mode} ^a", "header X-Mode a"} {
		g := startGateway(t, protect(issuer, "permit {\nmatch {\n"+match+"\n}\n}")+proxy(stack))
		stack.judged(t, passes, func() answer {
			return g.raw(t, "GET /v1/models/x?pattern=a&pattern=b&models=a&models=b&name=a&name=b HTTP/1.1\nX-Mode: a\nCookie: a=1;; b=2;\n"+anna+"\n\n")
		})
	}
}

// Caddy's matchers of paths clean them, and a stack that takes a model's id to the
// end of the path does not: whoever climbs out of the block is still below it there.
func TestNobodyClimbsOutOfABlock(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	for _, matcher := range []string{"/v1/*", "@v1", "@uri", "@path"} {
		g := startGateway(t, "@v1 path_regexp ^/v1/\n@uri expression `{uri}.startsWith('/v1/')`\n@path expression `{path}.startsWith('/v1/')`\nroute {\nstack_auth "+matcher+" {\n"+trust(issuer, "")+"}\n"+proxy(stack)+"}")
		for _, path := range []string{"/", "/ui/a%20b;c.html", "/ui/a..b/...", "/ui/.well-known/x"} {
			stack.judged(t, passes, func() answer { return g.raw(t, "GET "+path+" HTTP/1.1\n\n") })
		}
		stack.judged(t, unknown, func() answer { return g.do(t, "GET", "/v1/models/x") })
		for _, path := range []string{
			"/v1/models/../../x", "/v1/models/..%2f..%2fx", "/v1/models/..%2F..%2Fx", "/v1/models/%2e%2e/%2E./x", "/v1/models/..%5c..%5c../../../x",
			"/v1/models/%252e%252e/../../x", "/ui/../v1/models/x", "/ui/..;/v1/models/x", "//v1/models/x", "/v1//models/x",
		} {
			stack.judged(t, twoWays, func() answer { return g.raw(t, "DELETE "+path+" HTTP/1.1\n\n") })
		}
		for _, path := range []string{"/%761/models/x", "/v1%2Fmodels/x", "/v1%2fmodels%2fx"} {
			stack.judged(t, unknown, func() answer { return g.raw(t, "DELETE "+path+" HTTP/1.1\n\n") })
		}
	}
}
