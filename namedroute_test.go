package stackauth_test

import (
	"net/http"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// Caddy keeps of a named route that comes to one route without a matcher the
// first handler alone: a stack_auth behind another directive was gone, and what
// came after invoke was open to everybody.
func TestNamedRoutesKeepTheirStackAuth(t *testing.T) {
	issuer := testissuer.New(t)
	stack := newStack(t)
	for name, route := range map[string]string{
		"behind another directive": "vars a b\n" + protect(issuer, "require roles admin"),
		"beside an inner one":      protect(issuer) + "stack_auth {\nrequire roles admin\n}",
		"with the stack":           "vars a b\n" + protect(issuer, "require roles admin") + proxy(stack),
		"alone":                    protect(issuer, "require roles admin"),
		"in a route of its own":    "route {\nvars a b\n" + protect(issuer, "require roles admin") + "}",
	} {
		t.Run(name, func(t *testing.T) {
			g := &gateway{Address: freeAddress(t)}
			g.URL = "http://" + g.Address
			logs.reset()
			load(t, g.config("", "invoke guard\n"+proxy(stack))+"&(guard) {\n"+route+"\n}\n")
			t.Cleanup(func() {
				http.DefaultTransport.(*http.Transport).CloseIdleConnections()
				if err := caddy.Stop(); err != nil {
					t.Error(err)
				}
			})
			stack.isUntouched(t, func() {
				g.do(t, "GET", "/v1/models").is(t, 401, "missing_credential")
				g.do(t, "GET", "/v1/models", bearer(issuer.Token("uma", map[string]any{"roles": "user"}))).is(t, 403, "insufficient_permissions")
			})
			g.do(t, "GET", "/v1/models", bearer(issuer.Token("anna", map[string]any{"roles": "admin"}))).is(t, 200, "")
		})
	}
}
