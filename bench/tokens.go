package main

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"
)

const (
	audience  = "bench"
	tokenSize = 1024 // bytes, whatever the algorithm: every site gets a request of the same size
)

// signer writes tokens with one key.
type signer struct {
	method jwt.SigningMethod
	key    crypto.Signer
	kid    string
	issuer string
}

// keyring is one key for each algorithm. They live as long as the run.
type keyring struct{ rsa, ecdsa, ed25519 *signer }

func newKeyring(issuer string) (*keyring, error) {
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return nil, fmt.Errorf("generating the RSA key: %w", err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating the EC key: %w", err)
	}
	_, edKey, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("generating the Ed25519 key: %w", err)
	}
	return &keyring{
		rsa:     &signer{jwt.SigningMethodRS256, rsaKey, "rsa", issuer},
		ecdsa:   &signer{jwt.SigningMethodES256, ecKey, "ec", issuer},
		ed25519: &signer{jwt.SigningMethodEdDSA, edKey, "ed", issuer},
	}, nil
}

// jwks is the key set as the issuer publishes it.
func (k *keyring) jwks() (map[string]any, error) {
	b64 := base64.RawURLEncoding.EncodeToString
	rsaKey := k.rsa.key.Public().(*rsa.PublicKey)
	point, err := k.ecdsa.key.Public().(*ecdsa.PublicKey).Bytes()
	if err != nil {
		return nil, fmt.Errorf("encoding the EC key: %w", err)
	}
	return map[string]any{"keys": []any{
		map[string]any{
			"kty": "RSA", "use": "sig", "alg": "RS256", "kid": k.rsa.kid,
			"n": b64(rsaKey.N.Bytes()), "e": b64(big.NewInt(int64(rsaKey.E)).Bytes()),
		},
		map[string]any{
			"kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256", "kid": k.ecdsa.kid,
			"x": b64(point[1:33]), "y": b64(point[33:]),
		},
		map[string]any{
			"kty": "OKP", "crv": "Ed25519", "use": "sig", "alg": "EdDSA", "kid": k.ed25519.kid,
			"x": b64(k.ed25519.key.Public().(ed25519.PublicKey)),
		},
	}}, nil
}

// token writes the numbered user's token, with the claims that a Keycloak
// would have and filled up to tokenSize.
func (s *signer) token(number int) (string, error) {
	now := time.Now()
	claims := jwt.MapClaims{
		"iss":          s.issuer,
		"aud":          []string{audience, "account"},
		"sub":          fmt.Sprintf("user-%08d", number),
		"iat":          now.Unix(),
		"exp":          now.Add(24 * time.Hour).Unix(),
		"azp":          "cli",
		"scope":        "openid profile",
		"realm_access": map[string]any{"roles": []string{"user", "developer", "offline_access"}},
		"groups":       []string{"ml-platform"},
		"session":      "",
	}
	token := jwt.NewWithClaims(s.method, claims)
	token.Header["kid"] = s.kid
	signed, err := token.SignedString(s.key)
	if err != nil {
		return "", fmt.Errorf("signing token %d: %w", number, err)
	}
	if missing := tokenSize - len(signed); missing > 0 {
		// Base64 makes four characters of three bytes.
		claims["session"] = strings.Repeat("x", missing*3/4)
		if signed, err = token.SignedString(s.key); err != nil {
			return "", fmt.Errorf("signing token %d: %w", number, err)
		}
	}
	return signed, nil
}

// tokens writes n of them, on all cores: RSA takes its time.
func (s *signer) tokens(n int) ([]string, error) {
	all := make([]string, n)
	errs := make([]error, runtime.NumCPU())
	var wg sync.WaitGroup
	for worker := range errs {
		wg.Go(func() {
			for i := worker; i < n; i += len(errs) {
				if all[i], errs[worker] = s.token(i); errs[worker] != nil {
					return
				}
			}
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

// spoil breaks the signature of each token, at a place that keeps its
// encoding valid: what is left to find out is that it does not verify.
func spoil(tokens []string) []string {
	spoiled := make([]string, len(tokens))
	for i, token := range tokens {
		at := len(token) - 100
		other := byte('A')
		if token[at] == other {
			other = 'B'
		}
		spoiled[i] = token[:at] + string(other) + token[at+1:]
	}
	return spoiled
}
