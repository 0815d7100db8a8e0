package stackauth_test

import (
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// Caddy's placeholder for the body reads it and puts it back: there is one for the
// stack, too, whoever reads it.
func TestABodyThatAPlaceholderHasReadReachesTheStack(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	anna := as(issuer, "anna", "user")
	for name, site := range map[string]string{
		"in a rule":      protect(issuer, "forbid {\nmatch {\nexpression `{http.request.body}.contains('big')`\n}\n}\npermit"),
		"behind a block": "@big expression `{http.request.body}.contains('big')`\nroute {\n" + protect(issuer) + "respond @big 403\n" + proxy(stack) + "}\n",
		"in two blocks":  protect(issuer) + "stack_auth {\nforbid {\nmatch {\nexpression `{http.request.body}.contains('big')`\n}\n}\npermit\n}\n",
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t, site+proxy(stack))
			a := g.raw(t, "POST /x HTTP/1.1\nContent-Length: 5\n"+anna+"\n\nsmall")
			if a.StatusCode != 200 || stack.last(t).body != "small" {
				t.Errorf("%d, and the stack has %q", a.StatusCode, stack.last(t).body)
			}
			stack.isUntouched(t, func() {
				if a := g.raw(t, "POST /x HTTP/1.1\nContent-Length: 3\n"+anna+"\n\nbig"); a.StatusCode != 403 {
					t.Errorf("%d", a.StatusCode)
				}
			})
		})
	}
}
