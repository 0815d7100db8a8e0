package providers

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// idp is the address of the issuer in memory.
const idp = "https://idp.example"

// newIssuer returns an issuer without a listener, for synctest bubbles.
func newIssuer() *testissuer.Issuer { return testissuer.NewUnstarted(idp) }

// tripper answers requests from memory.
type tripper struct{ http.Handler }

func (t tripper) RoundTrip(r *http.Request) (*http.Response, error) {
	if err := r.Context().Err(); err != nil {
		return nil, err
	}
	w := httptest.NewRecorder()
	t.ServeHTTP(w, r)
	return w.Result(), nil
}

// newContext returns a context to provision modules in. What was provisioned
// is cleaned up when the test, or its bubble, ends.
func newContext(t testing.TB, log *zap.Logger) caddy.Context {
	t.Helper()
	ctx, cancel := caddy.NewContext(caddy.Context{Context: context.Background()})
	t.Cleanup(cancel)
	return WithLogger(ctx, log)
}

// parse reads the lines of an oauth2_token block.
func parse(lines string) (*OAuth2Token, error) {
	o := new(OAuth2Token)
	return o, o.UnmarshalCaddyfile(caddyfile.NewTestDispenser("oauth2_token {\n" + lines + "\n}"))
}

// load takes the lines the whole way: Caddyfile, JSON, and the module as Caddy
// loads it.
func load(t testing.TB, ctx caddy.Context, lines string) (*OAuth2Token, error) {
	t.Helper()
	parsed, err := parse(lines)
	if err != nil {
		t.Fatalf("reading Caddyfile: %v", err)
	}
	config, err := json.Marshal(parsed)
	if err != nil {
		t.Fatal(err)
	}
	return loadJSON(ctx, string(config))
}

func loadJSON(ctx caddy.Context, config string) (*OAuth2Token, error) {
	v, err := ctx.LoadModuleByID(Namespace+".oauth2_token", json.RawMessage(config))
	if err != nil {
		return nil, err
	}
	return v.(*OAuth2Token), nil
}

// usual is a block that accepts the issuer's usual tokens.
const usual = "issuer " + idp + "\naudience " + testissuer.Audience + "\n"

// newProvider returns a provisioned provider that reaches the handler, and
// nothing else.
func newProvider(t testing.TB, h http.Handler, lines string) *OAuth2Token {
	t.Helper()
	o, err := load(t, newContext(t, zap.NewNop()), lines)
	if err != nil {
		t.Fatalf("provisioning: %v", err)
	}
	o.client.Transport = tripper{h}
	return o
}

// ask shows the token to the provider.
func (o *OAuth2Token) ask(t testing.TB, token string) Answer {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/v1/models", nil)
	return o.Authenticate(r, Credential{Token: token})
}

func wantYes(t testing.TB, a Answer, principal string) *Yes {
	t.Helper()
	yes, ok := a.(*Yes)
	if !ok {
		t.Fatalf("answer is %s, want yes", describe(a))
	}
	if yes.User.Principal != principal {
		t.Errorf("principal is %q, want %q", yes.User.Principal, principal)
	}
	return yes
}

func wantNo(t testing.TB, a Answer, reason string) {
	t.Helper()
	no, ok := a.(*No)
	if !ok {
		t.Fatalf("answer is %s, want no", describe(a))
	}
	if no.Reason != reason {
		t.Errorf("reason is %q, want %q", no.Reason, reason)
	}
	if want := reason == reasonExpired; no.Expired != want {
		t.Errorf("expired is %t, want %t", no.Expired, want)
	}
}

func wantNotMine(t testing.TB, a Answer) {
	t.Helper()
	if _, ok := a.(NotMine); !ok {
		t.Fatalf("answer is %s, want not mine", describe(a))
	}
}

func wantCannotTell(t testing.TB, a Answer) {
	t.Helper()
	if cannot, ok := a.(*CannotTell); !ok || cannot.Err == nil {
		t.Fatalf("answer is %s, want cannot tell", describe(a))
	}
}

func describe(a Answer) string {
	switch a := a.(type) {
	case *Yes:
		return "yes: " + a.User.Principal
	case *No:
		return "no: " + a.Reason
	case *CannotTell:
		return "cannot tell: " + a.Err.Error()
	case NotMine:
		return "not mine"
	}
	return "nothing"
}
