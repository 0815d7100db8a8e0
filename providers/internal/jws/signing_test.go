package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"errors"
	"strings"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"
)

// pair is a signing key with the key that verifies what it signs.
type pair struct {
	private any
	public  crypto.PublicKey
}

var (
	rsaPair  = sync.OnceValue(func() pair { return newRSA(2048) })
	p256Pair = sync.OnceValue(func() pair { return newECDSA(elliptic.P256()) })
	p384Pair = sync.OnceValue(func() pair { return newECDSA(elliptic.P384()) })
	p521Pair = sync.OnceValue(func() pair { return newECDSA(elliptic.P521()) })
	edPair   = sync.OnceValue(func() pair {
		public, private, err := ed25519.GenerateKey(rand.Reader)
		if err != nil {
			panic(err)
		}
		return pair{private, public}
	})
	secret = []byte(strings.Repeat("0123456789abcdef", 4)) // as long as the longest hash
)

func newRSA(bits int) pair {
	private, err := rsa.GenerateKey(rand.Reader, bits)
	if err != nil {
		panic(err)
	}
	return pair{private, &private.PublicKey}
}

func newECDSA(curve elliptic.Curve) pair {
	private, err := ecdsa.GenerateKey(curve, rand.Reader)
	if err != nil {
		panic(err)
	}
	return pair{private, &private.PublicKey}
}

// pairOf returns a pair that fits the algorithm.
func pairOf(algorithm string) pair {
	switch algorithm {
	case "ES256":
		return p256Pair()
	case "ES384":
		return p384Pair()
	case "ES512":
		return p521Pair()
	case "EdDSA":
		return edPair()
	case "HS256", "HS384", "HS512":
		return pair{secret, secret}
	}
	return rsaPair()
}

func encode[T ~string | ~[]byte](b T) string { return base64.RawURLEncoding.EncodeToString([]byte(b)) }

// signWith returns a token with exactly this header and payload, signed with
// golang-jwt's method of the given name, whatever the header says.
func signWith(t testing.TB, algorithm string, key any, header, payload string) string {
	t.Helper()
	signed := encode(header) + "." + encode(payload)
	signature, err := jwt.GetSigningMethod(algorithm).Sign(signed, key)
	if err != nil {
		t.Fatalf("signing: %v", err)
	}
	return signed + "." + encode(signature)
}

// withSignature replaces the signature of a token.
func withSignature(token string, signature []byte) string {
	return token[:strings.LastIndexByte(token, '.')+1] + encode(signature)
}

// check parses and verifies, which is all that a gateway does with a token
// before it believes what it says.
func check(token string, key crypto.PublicKey) ([]byte, error) {
	parsed, err := Parse(token)
	if err != nil {
		return nil, err
	}
	return parsed.Verify(key)
}

func wantAccepted(t *testing.T, token string, key crypto.PublicKey, payload string) {
	t.Helper()
	if got, err := check(token, key); err != nil || string(got) != payload {
		t.Errorf("payload %q, error %v; want it accepted with %q", got, err, payload)
	}
}

// wantRefused demands the stage as well: a token that is refused for another
// fault than the one it was given proves nothing.
func wantRefused(t *testing.T, token string, key crypto.PublicKey, stage Stage, reason string) {
	t.Helper()
	payload, err := check(token, key)
	var refused *Error
	if !errors.As(err, &refused) || payload != nil {
		t.Fatalf("payload %q, error %v; want it refused", payload, err)
	}
	if refused.Stage != stage || refused.Reason != reason {
		t.Errorf("refused at stage %d with %q, want stage %d with %q", refused.Stage, refused.Reason, stage, reason)
	}
}

const (
	payload         = `{"sub":"alice"}`
	rs256           = `{"alg":"RS256","kid":"k","typ":"JWT"}`
	badSignature    = "signature does not verify"
	keyDoesNotFit   = "key does not fit the algorithm"
	threeParts      = "token does not have three parts"
	emptyPart       = "token has an empty part"
	headerAlphabet  = "header is not base64url"
	payloadAlphabet = "payload is not base64url"
	sigAlphabet     = "signature is not base64url"
)
