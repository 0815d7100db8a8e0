// Package devissuer is an OpenID Connect issuer for the demo: discovery, a
// key set and a token endpoint that asks for no password. Its key is made at
// start and lives in memory only, so its tokens are worthless anywhere else
// and after a restart. It is internal to cmd/demo, so that no other binary
// can link it.
package devissuer

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// User is somebody the issuer writes tokens for.
type User struct {
	Name  string
	Roles []string
	Teams []string
}

// Users are all that the issuer knows: alice may do everything in the demo,
// bob lacks the role admin.
var Users = []User{
	{Name: "alice", Roles: []string{"admin", "developer"}, Teams: []string{"ml-platform"}},
	{Name: "bob", Roles: []string{"user"}, Teams: []string{"data"}},
}

// tokenLifetime is that of tokens from the token endpoint.
const tokenLifetime = time.Hour

// Issuer writes and publishes. It is an http.Handler for the address that
// its URL names.
type Issuer struct {
	url      string
	host     string
	audience string
	key      *ecdsa.PrivateKey
	kid      string
	mux      *http.ServeMux
}

// New makes an issuer with a fresh key. issuerURL is what its tokens say in
// `iss` and where the caller serves it; audience is their `aud`.
func New(issuerURL, audience string) (*Issuer, error) {
	u, err := url.Parse(issuerURL)
	if err != nil {
		return nil, fmt.Errorf("parsing issuer URL: %w", err)
	}
	// ES256, because its tokens are short enough to be read in a terminal.
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating the signing key: %w", err)
	}
	point, err := key.PublicKey.Bytes()
	if err != nil {
		return nil, fmt.Errorf("encoding the public key: %w", err)
	}
	sum := sha256.Sum256(point)
	iss := &Issuer{
		url:      issuerURL,
		host:     u.Host,
		audience: audience,
		key:      key,
		kid:      base64.RawURLEncoding.EncodeToString(sum[:6]),
		mux:      http.NewServeMux(),
	}
	iss.mux.HandleFunc("GET /.well-known/openid-configuration", iss.discovery)
	iss.mux.HandleFunc("GET /jwks", iss.keys)
	iss.mux.HandleFunc("POST /token", iss.token)
	return iss, nil
}

// ServeHTTP answers for the issuer's own host name only: a web page that
// rebinds its name to loopback could otherwise read tokens out of the demo.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Host != i.host {
		http.Error(w, "unknown host", http.StatusMisdirectedRequest)
		return
	}
	i.mux.ServeHTTP(w, r)
}

// Token writes a token for the user, good for the given time.
func (i *Issuer) Token(user User, lifetime time.Duration) (string, error) {
	now := time.Now()
	token := jwt.NewWithClaims(jwt.SigningMethodES256, jwt.MapClaims{
		"iss":    i.url,
		"aud":    i.audience,
		"sub":    user.Name,
		"roles":  user.Roles,
		"groups": user.Teams,
		"iat":    now.Unix(),
		"exp":    now.Add(lifetime).Unix(),
	})
	token.Header["kid"] = i.kid
	signed, err := token.SignedString(i.key)
	if err != nil {
		return "", fmt.Errorf("signing a token for %s: %w", user.Name, err)
	}
	return signed, nil
}

func (i *Issuer) discovery(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]any{
		"issuer":                                i.url,
		"jwks_uri":                              i.url + "/jwks",
		"token_endpoint":                        i.url + "/token",
		"response_types_supported":              []string{"token"},
		"subject_types_supported":               []string{"public"},
		"id_token_signing_alg_values_supported": []string{"ES256"},
	})
}

func (i *Issuer) keys(w http.ResponseWriter, _ *http.Request) {
	// An uncompressed point: one byte that says so, then x and y.
	point, err := i.key.PublicKey.Bytes()
	if err != nil {
		http.Error(w, "encoding the key failed", http.StatusInternalServerError)
		return
	}
	b64 := base64.RawURLEncoding.EncodeToString
	writeJSON(w, http.StatusOK, map[string]any{
		"keys": []any{map[string]any{
			"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": i.kid,
			"x": b64(point[1:33]), "y": b64(point[33:]),
		}},
	})
}

// token answers `username=alice`. There is no password: whoever reaches
// loopback can be anybody here, and the key is good for nothing else.
func (i *Issuer) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 4<<10)
	name := r.PostFormValue("username")
	for _, user := range Users {
		if user.Name != name {
			continue
		}
		token, err := i.Token(user, tokenLifetime)
		if err != nil {
			http.Error(w, "signing failed", http.StatusInternalServerError)
			return
		}
		w.Header().Set("Cache-Control", "no-store")
		writeJSON(w, http.StatusOK, map[string]any{
			"access_token": token,
			"token_type":   "Bearer",
			"expires_in":   int(tokenLifetime.Seconds()),
		})
		return
	}
	writeJSON(w, http.StatusBadRequest, map[string]any{
		"error":             "invalid_grant",
		"error_description": "send username=alice or username=bob",
	})
}

func writeJSON(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v) // the caller went away: nobody to tell
}
