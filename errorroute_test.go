package stackauth_test

import (
	"testing"

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
