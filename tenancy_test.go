package stackauth_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

const tenantTo = "identity_headers {\ntenant X-Tenant-Id\n}\n"

func TestTenancySingleIsEverybodysTenant(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "tenancy single Acme", tenantTo)+proxy(stack))
	g.do(t, "GET", "/", bearer(issuer.Token("alice", map[string]any{"tenant": "other"})), "X-Tenant-Id: victim").is(t, 200, "")
	if got := stack.last(t).Header["X-Tenant-Id"]; len(got) != 1 || got[0] != "acme" {
		t.Errorf("tenant is %q", got)
	}
}

func TestTenancyMultiWantsATenantOfEverybody(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, "stack_auth {\n"+trust(issuer, "", "tenant_claim org.id")+"tenancy multi\nallow_anonymous\n"+tenantTo+"}\n"+proxy(stack))
	for _, c := range []struct {
		name   string
		claims map[string]any
		status int
		code   string
		tenant string
	}{
		{"with one", map[string]any{"org": map[string]any{"id": "acme"}}, 200, "", "acme"},
		{"in its canonical form", map[string]any{"org": map[string]any{"id": " ACME-1_x "}}, 200, "", "acme-1_x"},
		{"without", nil, 403, "tenant_required", ""},
		{"null", map[string]any{"org": map[string]any{"id": nil}}, 403, "tenant_required", ""},
		{"empty", map[string]any{"org": map[string]any{"id": ""}}, 401, "invalid_token", ""},
		{"blank", map[string]any{"org": map[string]any{"id": "  "}}, 401, "invalid_token", ""},
		{"not a string", map[string]any{"org": map[string]any{"id": 7}}, 401, "invalid_token", ""},
		{"two", map[string]any{"org": map[string]any{"id": []string{"a", "b"}}}, 401, "invalid_token", ""},
		{"no tenant at all", map[string]any{"org": map[string]any{"id": "a b"}}, 401, "invalid_token", ""},
		{"a dash in front", map[string]any{"org": map[string]any{"id": "-a"}}, 401, "invalid_token", ""},
		{"letters beyond ASCII", map[string]any{"org": map[string]any{"id": "ünï"}}, 401, "invalid_token", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := stack.count()
			g.do(t, "GET", "/", bearer(issuer.Token("alice", c.claims)), "X-Tenant-Id: victim").is(t, c.status, c.code)
			if c.status != 200 {
				if stack.count() != before {
					t.Error("the stack was reached")
				}
				return
			}
			if got := stack.last(t).Header["X-Tenant-Id"]; len(got) != 1 || got[0] != c.tenant {
				t.Errorf("tenant is %q", got)
			}
		})
	}
	t.Run("anonymous has none, and is told to say who it is", func(t *testing.T) {
		stack.isUntouched(t, func() { g.do(t, "GET", "/", "X-Tenant-Id: victim").is(t, 401, "missing_credential") })
	})
}

func TestWithoutTenancyATenantIsPassedOnWhereThereIsOne(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, "stack_auth {\n"+trust(issuer, "", "tenant_claim org")+tenantTo+"}\n"+proxy(stack))
	for org, want := range map[any]string{"acme": "acme", nil: ""} {
		g.do(t, "GET", "/", bearer(issuer.Token("alice", map[string]any{"org": org})), "X-Tenant-Id: victim").is(t, 200, "")
		if got := stack.last(t).Header.Get("X-Tenant-Id"); got != want {
			t.Errorf("tenant is %q, want %q", got, want)
		}
	}
}

func TestAnonymousIsNobodyAndABadCredentialIsNotAnonymous(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	site := protect(issuer, "allow_anonymous") + proxy(stack)
	g := startGateway(t, site)
	g.do(t, "GET", "/", "X-Auth-User-Id: admin").is(t, 200, "")
	stack.last(t).identity(t, "")
	g.do(t, "GET", "/", "Authorization: Basic eDp5").is(t, 200, "")
	stack.last(t).identity(t, "")
	stack.last(t).isWithout(t, "eDp5")
	stack.isUntouched(t, func() {
		g.do(t, "GET", "/", bearer("a.b.c")).is(t, 401, "invalid_token")
		g.do(t, "GET", "/", bearer(issuer.Token("alice", map[string]any{"exp": 1000}))).is(t, 401, "expired_token")
		g.do(t, "GET", "/", "Authorization: Bearer").is(t, 400, "ambiguous_request")
		g.do(t, "GET", "/", bearer("a"), bearer("b")).is(t, 400, "duplicate_credential")
	})
	t.Run("require says who are you", func(t *testing.T) {
		g := startGateway(t, protect(issuer, "allow_anonymous", "require roles user")+proxy(stack))
		stack.isUntouched(t, func() { g.do(t, "GET", "/").is(t, 401, "missing_credential") })
	})
}

