package stackauth_test

import (
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

func TestInnerBlocksEnforceOnWhatTheOuterOneFound(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "public /public*", "realm outer", "allow_preflight")+`
		@writes method POST PUT
		handle /admin/* {
			stack_auth {
				require roles admin
			}
			stack_auth @writes {
				require teams ops
			}
			`+proxy(stack)+`
		}
		handle /public/but-not-really {
			stack_auth
			`+proxy(stack)+`
		}
		handle {
			`+proxy(stack)+`
		}`)
	user := bearer(issuer.Token("bob", map[string]any{"roles": "user"}))
	admin := bearer(issuer.Token("alice", map[string]any{"roles": "admin"}))
	ops := bearer(issuer.Token("olga", map[string]any{"roles": "admin", "groups": "ops"}))
	for _, c := range []struct {
		name, method, path string
		headers            []string
		status             int
		code, principal    string
	}{
		{"outside, anybody known", "GET", "/v1/x", []string{user}, 200, "", "bob"},
		{"inside, without the role", "GET", "/admin/x", []string{user}, 403, "insufficient_permissions", ""},
		{"inside, with the role", "GET", "/admin/x", []string{admin}, 200, "", "alice"},
		{"inside, with the role, writing", "POST", "/admin/x", []string{admin}, 403, "insufficient_permissions", ""},
		{"inside, with role and team, writing", "POST", "/admin/x", []string{ops}, 200, "", "olga"},
		{"inside, nobody", "GET", "/admin/x", nil, 401, "missing_credential", ""},
		{"public outside, nobody inside", "GET", "/public/but-not-really", nil, 401, "missing_credential", ""},
		{"public outside, and the outer one did not look", "GET", "/public/but-not-really", []string{admin}, 401, "missing_credential", ""},
		{"public", "GET", "/public/x", nil, 200, "", ""},
		{"a preflight asks for nothing, inside either", "OPTIONS", "/admin/x", []string{"Origin: x", "Access-Control-Request-Method: GET"}, 200, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := stack.count()
			a := g.do(t, c.method, c.path, append(c.headers, "X-Auth-User-Id: root")...)
			a.is(t, c.status, c.code)
			if c.status == 200 {
				stack.last(t).identity(t, c.principal)
				return
			}
			if stack.count() != before {
				t.Error("the stack was reached")
			}
			if c.status == 401 && a.Header.Get("WWW-Authenticate") != `Bearer realm="outer"` {
				t.Errorf("challenge is %s", a.Header.Get("WWW-Authenticate"))
			}
		})
	}
}

func TestInnerBlocksAndAnonymous(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "allow_anonymous")+`
		handle /open {
			stack_auth
			`+proxy(stack)+`
		}
		handle {
			stack_auth {
				require roles user
			}
			`+proxy(stack)+`
		}`)
	g.do(t, "GET", "/open").is(t, 200, "")
	stack.last(t).identity(t, "")
	stack.isUntouched(t, func() { g.do(t, "GET", "/x").is(t, 401, "missing_credential") })
	stack.isUntouched(t, func() {
		g.do(t, "GET", "/x", bearer(issuer.Token("bob", nil))).is(t, 403, "insufficient_permissions")
	})
	stack.isUntouched(t, func() { g.do(t, "GET", "/open", "Authorization: Bearer a.b.c").is(t, 401, "invalid_token") })
}

func TestAnInnerBlockWithoutAnOuterOneLetsNobodyIn(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	good := issuer.Token("alice", map[string]any{"roles": "user"})
	for name, site := range map[string]string{
		"alone": `stack_auth {
			require roles user
		}
		`,
		"behind one that does not match": `stack_auth /elsewhere {
			` + trust(issuer, "") + `
		}
		stack_auth {
			require roles user
		}
		`,
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, site+proxy(stack))
			stack.isUntouched(t, func() {
				g.do(t, "GET", "/x", bearer(good), "X-Auth-User-Id: alice").is(t, 401, "missing_credential")
			})
		})
		t.Run(name+", with an error route", func(t *testing.T) {
			g := startGateway(t, site+`
				stack_auth {
					errors caddy
				}
				handle_errors {
					`+proxy(stack)+`
				}`+"\n"+proxy(stack))
			g.do(t, "GET", "/x", bearer(good), "X-Auth-User-Id: alice").is(t, 401, "missing_credential")
		})
	}
	t.Run("and its error route finds neither identity nor credential", func(t *testing.T) {
		g := startGateway(t, "stack_auth {\nerrors caddy\n}\nhandle_errors {\n"+proxy(stack)+"}\n"+proxy(stack))
		before := stack.count()
		g.do(t, "GET", "/x", bearer(good), "X-Auth-User-Id: admin")
		if stack.count() != before+1 {
			t.Fatal("the error route was not taken")
		}
		stack.last(t).identity(t, "")
		stack.last(t).isWithout(t, good)
	})
}

