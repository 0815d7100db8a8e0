package stackauth_test

import (
	"maps"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// rehearsals returns the log lines about requests that would have been refused.
func rehearsals(t testing.TB) []logLine {
	t.Helper()
	var lines []logLine
	for _, line := range logs.lines(t, "http.handlers.stack_auth.policy") {
		if line.text("msg") == "request would be refused" {
			lines = append(lines, line)
		}
	}
	return lines
}

func TestInShadowWhatRulesRefuseGoesOnAndIsLogged(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, seen+protect(issuer, `
		shadow
		allow_anonymous
		require roles user admin
		forbid /v1/admin* {
			unless user with admin in roles
			description "admins only"
		}
		permit /v1/models* {
			unless user is anonymous
		}
		permit /v1/admin*
		forbid /v1/number {
			match {
				expression `+"`int({http.request.header.X-Number}) > 5`"+`
			}
		}`)+proxy(stack))
	user, admin := as(issuer, "uma", "user"), as(issuer, "anna", "admin")
	for _, c := range []struct {
		name, path, who, principal, seen string
		code, reason                     string // of the line; empty: there is none
	}{
		{"what they allow", "/v1/models", user, "uma", "allow permit 2", "", ""},
		{"what a forbid refuses", "/v1/admin", user, "uma", "deny admins only", "insufficient_permissions", "forbid 1 “admins only” applies"},
		{"what no rule allows", "/v1/files", admin, "anna", "deny", "insufficient_permissions", "no rule applies"},
		{"what require refuses", "/v1/models", as(issuer, "otto"), "otto", "deny require 1", "insufficient_permissions", "caller does not have any of the required roles"},
		{"what cannot be told", "/v1/number", user, "uma", "deny forbid 4", "insufficient_permissions", "matchers of forbid 4 failed"},
		{"who says nothing", "/v1/models", "X-None: x", "", "deny require 1", "missing_credential", "anonymous: caller does not have any of the required roles"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n, refused := len(rehearsals(t)), len(refusals(t))
			a := stack.judged(t, passes, func() answer { return g.do(t, "GET", c.path, c.who) })
			stack.last(t).identity(t, c.principal)
			if got := a.Header.Get("X-Seen"); got != c.seen {
				t.Errorf("decision and rule are %q, want %q", got, c.seen)
			}
			lines := rehearsals(t)[n:]
			if c.code == "" {
				if len(lines) != 0 {
					t.Errorf("lines are %v", lines)
				}
				return
			}
			if len(lines) != 1 {
				t.Fatalf("%d lines in the log", len(lines))
			}
			_, rule, _ := strings.Cut(c.seen, " ")
			line := lines[0]
			if line.text("code") != c.code || !strings.HasPrefix(line.text("reason"), c.reason) || line.text("rule") != rule ||
				line.text("principal") != c.principal || line.text("level") != "info" || line.text("path") != c.path {
				t.Errorf("line is %v", line)
			}
			if len(refusals(t)) != refused {
				t.Error("the log says that it was refused")
			}
		})
	}
}

// Shadow is about rules. Who calls, and what a request is, is never rehearsed.
func TestInShadowEverythingElseIsEnforced(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, "stack_auth {\n"+trust(issuer, "", "tenant_claim org")+`
		shadow
		tenancy multi
		forbid
		identity_headers {
			max_size 1KiB
		}
		}
		`+proxy(stack))
	member := func(over map[string]any) string {
		claims := map[string]any{"org": "acme"}
		maps.Copy(claims, over)
		return bearer(issuer.Token("uma", claims))
	}
	good := member(nil)
	for _, c := range []struct {
		name, request string
		status        int
		code          string
	}{
		{"a good request", "GET /v1/x HTTP/1.1\n" + good + "\n\n", 200, ""},
		{"no credential", "GET /v1/x HTTP/1.1\n\n", 401, "missing_credential"},
		{"a bad one", "GET /v1/x HTTP/1.1\n" + good + "x\n\n", 401, "invalid_token"},
		{"an expired one", "GET /v1/x HTTP/1.1\n" + member(map[string]any{"exp": 1}) + "\n\n", 401, "expired_token"},
		{"two of them", "GET /v1/x HTTP/1.1\n" + good + "\n" + good + "\n\n", 400, "duplicate_credential"},
		{"without a tenant", "GET /v1/x HTTP/1.1\n" + bearer(issuer.Token("uma", nil)) + "\n\n", 403, "tenant_required"},
		{"an ambiguous path", "GET /v1/../x HTTP/1.1\n" + good + "\n\n", 400, "ambiguous_request"},
		{"an announced trailer", "POST /v1/x HTTP/1.1\n" + good + "\nTrailer: X-A\nTransfer-Encoding: chunked\n\n0\n\n", 400, "ambiguous_request"},
		{"an upgrade to something else", "GET /v1/x HTTP/1.1\n" + good + "\nConnection: Upgrade\nUpgrade: h2c\n\n", 400, "ambiguous_request"},
		{"another method", "TRACE /v1/x HTTP/1.1\n" + good + "\n\n", 405, "method_not_allowed"},
		{"early data", "POST /v1/x HTTP/1.1\n" + good + "\nEarly-Data: 1\nContent-Length: 0\n\n", 425, "too_early"},
		{"too many attributes", "GET /v1/x HTTP/1.1\n" + member(map[string]any{"roles": strings.Repeat("role-x ", 200) + strings.Repeat("r", 2000)}) + "\n\n", 403, "identity_too_large"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := stack.count()
			g.raw(t, c.request).is(t, c.status, c.code)
			if (stack.count() > before) != (c.status == 200) {
				t.Error("the stack got what was refused, or did not get what passed")
			}
		})
	}
}

