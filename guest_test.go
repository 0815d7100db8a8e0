package stackauth_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	stackauth "github.com/caddy-stack-auth/caddy-stack-auth"
	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers"
)

func init() {
	caddy.RegisterModule(new(oddProvider))
}

// oddProvider is a provider of somebody else's, which answers as its tokens
// say.
type oddProvider struct {
	providers.Common
	FailToLoad bool `json:"fail_to_load,omitempty"`

	cleaned int
}

func (*oddProvider) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  providers.Namespace + ".stack_auth_test",
		New: func() caddy.Module { return new(oddProvider) },
	}
}

func (p *oddProvider) Provision(ctx caddy.Context) error {
	if err := p.SetUp(ctx, providers.Defaults{Type: "stack_auth_test"}); err != nil {
		return err
	}
	if p.FailToLoad {
		return errors.New("this one fails")
	}
	return nil
}

func (p *oddProvider) Cleanup() error {
	p.cleaned++
	if p.cleaned > 1 {
		return errors.New("cleaned up twice")
	}
	return nil
}

func (p *oddProvider) Authenticate(r *http.Request, c providers.Credential) providers.Answer {
	user, _ := abac.NewUser("odd", "", abac.Attributes{})
	switch c.Token {
	case "yes":
		return &providers.Yes{User: user}
	case "no":
		return &providers.No{Reason: "it says so"}
	case "expired":
		return &providers.No{Reason: "it says so", Expired: true}
	case "cannot-tell":
		return &providers.CannotTell{Err: errors.New("dial tcp 10.0.0.1:443: refused")}
	case "later":
		return &providers.CannotTell{Err: errors.New("busy"), RetryAfter: 90500 * time.Millisecond}
	case "panic":
		panic("secret-of-the-panic")
	case "nil":
		return nil
	case "typed-nil":
		var yes *providers.Yes
		return yes
	case "nobody":
		return &providers.Yes{}
	case "deadline":
		<-r.Context().Done()
		return &providers.Yes{User: user}
	}
	return providers.NotMine{}
}

func (p *oddProvider) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	return p.UnmarshalBlock(d, func(*caddyfile.Dispenser) error {
		p.FailToLoad = true
		return nil
	})
}

// A provider may be anybody's: however it fails, nobody gets in.
func TestAProviderThatMisbehavesLetsNobodyIn(t *testing.T) {
	stack := newStack(t)
	g := startGateway(t, "stack_auth {\nprovider stack_auth_test\nallow_anonymous\n}\n"+proxy(stack))
	for _, c := range []struct {
		token      string
		status     int
		code       string
		retryAfter string
	}{
		{"yes", 200, "", ""},
		{"no", 401, "invalid_token", ""},
		{"expired", 401, "expired_token", ""},
		{"cannot-tell", 503, "auth_service_unavailable", "1"},
		{"later", 503, "auth_service_unavailable", "91"},
		{"panic", 503, "auth_service_unavailable", "1"},
		{"nil", 503, "auth_service_unavailable", "1"},
		{"typed-nil", 503, "auth_service_unavailable", "1"},
		{"nobody", 503, "auth_service_unavailable", "1"},
		{"something-else", 401, "invalid_token", ""},
	} {
		t.Run(c.token, func(t *testing.T) {
			before := stack.count()
			a := g.do(t, "GET", "/", bearer(c.token))
			a.is(t, c.status, c.code)
			if c.status == 200 {
				if got := stack.last(t); got.Header.Get("X-Auth-User-Id") != "odd" || got.Header.Get("X-Auth-Attributes") != "{}" {
					t.Errorf("headers are %v", got.Header)
				}
				return
			}
			if got := a.Header.Get("Retry-After"); got != c.retryAfter {
				t.Errorf("Retry-After is %q", got)
			}
			if stack.count() != before || strings.Contains(a.body, "10.0.0.1") || strings.Contains(a.body, "secret") {
				t.Errorf("stack reached %d times, body %s", stack.count()-before, a.body)
			}
		})
	}
	if strings.Contains(logs.text(), "secret-of-the-panic") {
		t.Error("what a panic says is in the logs")
	}
}

// security.md 235: a judge that was interrupted has not judged.
func TestADeadlineInTheMiddleDenies(t *testing.T) {
	d := newDirect(t, "stack_auth {\nprovider stack_auth_test\nallow_anonymous\n}")
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	r, _ := http.NewRequestWithContext(ctx, "GET", "/v1/x", nil)
	r.Header.Set("Authorization", "Bearer deadline")
	w, passed, err := d.serve(r)
	if err != nil || passed != nil || w.Code != 503 {
		t.Errorf("got %d, %v", w.Code, err)
	}
}

// Caddy cleans up also what was provisioned half-way.
func TestCleaningUpAfterEveryFailureIsHarmless(t *testing.T) {
	if err := new(stackauth.Handler).Cleanup(); err != nil {
		t.Errorf("of nothing: %v", err)
	}
	issuer := testissuer.New(t)
	good := strings.ReplaceAll(fmt.Sprintf(`{"type":"oauth2_token","name":"good","issuer":%q,"audience":["x"]}`, issuer.URL), "\n", "")
	for name, handler := range map[string]string{
		"log_levels":              `"log_levels":{"x":"y"}`,
		"check":                   `"realm":"a\n"`,
		"matcher":                 `"match":[{"path":["/x"]},{"path_regexp":{"pattern":"("}}]`,
		"the first provider":      `"providers":[{"type":"stack_auth_test","fail_to_load":true},` + good + `]`,
		"the second provider":     `"providers":[` + good + `,{"type":"stack_auth_test","fail_to_load":true}]`,
		"no provider":             `"providers":[` + good + `,{"type":"nosuch"}]`,
		"tenancy of the second":   `"providers":[{"type":"stack_auth_test"},` + good + `],"tenancy":{"mode":"multi"}`,
		"two of one prefix":       `"providers":[{"type":"stack_auth_test"},` + good + `]`,
		"validation":              `"public":["/x"]`,
		"an unknown key":          `"nonsense":1`,
		"a broken provider value": `"providers":[` + good + `,7]`,
	} {
		t.Run(name, func(t *testing.T) {
			err := validateRoutes(t, `[{"handle":[{"handler":"stack_auth",`+handler+`}]}]`)
			if err == nil {
				t.Fatal("accepted")
			}
			for _, harm := range []string{"cleaned up twice", "panic", "nil pointer", "cleanup"} {
				if strings.Contains(err.Error(), harm) {
					t.Errorf("cleaning up: %v", err)
				}
			}
		})
	}
	// None of them has let go of what it did not hold, nor kept what it did.
	stack := newStack(t)
	g := startGateway(t, protect(issuer)+proxy(stack))
	g.do(t, "GET", "/", bearer(issuer.Token("alice", nil))).is(t, 200, "")
	if n := issuer.Fetches(); n != 1 {
		t.Errorf("keys were fetched %d times", n)
	}
}
