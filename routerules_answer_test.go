package stackauth_test

import (
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

func TestARefusalSaysWhyToTheLogAndNotToTheCaller(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, `
		require roles user admin
		forbid /v1/admin* {
			unless user with admin in roles
			description "the inner workings of project vulture"
		}
		permit /v1/chat* {
			methods POST
			when user with vulture in teams
		}
		permit /v1/chat* {
			unless user with user in roles
			description "whoever is no user"
		}
		permit /v1/chat* {
			match {
				header X-Purpose batch
			}
		}
		permit /v1/chat* {
			when user with fourth in teams
		}`)+proxy(stack))
	for _, c := range []struct {
		name, method, path, who, rule, reason string
	}{
		{"require", "GET", "/v1/chat", as(issuer, "otto"), "require 1", "caller does not have any of the required roles"},
		{
			"a forbid", "GET", "/v1/admin", as(issuer, "otto", "user"),
			"the inner workings of project vulture", "forbid 1 “the inner workings of project vulture” applies",
		},
		{
			"no rule, with those that came near", "POST", "/v1/chat", as(issuer, "otto", "user"), "",
			"no rule applies; permit 2: does not hold: when user with vulture in teams; " +
				"permit 3 “whoever is no user”: holds: unless user with user in roles; permit 4: matchers do not match; and more",
		},
		{"no rule near", "GET", "/v1/models", as(issuer, "otto", "user"), "", "no rule applies"},
	} {
		t.Run(c.name, func(t *testing.T) {
			n := len(refusals(t))
			a := stack.judged(t, forbidden, func() answer { return g.do(t, c.method, c.path, c.who) })
			lines := refusals(t)
			if len(lines) != n+1 {
				t.Fatalf("%d lines in the log, want one", len(lines)-n)
			}
			line := lines[n]
			if line.text("reason") != c.reason || line.text("rule") != c.rule || line.text("principal") != "otto" ||
				line.text("logger") != "http.handlers.stack_auth.policy" || line.text("code") != "insufficient_permissions" {
				t.Errorf("line is %v", line)
			}
			for name, values := range a.Header {
				if strings.Contains(strings.Join(values, " "), "vulture") || strings.Contains(a.body, "vulture") {
					t.Errorf("%s tells the caller of the rule", name)
				}
			}
		})
	}
}

func TestARefusalOverHEADHasTheSameHeaderAndNoBody(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "permit /v1/models")+proxy(stack))
	a := stack.judged(t, forbidden, func() answer { return g.do(t, "HEAD", "/v1/files", as(issuer, "otto")) })
	if a.body != "" || a.Header.Get("Cache-Control") != "no-store" || a.Header.Get("Content-Type") != "application/json" {
		t.Errorf("got %v %q", a.Header, a.body)
	}
}

// Section 8: the form of a request comes first, then who calls, then tenancy,
// then the rules.
func TestRulesComeAfterFormCredentialAndTenancy(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, "stack_auth {\n"+trust(issuer, "", "tenant_claim org")+`
		tenancy multi
		permit /v1/models
		}
		`+proxy(stack))
	stray, member := as(issuer, "otto"), bearer(issuer.Token("anna", map[string]any{"org": "acme"}))
	for _, c := range []struct {
		name, method, path, who string
		status                  int
		code                    string
	}{
		{"everything is wrong", "TRACE", "/v1//x", "Authorization: Bearer a.b.c", 405, "method_not_allowed"},
		{"path, token and rules", "GET", "/v1//x", "Authorization: Bearer a.b.c", 400, "ambiguous_request"},
		{"token and rules", "GET", "/v1/x", "Authorization: Bearer a.b.c", 401, "invalid_token"},
		{"tenant and rules", "GET", "/v1/x", stray, 403, "tenant_required"},
		{"the tenant alone", "GET", "/v1/models", stray, 403, "tenant_required"},
		{"the rules alone", "GET", "/v1/x", member, 403, "insufficient_permissions"},
		{"nothing", "GET", "/v1/models", member, 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := g.do(t, c.method, c.path, c.who)
			a.is(t, c.status, c.code)
			scope := strings.Contains(a.Header.Get("WWW-Authenticate"), "insufficient_scope")
			if scope != (c.code == "insufficient_permissions") {
				t.Errorf("challenge is %s", a.Header.Get("WWW-Authenticate"))
			}
		})
	}
}

func TestPublicPathsAndPreflightsSeeNoRules(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, `
		public /v1/health /docs*
		allow_preflight
		require roles admin
		forbid`)+proxy(stack))
	known := as(issuer, "otto")
	preflight := []string{"Origin: https://app.example", "Access-Control-Request-Method: DELETE"}
	for _, c := range []struct {
		name, method, path string
		headers            []string
		want               verdict
	}{
		{"public", "GET", "/v1/health", nil, passes},
		{"public, with a method that changes things", "DELETE", "/docs/x", nil, passes},
		{"public, with a credential that is not looked at", "GET", "/docs", []string{known}, passes},
		{"public in another case is not public", "GET", "/V1/health", nil, unknown},
		{"a preflight", "OPTIONS", "/v1/files", preflight, passes},
		{"a preflight with a credential", "OPTIONS", "/v1/files", append(preflight, known), passes},
		{"OPTIONS without an origin", "OPTIONS", "/v1/files", preflight[1:], unknown},
		{"OPTIONS without the method that is asked for", "OPTIONS", "/v1/files", preflight[:1], unknown},
		{"OPTIONS of a known caller", "OPTIONS", "/v1/files", []string{known}, forbidden},
		{"a GET that looks like a preflight", "GET", "/v1/files", append(preflight, known), forbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			stack.judged(t, c.want, func() answer { return g.do(t, c.method, c.path, c.headers...) })
			if c.want == passes {
				stack.last(t).identity(t, "")
			}
		})
	}
	t.Run("without allow_preflight it wants a credential, and the rules are asked", func(t *testing.T) {
		g := startGateway(t, protect(issuer, "permit {\nmethods GET\n}")+proxy(stack))
		stack.judged(t, unknown, func() answer { return g.do(t, "OPTIONS", "/v1/files", preflight...) })
		stack.judged(t, forbidden, func() answer { return g.do(t, "OPTIONS", "/v1/files", append(preflight, known)...) })
	})
}
