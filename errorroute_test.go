package stackauth_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// An error route is a new chain. A block with providers in it finds out anew
// who calls, and its placeholders say what it found, not what was before.
func TestABlockInAnErrorRouteStartsAfresh(t *testing.T) {
	first, second, stack := testissuer.New(t), testissuer.New(t), newStack(t)
	g := startGateway(t, "stack_auth {\n"+trust(first, "first")+"realm outer\nerrors caddy\n}\n"+
		"error /failing \"on purpose\" 500\n"+
		"handle_errors {\nstack_auth {\n"+trust(second, "second", "principal_prefix second:")+"}\n"+
		"respond \"{http.auth.user.id} {http.stack_auth.provider}\" 200\n}\n"+proxy(stack))

	t.Run("with a credential that is good there", func(t *testing.T) {
		a := g.do(t, "GET", "/v1/models", bearer(second.Token("bob", nil)))
		if a.StatusCode != 200 || a.body != "second:bob second" {
			t.Errorf("got %d %s", a.StatusCode, a.body)
		}
	})
	t.Run("with the one that was good before the error", func(t *testing.T) {
		a := g.do(t, "GET", "/failing", bearer(first.Token("alice", nil)))
		a.is(t, 401, "invalid_token")
	})
	if stack.count() != 0 {
		t.Error("the stack was reached")
	}
}

// A block without a provider in an error route has nothing to enforce on: what
// was refused before the error must not pass after it.
func TestABlockWithoutAProviderInAnErrorRouteFindsNobody(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "require roles admin", "errors caddy")+
		"handle_errors {\nstack_auth {\nrequire roles user\n}\n"+proxy(stack)+"}\n"+proxy(stack))
	a := g.do(t, "GET", "/v1/models", bearer(issuer.Token("bob", map[string]any{"roles": "user"})))
	if a.StatusCode != 401 || stack.count() != 0 {
		t.Errorf("got %d %s, and %d requests at the stack", a.StatusCode, a.body, stack.count())
	}
}

// bob was refused. In the error route a block that is not for his request must
// not bring him back for the next one, whatever it takes off his request.
func TestWhoeverWasRefusedIsNobodyInTheErrorRoute(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	for name, route := range map[string]string{
		"a block that enforces": "stack_auth {\nrequire roles user\n}\n" + proxy(stack),
		"a matcher":             "@u stack_auth roles user\nreverse_proxy @u " + stack.URL + "\nrespond no 403\n",
		"a proxy of everything": proxy(stack),
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, protect(issuer, "require roles admin", "errors caddy")+
				"handle_errors {\n@never path /never\nroute {\nstack_auth @never {\n"+trust(issuer, "")+"strip_headers X-Internal-*\n}\n"+
				route+"}\n}\n"+proxy(stack))
			token := bearer(issuer.Token("bob", map[string]any{"roles": "user"}))
			for _, forged := range []string{"X-Kept: x", "X-Internal-A: x", "X-Auth-User-Id: admin"} {
				before := stack.count()
				g.do(t, "GET", "/v1/models", token, forged)
				if name == "a proxy of everything" {
					stack.last(t).identity(t, "")
				} else if stack.count() != before {
					t.Errorf("%s: bob reached the stack", forged)
				}
			}
		})
	}
}

// What was set for alice before an error is not what a proxy in front sent.
func TestAnIdentityThatWasSetIsNoSourceInTheErrorRoute(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	edge := "provider upstream_header {\nprincipal_header X-Auth-User-Id\nattributes_header X-Auth-Attributes\ntrusted_proxies 127.0.0.1\n}\n"
	g := startGateway(t, protect(issuer)+"error /failing \"on purpose\" 500\nhandle_errors {\n@never path /never\nstack_auth @never {\n"+
		edge+"}\nstack_auth {\n"+edge+"}\n"+proxy(stack)+"}\n"+proxy(stack))
	token := bearer(issuer.Token("alice", map[string]any{"roles": "admin"}))
	stack.isUntouched(t, func() { g.do(t, "GET", "/failing", token) })
	// What it did send is one: the proxy has not changed its mind by the error.
	g.do(t, "GET", "/failing", token, "X-Auth-User-Id: carol")
	stack.last(t).identity(t, "carol")
}

// The same where the first block of the route finds nobody itself.
func TestABlockThatEnforcesFirstInAnErrorRouteLosesNothing(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	token := bearer(issuer.Token("alice", map[string]any{"roles": "admin"}))
	begin := protect(issuer) + "error /failing \"on purpose\" 500\nhandle_errors {\n@never path /never\nroute {\nstack_auth @never {\nrequire roles admin\n}\n"
	for _, principal := range []string{"X-Auth-User-Id", "X-User"} {
		outer := protect(issuer, "identity_headers {\nprincipal "+principal+"\n}")
		edge := "stack_auth {\nprovider upstream_header {\nprincipal_header " + principal + "\ntrusted_proxies 127.0.0.1\n}\n}\n"
		g := startGateway(t, outer+begin[len(protect(issuer)):]+edge+proxy(stack)+"}\n}\n"+proxy(stack))
		stack.isUntouched(t, func() { g.do(t, "GET", "/failing", token) })
	}
	g := startGateway(t, begin+protect(issuer)+proxy(stack)+"}\n}\n"+proxy(stack))
	g.do(t, "GET", "/failing", token)
	stack.last(t).identity(t, "alice") // her credential is there for a block that asks again
}

// The errors of a subroute keep the context in which bob was refused.
func TestWhoeverWasRefusedIsNobodyInTheErrorsOfASubroute(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, "respond replaced")
	provider := fmt.Sprintf(`{"type":"oauth2_token","issuer":%q,"audience":[%q]}`, issuer.URL, testissuer.Audience)
	require := func(role string) string { return fmt.Sprintf(`[{"attribute":"roles","values":[%q]}]`, role) }
	proxied := fmt.Sprintf(`{"handler":"reverse_proxy","upstreams":[{"dial":%q}]}`, strings.TrimPrefix(stack.URL, "http://"))
	for name, routes := range map[string]string{
		"a block that enforces": `{"handle":[{"handler":"stack_auth","require":` + require("user") + `},` + proxied + `]}`,
		"a matcher":             `{"match":[{"stack_auth":{"require":` + require("user") + `}}],"handle":[` + proxied + `]}`,
	} {
		for _, outer := range []string{"", `{"handler":"stack_auth","providers":[` + provider + `]},`} {
			config := fmt.Sprintf(`{"admin":{"disabled":true},"apps":{"http":{"grace_period":1,"servers":{"s":{"listen":[%q],"automatic_https":{"disable":true},
				"routes":[{"handle":[%s{"handler":"subroute","routes":[{"handle":[{"handler":"stack_auth","errors":"caddy","providers":[%s],"require":%s}]}],
				"errors":{"routes":[%s]}}]}]}}}}}`, g.Address, outer, provider, require("admin"), routes)
			if err := caddy.Load([]byte(config), true); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			stack.isUntouched(t, func() {
				g.do(t, "GET", "/v1/models", bearer(issuer.Token("bob", map[string]any{"roles": "user"})))
			})
		}
	}
}
