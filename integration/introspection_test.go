//go:build integration

package integration

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

// introspectsAs is what testdata/introspection.Caddyfile wants to know: as which
// client of the issuer the gateway asks, and what a test adds.
func introspectsAs(id, secret string, more ...string) []string {
	remember(secret) // the client's, and no more for a log than a token is
	return append([]string{"CLIENT_ID=" + id, "CLIENT_SECRET=" + secret}, more...)
}

func asStackGateway(more ...string) []string {
	return introspectsAs("stack-gateway", "gateway-test-only", more...)
}

func TestKeycloakIntrospectsForEachKindOfClient(t *testing.T) {
	alice := idp.login(t, "stack-cli", "alice").Access
	const (
		inBody = "INTROSPECTION_OPTIONS=send_secret_in_body"
		odd    = "p+a%41:w/rd =test-only"
	)
	byURL := "INTROSPECTION_OPTIONS=url " + idp.issuer + "/protocol/openid-connect/token/introspect"
	for _, tc := range []struct {
		name string
		env  []string
	}{
		{"by Basic, the endpoint discovered", asStackGateway()},
		{"by Basic, the endpoint named", asStackGateway(byURL)},
		{"in the body", introspectsAs("llama-stack", "llama-stack-test-only", inBody)},
		{"by Basic, with a secret of reserved characters", introspectsAs("odd-gateway", odd)},
		{"in the body, with a secret of reserved characters", introspectsAs("odd-gateway", odd, inBody)},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := guard(t, "introspection.Caddyfile", idp.issuer, tc.env...)
			attributes := g.serves(t, alice, subject(t, alice))
			if roles := attributes["roles"]; !slices.Contains(roles, "admin") || !slices.Contains(roles, "ml-user") {
				t.Errorf("roles are %q", roles)
			}
			delete(attributes, "roles") // and Keycloak's own
			wantAttributes(t, attributes, map[string][]string{
				"teams": {"/eng", "/ml-team"}, "projects": {"apollo", "gemini"},
			})
			g.refuses(t, alice[:len(alice)-8]+"AAAAAAAA", http.StatusUnauthorized, "invalid_token")
			g.refuses(t, "opaque-test-only", http.StatusUnauthorized, "invalid_token")
			g.refuses(t, "", http.StatusUnauthorized, "missing_credential")
		})
	}
	t.Run("a client that the token is not for hears that it is not active", func(t *testing.T) {
		g := guard(t, "introspection.Caddyfile", idp.issuer, introspectsAs("other-gateway", "other-test-only")...)
		g.refuses(t, alice, http.StatusUnauthorized, "invalid_token")
		g.wantLog(t, "introspection: token is not active")
	})
	for name, env := range map[string][]string{
		"a wrong secret":                introspectsAs("stack-gateway", "wrong-test-only"),
		"a wrong secret in the body":    introspectsAs("llama-stack", "wrong-test-only", inBody),
		"a client that is not there":    introspectsAs("stranger", "stranger-test-only"),
		"a public client, with a guess": introspectsAs("stack-cli", "guess-test-only"),
	} {
		// 401 would make every client throw a good token away
		t.Run(name+" is the gateway's fault, and not the caller's", func(t *testing.T) {
			g := guard(t, "introspection.Caddyfile", idp.issuer, env...)
			for range 7 { // more often than the breaker has patience
				g.refuses(t, alice, http.StatusServiceUnavailable, "auth_service_unavailable")
			}
			g.refuses(t, "opaque-test-only", http.StatusServiceUnavailable, "auth_service_unavailable")
			g.wantLog(t, "introspection endpoint refuses the gateway's client_id and client_secret")
		})
	}
}

