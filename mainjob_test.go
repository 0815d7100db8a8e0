package stackauth_test

import (
	"fmt"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

func TestTheMainJob(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, fmt.Sprintf(`
		stack_auth {
			provider oauth2_token {
				issuer %s
				audience %s
			}
			require roles user
		}
		reverse_proxy %s`, issuer.URL, testissuer.Audience, stack.URL))
	alice := issuer.Token("alice", map[string]any{"roles": []string{"user", "admin"}, "groups": []string{"red"}})
	bob := issuer.Token("bob", nil)

	t.Run("a good token passes, and the stack learns who calls", func(t *testing.T) {
		a := g.do(t, "GET", "/v1/models", bearer(alice))
		if a.StatusCode != 200 || a.body != "reached" {
			t.Fatalf("got %d %s", a.StatusCode, a.body)
		}
		h := stack.last(t).Header
		if got := h.Get("X-Auth-User-Id"); got != "alice" {
			t.Errorf("principal is %q", got)
		}
		if got := h.Get("X-Auth-Attributes"); got != `{"roles":["user","admin"],"teams":["red"]}` {
			t.Errorf("attributes are %s", got)
		}
		if got := h.Get("Authorization"); got != "" {
			t.Errorf("credential reached the stack: %d bytes", len(got))
		}
	})
	t.Run("no token is 401 with a challenge and without an error code", func(t *testing.T) {
		before := stack.count()
		a := g.do(t, "GET", "/v1/models")
		if a.StatusCode != 401 || a.errorCode(t) != "missing_credential" {
			t.Errorf("got %d %s", a.StatusCode, a.body)
		}
		if got := a.Header.Get("WWW-Authenticate"); got != `Bearer realm="stack"` {
			t.Errorf("WWW-Authenticate is %s", got)
		}
		if a.Header.Get("Cache-Control") != "no-store" || stack.count() != before {
			t.Errorf("Cache-Control %q, %d requests reached the stack", a.Header.Get("Cache-Control"), stack.count()-before)
		}
	})
	t.Run("a token without the role is 403", func(t *testing.T) {
		a := g.do(t, "GET", "/v1/models", bearer(bob))
		if a.StatusCode != 403 || a.errorCode(t) != "insufficient_permissions" {
			t.Errorf("got %d %s", a.StatusCode, a.body)
		}
	})
}
