package devissuer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const issuerURL = "http://127.0.0.1:9"

func newIssuer(t *testing.T) *Issuer {
	t.Helper()
	issuer, err := New(issuerURL, "api")
	if err != nil {
		t.Fatal(err)
	}
	return issuer
}

// ask sends a request to the issuer and reads the JSON of the answer.
func ask(t *testing.T, issuer *Issuer, method, path, form string, status int, into any) {
	t.Helper()
	req := httptest.NewRequestWithContext(t.Context(), method, issuerURL+path, strings.NewReader(form))
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	rec := httptest.NewRecorder()
	issuer.ServeHTTP(rec, req)
	if rec.Code != status {
		t.Fatalf("%s %s: got %d %s, want %d", method, path, rec.Code, rec.Body, status)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(rec.Body.Bytes(), into); err != nil {
		t.Fatal(err)
	}
}

// publishedKey reads the key that a verifier would find.
func publishedKey(t *testing.T, issuer *Issuer) (string, *ecdsa.PublicKey) {
	t.Helper()
	var discovery struct {
		Issuer string
		JWKS   string `json:"jwks_uri"`
	}
	ask(t, issuer, http.MethodGet, "/.well-known/openid-configuration", "", http.StatusOK, &discovery)
	if discovery.Issuer != issuerURL {
		t.Fatalf("issuer: got %q, want %q", discovery.Issuer, issuerURL)
	}
	var set struct {
		Keys []struct{ Kid, X, Y string }
	}
	ask(t, issuer, http.MethodGet, strings.TrimPrefix(discovery.JWKS, issuerURL), "", http.StatusOK, &set)
	if len(set.Keys) != 1 {
		t.Fatalf("keys: got %d, want 1", len(set.Keys))
	}
	point := []byte{4}
	for _, coordinate := range []string{set.Keys[0].X, set.Keys[0].Y} {
		raw, err := base64.RawURLEncoding.DecodeString(coordinate)
		if err != nil || len(raw) != 32 {
			t.Fatalf("coordinate %q: %v", coordinate, err)
		}
		point = append(point, raw...)
	}
	key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	if err != nil {
		t.Fatal(err)
	}
	return set.Keys[0].Kid, key
}

func TestATokenVerifiesAgainstThePublishedKey(t *testing.T) {
	issuer := newIssuer(t)
	kid, key := publishedKey(t, issuer)
	var grant struct {
		Token string `json:"access_token"`
		Type  string `json:"token_type"`
	}
	ask(t, issuer, http.MethodPost, "/token", "username=alice", http.StatusOK, &grant)

	claims := jwt.MapClaims{}
	_, err := jwt.ParseWithClaims(grant.Token, claims, func(token *jwt.Token) (any, error) {
		if token.Header["kid"] != kid {
			t.Errorf("kid: got %v, want %s", token.Header["kid"], kid)
		}
		return key, nil
	}, jwt.WithIssuer(issuerURL), jwt.WithAudience("api"), jwt.WithValidMethods([]string{"ES256"}), jwt.WithExpirationRequired())
	if err != nil {
		t.Fatal(err)
	}
	if claims["sub"] != "alice" || grant.Type != "Bearer" {
		t.Errorf("got a %s token for %v", grant.Type, claims["sub"])
	}
}

func TestNobodyUnknownGetsAToken(t *testing.T) {
	var answer struct{ Error string }
	ask(t, newIssuer(t), http.MethodPost, "/token", "username=mallory", http.StatusBadRequest, &answer)
	if answer.Error != "invalid_grant" {
		t.Errorf("error: got %q, want invalid_grant", answer.Error)
	}
}

func TestAReboundHostNameIsRefused(t *testing.T) {
	issuer := newIssuer(t)
	req := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://evil.example:9/token", strings.NewReader("username=alice"))
	rec := httptest.NewRecorder()
	issuer.ServeHTTP(rec, req)
	if rec.Code != http.StatusMisdirectedRequest {
		t.Errorf("got %d, want 421", rec.Code)
	}
}

func TestTokensOfTwoIssuersDoNotShareAKey(t *testing.T) {
	one, two := newIssuer(t), newIssuer(t)
	if one.kid == two.kid {
		t.Error("two issuers have the same key")
	}
	if _, err := one.Token(Users[0], time.Minute); err != nil {
		t.Error(err)
	}
}