func TestKeycloakIntrospectsEachKindOfToken(t *testing.T) {
	g := guard(t, "introspection.Caddyfile", idp.issuer, asStackGateway()...)
	alice := idp.login(t, "stack-cli", "alice")
	who := subject(t, alice.Access)
	service, err := idp.service(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ name, token, principal string }{
		{"an RS256 access token", alice.Access, who},
		{"an ES256 access token", idp.login(t, "es256-cli", "alice").Access, who},
		{"an access token of type at+jwt", idp.login(t, "at-jwt-cli", "alice").Access, who},
		{"a service account's token", service, subject(t, service)},
		{"a lightweight access token, which says less than its introspection", idp.login(t, "light-cli", "alice").Access, who},
		{"an access token for nobody in particular", idp.login(t, "no-audience", "alice").Access, ""},
		{"an access token that is not for the asking client", idp.login(t, "only-audience", "alice").Access, ""},
		{"a refresh token is not an access token", alice.Refresh, ""},
		{"an ID token is not an access token", alice.ID, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			if tc.principal == "" {
				g.refuses(t, tc.token, http.StatusUnauthorized, "invalid_token")
				return
			}
			g.serves(t, tc.token, tc.principal)
		})
	}
}

func TestWhatKeycloakTakesBackIsRefusedWhileTheGatewayIsInUse(t *testing.T) {
	const ttl = 2 * time.Second
	remembers := guard(t, "introspection.Caddyfile", idp.issuer, asStackGateway("CACHE_TTL="+ttl.String())...)
	asks := guard(t, "introspection.Caddyfile", idp.issuer, asStackGateway("CACHE_TTL=0")...)
	for _, tc := range []struct {
		name     string
		takeBack func(*testing.T, string, tokens)
	}{
		{"the session is logged out", idp.logout},
		{"the token is revoked", idp.revoke},
	} {
		t.Run(tc.name, func(t *testing.T) {
			gone := idp.login(t, "stack-cli", "alice")
			stays := idp.login(t, "stack-cli", "alice").Access // another session of hers
			who := subject(t, stays)
			for range 3 {
				for _, g := range []*guarded{remembers, asks} {
					g.serves(t, gone.Access, who)
					g.serves(t, stays, who)
				}
			}
			tc.takeBack(t, "stack-cli", gone)
			begin := time.Now()
			// the very next request, though others like it were answered a moment ago
			asks.refuses(t, gone.Access, http.StatusUnauthorized, "invalid_token")
			atOnce := time.Since(begin)
			took := atOnce + remembers.turnsAway(t, ttl+slack, gone.Access)
			t.Logf("refused after %v with cache_ttl 0 and %v with %v", atOnce.Round(time.Millisecond), took.Round(time.Millisecond), ttl)
			for _, g := range []*guarded{remembers, asks} {
				g.serves(t, stays, who)
			}
		})
	}
}

// Keycloak calls a token active until the second after its last is over.
func TestIntrospectedTokenIsRefusedFromItsLastSecondOn(t *testing.T) {
	for name, ttl := range map[string]string{
		"remembered for longer than it lives": "30s",
		"asked about each time":               "0",
	} {
		t.Run(name, func(t *testing.T) {
			g := guard(t, "introspection.Caddyfile", idp.issuer, asStackGateway("CACHE_TTL="+ttl)...)
			token := idp.login(t, "short-lived", "alice").Access
			exp, ok := claimsOf(t, token)["exp"].(float64)
			if !ok {
				t.Fatal("the token has no exp")
			}
			end := time.Unix(int64(exp), 0)
			who, good := subject(t, token), 0
			within(t, 10*time.Second, "the token is refused", func() bool {
				before := time.Now()
				a, calls := g.tries(t, token)
				if a.status == http.StatusOK {
					if !before.Before(end) {
						t.Fatalf("let through %v after it expired", before.Sub(end))
					}
					calls[0].check(t, token, who)
					good++
					return false
				}
				late := time.Since(end)
				if late < 0 {
					t.Errorf("refused %v before it expires", -late)
				}
				code := "expired_token"
				if late > time.Second/2 && !strings.Contains(a.body, code) {
					// on a busy machine Keycloak says by then that it is not active, and not why
					code = "invalid_token"
				}
				wantRefusal(t, a, http.StatusUnauthorized, code, token)
				t.Logf("refused %v after its exp; keycloak calls it active: %v", late.Round(time.Millisecond), idp.calls(t, token))
				return true
			})
			if good == 0 {
				t.Error("it was never good")
			}
		})
	}
}
