//go:build integration

package integration

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"
)

// keycloak is an issuer with the realm of keycloak/realm-stack.json.
type keycloak struct {
	*part
	base   string
	issuer string
}

func newKeycloak(ctx context.Context, name string) (*keycloak, error) {
	p, port, err := newPart(ctx, "keycloak/keycloak.sh", "STACK_IDP", name, partsDir)
	if err != nil {
		return nil, err
	}
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	return &keycloak{part: p, base: base, issuer: base + "/realms/stack"}, nil
}

// second is the Keycloak for tests that change keys or stop the issuer.
var second *keycloak

func startSecondKeycloak() (*keycloak, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	k, err := newKeycloak(ctx, "keycloak-second")
	if err != nil {
		return nil, err
	}
	second = k
	return k, k.start(ctx)
}

// resume starts it again, with the keys that it had.
func (k *keycloak) resume(ctx context.Context) error {
	_, err := script(ctx, k.env, k.script, "resume")
	return err
}

// down stops it, until back is called or the test ends.
func (k *keycloak) down(t *testing.T) (back func()) {
	t.Helper()
	returned := false
	back = func() {
		if returned {
			return
		}
		returned = true
		// the test's own context is over when it is cleaned up
		if err := k.resume(context.WithoutCancel(t.Context())); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(back)
	if err := k.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	return back
}

func ownKeycloak(t *testing.T) *keycloak {
	t.Helper()
	k, err := secondIDP()
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// tokens is what Keycloak hands out for one login.
type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
	ID      string `json:"id_token"`
}

// issued has every token that a test ever got, for the check that none of
// them is in a log.
var issued struct {
	sync.Mutex
	tokens []string
}

// login gets a user's tokens through a client, with the password grant.
func (k *keycloak) login(t *testing.T, client, user string) tokens {
	t.Helper()
	got, err := k.grant(t.Context(), url.Values{
		"grant_type": {"password"}, "client_id": {client}, "scope": {"openid"},
		"username": {user}, "password": {user + "-test-only"},
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// service gets a service account's token: no password is hashed for it, so
// it is what tests take that want many.
func (k *keycloak) service(ctx context.Context) (string, error) {
	got, err := k.grant(ctx, url.Values{
		"grant_type": {"client_credentials"},
		"client_id":  {"stack-gateway"}, "client_secret": {"gateway-test-only"},
	})
	return got.Access, err
}

// logout ends the session that a login began, as the client that has it.
func (k *keycloak) logout(t *testing.T, client string, of tokens) {
	t.Helper()
	k.post(t, "logout", url.Values{"client_id": {client}, "refresh_token": {of.Refresh}})
}

// revoke takes back an access token, as the client that has it.
func (k *keycloak) revoke(t *testing.T, client string, of tokens) {
	t.Helper()
	k.post(t, "revoke", url.Values{"client_id": {client}, "token": {of.Access}, "token_type_hint": {"access_token"}})
}

// calls reports whether it calls a token active, asked as stack-gateway.
func (k *keycloak) calls(t *testing.T, token string) (active bool) {
	t.Helper()
	a := k.post(t, "token/introspect", url.Values{
		"token": {token}, "client_id": {"stack-gateway"}, "client_secret": {"gateway-test-only"},
	})
	var got struct{ Active bool }
	a.decode(t, &got)
	return got.Active
}

func (k *keycloak) post(t *testing.T, endpoint string, form url.Values) answer {
	t.Helper()
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	a, err := ask(t.Context(), client, http.MethodPost, k.issuer+"/protocol/openid-connect/"+endpoint, header, form.Encode())
	if err != nil {
		t.Fatal(err)
	}
	if a.status/100 != 2 {
		t.Fatalf("keycloak's %s: %d %s", endpoint, a.status, a.body)
	}
	return a
}

func (k *keycloak) grant(ctx context.Context, form url.Values) (tokens, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost,
		k.issuer+"/protocol/openid-connect/token", strings.NewReader(form.Encode()))
	if err != nil {
		return tokens{}, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	resp, err := client.Do(req)
	if err != nil {
		return tokens{}, err
	}
	defer resp.Body.Close()
	var got tokens
	if err := json.NewDecoder(resp.Body).Decode(&got); err != nil || got.Access == "" {
		return tokens{}, fmt.Errorf("keycloak gave no token to %s: %s, %w", form.Get("client_id"), resp.Status, err)
	}
	issued.Lock()
	defer issued.Unlock()
	for _, token := range []string{got.Access, got.Refresh, got.ID} {
		if token != "" {
			issued.tokens = append(issued.tokens, token)
		}
	}
	return got, nil
}

// keys runs keycloak/keys.sh.
func (k *keycloak) keys(t *testing.T, args ...string) string {
	t.Helper()
	out, err := script(t.Context(), []string{"STACK_IDP_BASE=" + k.base}, "keycloak/keys.sh", args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// signingKey finds the key that RS256 tokens are signed with now, among all
// that the realm has (keys for encryption and for its own cookies too).
func (k *keycloak) signingKey(t *testing.T) (kid, component string) {
	t.Helper()
	best := ""
	for line := range strings.Lines(k.keys(t, "list")) {
		f := strings.Split(strings.TrimSpace(line), "\t")
		if len(f) == 6 && f[1] == "RS256" && f[2] == "SIG" && f[3] == "ACTIVE" {
			// priorities of the tests have three digits, so text order is theirs
			if f[4] > best {
				kid, component, best = f[0], f[5], f[4]
			}
		}
	}
	if kid == "" {
		t.Fatal("keycloak has no active RS256 key")
	}
	return kid, component
}

// section decodes the header (0) or the claims (1) of a JWT, unverified.
func section(t *testing.T, token string, which int, into any) {
	t.Helper()
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		t.Fatal("that is not a JWT")
	}
	raw, err := base64.RawURLEncoding.DecodeString(parts[which])
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(raw, into); err != nil {
		t.Fatal(err)
	}
}

func kidOf(t *testing.T, token string) string {
	t.Helper()
	var header struct {
		Kid string `json:"kid"`
	}
	section(t, token, 0, &header)
	return header.Kid
}

func claimsOf(t *testing.T, token string) map[string]any {
	t.Helper()
	var claims map[string]any
	section(t, token, 1, &claims)
	return claims
}

func subject(t *testing.T, token string) string {
	t.Helper()
	sub, _ := claimsOf(t, token)["sub"].(string)
	return sub
}
