package stackauth_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	stackauth "github.com/caddy-stack-auth/caddy-stack-auth"
	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// direct is a handler without a Caddy around it, for tests of what no client
// can send, or of more requests than a network carries.
type direct struct {
	*stackauth.Handler
	next caddyhttp.HandlerFunc
}

// newDirect provisions the stack_auth block.
func newDirect(t testing.TB, block string) *direct {
	t.Helper()
	h := new(stackauth.Handler)
	if err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser(block)); err != nil {
		t.Fatal(err)
	}
	if h.LogLevels == nil { // there is no log but the terminal
		h.LogLevels = map[string]string{"all": "error"}
	}
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	if err := h.Provision(ctx); err != nil {
		t.Fatal(err)
	}
	if err := h.Validate(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Cleanup(); err != nil {
			t.Error(err)
		}
	})
	return &direct{Handler: h}
}

// prepared returns the request as Caddy's server hands it to handlers.
func prepared(r *http.Request, w http.ResponseWriter) *http.Request {
	return caddyhttp.PrepareRequest(r, caddy.NewReplacer(), w, nil)
}

// serve lets the handler decide on the request. It returns the answer, and the
// request that went on, nil if none did.
func (d *direct) serve(r *http.Request) (*httptest.ResponseRecorder, *http.Request, error) {
	var passed *http.Request
	w := httptest.NewRecorder()
	err := d.ServeHTTP(w, prepared(r, w), caddyhttp.HandlerFunc(func(w http.ResponseWriter, r *http.Request) error {
		passed = r
		if d.next != nil {
			return d.next(w, r)
		}
		return nil
	}))
	return w, passed, err
}

// offline is an issuer whose keys are in a local file, and the provider that
// trusts it.
func offline(t testing.TB) (*testissuer.Issuer, string) {
	t.Helper()
	issuer := testissuer.NewUnstarted("https://id.example")
	path := filepath.Join(t.TempDir(), "jwks.json")
	if err := os.WriteFile(path, issuer.JWKS(), 0o600); err != nil {
		t.Fatal(err)
	}
	return issuer, trust(issuer, "", "jwks {\nfile "+path+"\n}")
}
