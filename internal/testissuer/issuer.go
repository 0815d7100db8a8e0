// Package testissuer is an OpenID Connect issuer for tests: discovery, a key
// set that rotates and breaks on command, and tokens of every kind, good and
// bad. Its keys are made when they are first asked for and live in memory.
package testissuer

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

// Audience is what tokens are for unless their claims say otherwise.
const Audience = "stack-test"

// Key is a signing key with what its JWK says.
type Key struct {
	ID        string
	Algorithm string
	Private   crypto.Signer
	// JWK is what the key set has of it; tests may change it before Publish.
	JWK map[string]any
}

// Issuer is an issuer on a loopback address.
type Issuer struct {
	URL string

	mu      sync.Mutex
	keys    []*Key
	extra   []any // elements of the key set that are not of keys
	signer  *Key
	answer  http.HandlerFunc // instead of the key set
	fetches int
	tokens  []string // Authorization of each fetch
}

// New starts an issuer with one RS256 key, "key-1".
func New(t testing.TB) *Issuer {
	t.Helper()
	i := NewUnstarted("")
	server := httptest.NewServer(i)
	t.Cleanup(server.Close)
	i.URL = server.URL
	return i
}

// NewUnstarted returns an issuer that is only an http.Handler, for tests that
// bring a listener, or none, of their own.
func NewUnstarted(url string) *Issuer {
	i := &Issuer{URL: url}
	i.Publish(NewKey("key-1", "RS256"))
	return i
}

// Publish adds the keys to the set and signs with the last of them.
func (i *Issuer) Publish(keys ...*Key) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.keys = append(i.keys, keys...)
	i.signer = keys[len(keys)-1]
}

// PublishRaw adds an element to the key set as it is.
func (i *Issuer) PublishRaw(element any) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.extra = append(i.extra, element)
}

// Retire takes the key with the given id out of the set.
func (i *Issuer) Retire(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	kept := i.keys[:0:0]
	for _, k := range i.keys {
		if k.ID != id {
			kept = append(kept, k)
		}
	}
	i.keys = kept
}

// Break lets the key endpoint answer with f; nil heals it.
func (i *Issuer) Break(f http.HandlerFunc) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.answer = f
}

// Fetches returns how often the key set was asked for.
func (i *Issuer) Fetches() int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fetches
}

// Authorizations returns the Authorization header of each fetch of the key set.
func (i *Issuer) Authorizations() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]string(nil), i.tokens...)
}

// ServeHTTP implements http.Handler.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/.well-known/openid-configuration":
		reply(w, map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/jwks"})
	case "/jwks":
		i.mu.Lock()
		i.fetches++
		i.tokens = append(i.tokens, r.Header.Get("Authorization"))
		answer, document := i.answer, i.document()
		i.mu.Unlock()
		if answer != nil {
			answer(w, r)
			return
		}
		reply(w, document)
	default:
		http.NotFound(w, r)
	}
}

// JWKS returns the key set document.
func (i *Issuer) JWKS() []byte {
	i.mu.Lock()
	defer i.mu.Unlock()
	b, err := json.Marshal(i.document())
	if err != nil {
		panic(err)
	}
	return b
}

func (i *Issuer) document() map[string]any {
	list := []any{}
	for _, k := range i.keys {
		list = append(list, k.JWK)
	}
	return map[string]any{"keys": append(list, i.extra...)}
}

func reply(w http.ResponseWriter, v any) {
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(v); err != nil {
		panic(err)
	}
}

// Claims returns the claims of a good token for the subject, with the given
// ones laid over them; a nil value takes a claim away.
func (i *Issuer) Claims(subject string, over map[string]any) map[string]any {
	now := time.Now()
	claims := map[string]any{
		"iss": i.URL, "aud": Audience, "sub": subject,
		"iat": now.Unix(), "exp": now.Add(time.Hour).Unix(),
	}
	maps.Copy(claims, over)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	return claims
}

// Token returns a token for the subject, signed with the current key.
func (i *Issuer) Token(subject string, over map[string]any) string {
	i.mu.Lock()
	signer := i.signer
	i.mu.Unlock()
	return signer.Sign(i.Claims(subject, over), nil)
}

// Sign returns a token with the claims; header members are laid over the usual
// ones, and a nil value takes one away.
func (k *Key) Sign(claims map[string]any, header map[string]any) string {
	h := map[string]any{"alg": k.Algorithm, "typ": "JWT", "kid": k.ID}
	maps.Copy(h, header)
	maps.DeleteFunc(h, func(_ string, v any) bool { return v == nil })
	return k.SignRaw(mustJSON(h), mustJSON(claims))
}

// SignRaw returns a token with exactly these bytes in header and payload.
func (k *Key) SignRaw(header, payload []byte) string {
	signed := encode(header) + "." + encode(payload)
	signature, err := jwt.GetSigningMethod(k.Algorithm).Sign(signed, k.Private)
	if err != nil {
		panic(fmt.Sprintf("signing test token: %v", err))
	}
	return signed + "." + encode(signature)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// made keeps one key of each algorithm and id for the whole test binary: an
// RSA key takes a tenth of a second to make.
var made sync.Map

// NewKey returns a key for the algorithm, the same for the same id.
func NewKey(id, algorithm string) *Key {
	v, there := made.Load(id + " " + algorithm)
	if !there {
		v, _ = made.LoadOrStore(id+" "+algorithm, generate(algorithm))
	}
	private := v.(crypto.Signer)
	k := &Key{ID: id, Algorithm: algorithm, Private: private, JWK: PublicJWK(private.Public())}
	k.JWK["kid"], k.JWK["alg"], k.JWK["use"] = id, algorithm, "sig"
	return k
}

func generate(algorithm string) crypto.Signer {
	var private crypto.Signer
	var err error
	switch algorithm {
	case "ES256":
		private, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	case "ES384":
		private, err = ecdsa.GenerateKey(elliptic.P384(), rand.Reader)
	case "ES512":
		private, err = ecdsa.GenerateKey(elliptic.P521(), rand.Reader)
	case "EdDSA":
		_, private, err = ed25519.GenerateKey(rand.Reader)
	default:
		private, err = rsa.GenerateKey(rand.Reader, 2048)
	}
	if err != nil {
		panic(err)
	}
	return private
}

// PublicJWK returns the public key as a JWK without metadata.
func PublicJWK(public crypto.PublicKey) map[string]any {
	switch k := public.(type) {
	case *rsa.PublicKey:
		return map[string]any{"kty": "RSA", "n": encode(k.N.Bytes()), "e": encode(big.NewInt(int64(k.E)).Bytes())}
	case *ecdsa.PublicKey:
		size := (k.Curve.Params().BitSize + 7) / 8
		point, err := k.Bytes()
		if err != nil {
			panic(err)
		}
		return map[string]any{
			"kty": "EC", "crv": k.Curve.Params().Name,
			"x": encode(point[1 : 1+size]), "y": encode(point[1+size:]),
		}
	case ed25519.PublicKey:
		return map[string]any{"kty": "OKP", "crv": "Ed25519", "x": encode(k)}
	}
	panic(fmt.Sprintf("no JWK for %T", public))
}
