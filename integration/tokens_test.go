//go:build integration

package integration

import (
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestKindsOfTokensThatKeycloakIssues(t *testing.T) {
	// Keycloak makes its ES256 key when the first token asks for it; asked for
	// here, it is in the set that the gateway fetches first.
	es256 := idp.login(t, "es256-cli", "alice").Access
	g := startGateway(t, "ogx.Caddyfile", idp.issuer, echoStack(t))
	alice := idp.login(t, "stack-cli", "alice")
	tampered := alice.Access[:len(alice.Access)-8] + "AAAAAAAA"

	for _, tc := range []struct {
		name, token string
		code        string // empty: it is good
	}{
		{"an RS256 access token is good", alice.Access, ""},
		{"an ES256 access token is good", es256, ""},
		{"an access token of type at+jwt is good", idp.login(t, "at-jwt-cli", "alice").Access, ""},
		{"an access token whose aud is a plain string is good", idp.login(t, "only-audience", "alice").Access, ""},
		{"a lightweight access token names nobody", idp.login(t, "light-cli", "alice").Access, "invalid_token"},
		{"an access token for nobody in particular", idp.login(t, "no-audience", "alice").Access, "invalid_token"},
		{"a refresh token is not an access token", alice.Refresh, "invalid_token"},
		{"an ID token is not an access token", alice.ID, "invalid_token"},
		{"a tampered token", tampered, "invalid_token"},
		{"no JWT at all", "opaque-test-only", "invalid_token"},
		{"nothing", "", "missing_credential"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := g.do(t, request{path: "/v1/models", token: tc.token})
			if tc.code != "" {
				wantRefusal(t, a, http.StatusUnauthorized, tc.code, tc.token)
				return
			}
			wantStatus(t, a, http.StatusOK)
			got := a.seen(t)
			if want := subject(t, tc.token); !slices.Equal(got.Principal, []string{want}) {
				t.Errorf("the stack was told %q, want %q", got.Principal, want)
			}
			if len(got.Authorization) != 0 {
				t.Error("the credential went on to the stack")
			}
		})
	}
}

func TestClaimsOfKeycloakBecomeAttributes(t *testing.T) {
	g := startGateway(t, "ogx.Caddyfile", idp.issuer, echoStack(t))
	for _, tc := range []struct {
		user            string
		teams, projects []string
		admin           bool
	}{
		{"alice", []string{"/eng", "/ml-team"}, []string{"apollo", "gemini"}, true},
		{"bob", []string{"/data"}, []string{"gemini"}, false},
	} {
		t.Run(tc.user, func(t *testing.T) {
			got := g.do(t, request{path: "/v1/models", token: idp.login(t, "stack-cli", tc.user).Access}).seen(t)
			for name, want := range map[string][]string{"teams": tc.teams, "projects": tc.projects} {
				if values := slices.Sorted(slices.Values(got.Attributes[name])); !slices.Equal(values, want) {
					t.Errorf("%s are %q, want %q", name, values, want)
				}
			}
			roles := got.Attributes["roles"]
			if !slices.Contains(roles, "ml-user") || slices.Contains(roles, "admin") != tc.admin {
				t.Errorf("roles are %q", roles)
			}
		})
	}
}

func TestShortLivedTokenIsRefusedFromItsLastSecondOn(t *testing.T) {
	g := startGateway(t, "ogx.Caddyfile", idp.issuer, echoStack(t))
	token := idp.login(t, "short-lived", "alice").Access
	exp, ok := claimsOf(t, token)["exp"].(float64)
	if !ok {
		t.Fatal("the token has no exp")
	}
	end := time.Unix(int64(exp), 0)
	good := 0
	for {
		before := time.Now()
		a := g.do(t, request{path: "/v1/models", token: token})
		if a.status != http.StatusOK {
			if time.Now().Before(end) {
				t.Errorf("refused %v before it expires", time.Until(end))
			}
			wantRefusal(t, a, http.StatusUnauthorized, "expired_token", token)
			if challenge := a.header.Get("WWW-Authenticate"); !strings.Contains(challenge, `error="invalid_token"`) {
				t.Errorf("WWW-Authenticate is %q", challenge)
			}
			break
		}
		if !before.Before(end) {
			t.Fatalf("let through %v after it expired", before.Sub(end))
		}
		good++
		time.Sleep(20 * time.Millisecond) // polling, not waiting: the loop ends with exp
	}
	if good == 0 {
		t.Error("it was never good")
	}
}