func TestShadowIsOfItsOwnBlockAlone(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, seen+protect(issuer, `
		shadow
		permit /nothing {
			description outer
		}`)+`
		handle /enforced/* {
			stack_auth {
				permit {
					when user with admin in roles
					description inner
				}
			}
			`+proxy(stack)+`
		}
		handle /silent/* {
			stack_auth
			`+proxy(stack)+`
		}
		handle /rehearsed/* {
			stack_auth {
				shadow
				forbid {
					description "inner, in shadow too"
				}
			}
			`+proxy(stack)+`
		}
		handle {
			`+proxy(stack)+`
		}`)
	user, admin := as(issuer, "uma", "user"), as(issuer, "anna", "admin")
	for _, c := range []struct {
		name, path, who string
		want            verdict
		seen            string
	}{
		{"the outer one alone", "/x", user, passes, "deny"},
		{"an inner one enforces its own", "/enforced/x", user, forbidden, "deny"},
		{"what it allows, the outer one would have refused", "/enforced/x", admin, passes, "deny"},
		{"an inner one without rules", "/silent/x", user, passes, "deny"},
		{"both in shadow", "/rehearsed/x", user, passes, "deny inner, in shadow too"},
		{"nobody passes the outer one", "/enforced/x", "X-None: x", unknown, "deny"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := stack.judged(t, c.want, func() answer { return g.do(t, "GET", c.path, c.who) })
			if got := a.Header.Get("X-Seen"); got != c.seen {
				t.Errorf("decision and rule are %q, want %q", got, c.seen)
			}
		})
	}
	t.Run("the other way round", func(t *testing.T) {
		g := startGateway(t, seen+protect(issuer, "permit /v1/*\n")+"handle {\nstack_auth {\nshadow\nforbid\n}\n"+proxy(stack)+"}\n")
		stack.judged(t, forbidden, func() answer { return g.do(t, "GET", "/v2", admin) })
		a := stack.judged(t, passes, func() answer { return g.do(t, "GET", "/v1/x", admin) })
		if got := a.Header.Get("X-Seen"); got != "deny forbid 1" {
			t.Errorf("decision and rule are %q", got)
		}
	})
}

// A rehearsal may log a lot. That must not drown the line of a refusal.
func TestManyRehearsalsDoNotKeepARefusalOutOfTheLog(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "shadow\nforbid")+"handle /inner {\nstack_auth {\nrequire roles x\n}\n"+proxy(stack)+"}\nhandle {\n"+proxy(stack)+"}\n")
	token := as(issuer, "uma", "user")
	for range 200 {
		g.do(t, "GET", "/x", token).is(t, 200, "")
	}
	if n := len(rehearsals(t)); n < 50 || n >= 200 {
		t.Errorf("%d lines about 200 requests, want the first 50 and a few", n)
	}
	g.do(t, "GET", "/inner", token).is(t, 403, "insufficient_permissions")
	if lines := refusals(t); len(lines) != 1 || lines[0].text("rule") != "require 1" {
		t.Errorf("lines are %v", lines)
	}
}
