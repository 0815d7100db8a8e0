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