func TestRequireIsANDAcrossLinesAndORWithinOne(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "require roles admin operator", "require teams ml")+proxy(stack))
	for _, c := range []struct {
		roles, teams any
		status       int
	}{
		{"admin", "ml", 200},
		{"operator", []string{"red", "ml"}, 200},
		{[]string{"admin", "operator"}, "ml", 200},
		{"admin", "red", 403},
		{"user", "ml", 403},
		{nil, "ml", 403},
		{"Admin", "ml", 403},
		{"admin,operator", "ml", 403},
		{[]string{"admin operator"}, "ml", 403}, // one value of a list
		{"x admin", "ml", 200},                  // two values of a string
		{[]string{}, "ml", 403},
	} {
		a := g.do(t, "GET", "/", bearer(issuer.Token("alice", map[string]any{"roles": c.roles, "groups": c.teams})))
		if a.StatusCode != c.status {
			t.Errorf("roles %v, teams %v: got %d", c.roles, c.teams, a.StatusCode)
		}
	}
}

func TestTwoIssuersInOneBlock(t *testing.T) {
	staff, robots, stranger, stack := testissuer.New(t), testissuer.New(t), testissuer.New(t), newStack(t)
	site := func(first, second, options string) string {
		return "stack_auth {\n" + trust(staff, "staff", first) + trust(robots, "robots", second) + options + "\n}\n" + proxy(stack)
	}
	t.Run("are told apart by the token's issuer and by prefix", func(t *testing.T) {
		g := startGateway(t, site("", "principal_prefix robot:", ""))
		g.do(t, "GET", "/", bearer(staff.Token("alice", nil))).is(t, 200, "")
		stack.last(t).identity(t, "alice")
		g.do(t, "GET", "/", bearer(robots.Token("alice", nil))).is(t, 200, "")
		stack.last(t).identity(t, "robot:alice")
		stack.isUntouched(t, func() {
			g.do(t, "GET", "/", bearer(stranger.Token("alice", nil))).is(t, 401, "invalid_token")
			// Signed by one and claiming to be of the other.
			g.do(t, "GET", "/", bearer(testissuer.NewKey("key-9", "RS256").Sign(staff.Claims("alice", nil), nil))).is(t, 401, "invalid_token")
			// Somebody of the first who calls himself as the others are called.
			g.do(t, "GET", "/", bearer(staff.Token("robot:alice", nil))).is(t, 401, "invalid_token")
		})
		if stranger.Fetches() != 0 {
			t.Error("a stranger's issuer was asked")
		}
	})
	t.Run("may share principals if they say so", func(t *testing.T) {
		g := startGateway(t, site("", "", "shared_principals"))
		for _, issuer := range []*testissuer.Issuer{staff, robots} {
			g.do(t, "GET", "/", bearer(issuer.Token("alice", nil))).is(t, 200, "")
			stack.last(t).identity(t, "alice")
		}
	})
}

// A file of keys may name tenants or not: tenancy single goes with it, and with
// a key that is told a tenant it does not.
func TestTenancySingleGoesWithAFileOfKeys(t *testing.T) {
	stack := newStack(t)
	file := filepath.Join(t.TempDir(), "keys.json")
	const key = "example-key-not-a-secret-alice"
	entry := fmt.Sprintf(`[{"hash":"sha256:%x","principal":"alice","tenant":"other"}]`, sha256.Sum256([]byte(key)))
	if err := os.WriteFile(file, []byte(entry), 0o600); err != nil {
		t.Fatal(err)
	}
	site := "stack_auth {\nprovider api_key {\nfile " + file + "\n%s}\ntenancy single acme\nidentity_headers {\ntenant X-Tenant-Id\n}\n}\n" + proxy(stack)
	g := startGateway(t, fmt.Sprintf(site, ""))
	g.do(t, "GET", "/v1/models", bearer(key)).is(t, 200, "")
	if got := stack.last(t).Header.Get("X-Tenant-Id"); got != "acme" {
		t.Errorf("tenant is %q", got)
	}
	other := fmt.Sprintf("key sha256:%x bob {\ntenant red\n}\n", sha256.Sum256([]byte("example-key-not-a-secret-bob")))
	if err := tryLoad(t, g.config("", fmt.Sprintf(site, other))); err == nil || !strings.Contains(err.Error(), "tenancy single") {
		t.Errorf("error is %v", err)
	}
}