func TestABlockWithProvidersStartsAfresh(t *testing.T) {
	staff, robots, stack := testissuer.New(t), testissuer.New(t), newStack(t)
	g := startGateway(t, "stack_auth {\n"+trust(staff, "staff")+`
			public /robots/*
			identity_headers {
				principal X-Outer-User
				attributes X-Outer-Attributes
				tenant X-Tenant-Id
			}
			tenancy single outer
		}
		handle /both/* {
			stack_auth {
				`+trust(staff, "again")+`
				require roles admin
			}
			`+proxy(stack)+`
		}
		handle /both-anonymous/* {
			stack_auth {
				`+trust(robots, "robots")+`
				token_source header X-Robot
				allow_anonymous
			}
			`+proxy(stack)+`
		}
		handle /robots/* {
			stack_auth {
				`+trust(robots, "robots")+`
			}
			`+proxy(stack)+`
		}
		handle {
			`+proxy(stack)+`
		}`)
	alice := staff.Token("alice", map[string]any{"roles": "admin"})
	t.Run("it sees the credential that the outer one took off", func(t *testing.T) {
		g.do(t, "GET", "/both/x", bearer(alice)).is(t, 200, "")
		r := stack.last(t)
		r.identity(t, "alice")
		r.isWithout(t, alice)
		if r.Header.Get("X-Outer-User") != "" || r.Header.Get("X-Outer-Attributes") != "" {
			t.Error("what the outer one set is still there")
		}
	})
	t.Run("it decides by itself", func(t *testing.T) {
		stack.isUntouched(t, func() {
			g.do(t, "GET", "/both/x", bearer(staff.Token("bob", nil))).is(t, 403, "insufficient_permissions")
		})
	})
	t.Run("an outer identity does not shine through", func(t *testing.T) {
		g.do(t, "GET", "/both-anonymous/x", bearer(alice)).is(t, 200, "")
		r := stack.last(t)
		r.identity(t, "")
		r.isWithout(t, alice)
		if r.Header.Get("X-Outer-User") != "" {
			t.Error("what the outer one set is still there")
		}
	})
	t.Run("it asks where the outer one did not", func(t *testing.T) {
		g.do(t, "GET", "/robots/x", bearer(robots.Token("r2d2", nil))).is(t, 200, "")
		stack.last(t).identity(t, "r2d2")
		g.do(t, "GET", "/robots/x", bearer(alice)).is(t, 401, "invalid_token")
		g.do(t, "GET", "/robots/x").is(t, 401, "missing_credential")
	})
	t.Run("the outer one alone", func(t *testing.T) {
		g.do(t, "GET", "/x", bearer(alice)).is(t, 200, "")
		if got := stack.last(t).Header; got.Get("X-Outer-User") != "alice" || got.Get("X-Tenant-Id") != "outer" || got.Get("X-Auth-User-Id") != "" {
			t.Errorf("headers are %v", got)
		}
	})
}

// Which of two blocks runs first must be what is written, not what Caddy makes
// of their matchers.
func TestBlocksOfOneLevelRunAsWritten(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, `
		stack_auth /v1/very/long/path* {
			`+trust(issuer, "")+`
			realm first
		}
		stack_auth {
			`+trust(issuer, "")+`
			realm second
			public /v1/very/long/path*
		}
		stack_auth /x* {
			`+trust(issuer, "")+`
			realm third
			identity_headers {
				principal X-Third
			}
		}
		`+proxy(stack))
	token := issuer.Token("alice", nil)
	for path, challenge := range map[string]string{
		"/v1/very/long/path": `Bearer realm="first"`,
		"/x":                 `Bearer realm="second"`,
		"/y":                 `Bearer realm="second"`,
	} {
		if got := g.do(t, "GET", path).Header.Get("WWW-Authenticate"); got != challenge {
			t.Errorf("%s: %s", path, got)
		}
	}
	t.Run("a block that does not match leaves the identity of an earlier one, and takes forged ones of its own", func(t *testing.T) {
		g.do(t, "GET", "/y", bearer(token), "X-Third: admin", "X-Auth-User-Id: admin").is(t, 200, "")
		r := stack.last(t)
		r.identity(t, "alice")
		if r.Header.Get("X-Third") != "" {
			t.Error("a forged header of the third block reached the stack")
		}
	})
	t.Run("the last block that matches says who calls", func(t *testing.T) {
		g.do(t, "GET", "/x", bearer(token), "X-Third: admin").is(t, 200, "")
		if got := stack.last(t).Header; got.Get("X-Third") != "alice" || got.Get("X-Auth-User-Id") != "" {
			t.Errorf("headers are %v", got)
		}
	})
}

// A matcher can fail. The error route must not see more than it would have.
func TestAMatcherThatFailsLeavesNothingForTheErrorRoute(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, `
		@broken expression `+"`{http.request.header.X-Number} > 5`"+`
		stack_auth @broken {
			`+trust(issuer, "")+`
		}
		handle_errors {
			`+proxy(stack)+`
		}
		`+proxy(stack))
	token := issuer.Token("alice", nil)
	before := stack.count()
	if a := g.do(t, "GET", "/x", "X-Number: many", bearer(token), "X-Auth-User-Id: admin"); a.StatusCode != 500 && stack.count() == before {
		t.Fatalf("got %d %s", a.StatusCode, a.body)
	}
	for _, r := range stack.since(before) {
		r.identity(t, "")
		r.isWithout(t, token)
	}
}
