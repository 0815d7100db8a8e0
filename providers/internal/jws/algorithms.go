package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"fmt"
	"math"
	"slices"

	"github.com/golang-jwt/jwt/v5"
)

// minRSABits is the smallest RSA modulus that RFC 7518, section 3.3, allows;
// maxRSABits bounds what one check may cost.
const (
	minRSABits = 2048
	maxRSABits = 8192
)

// algorithm is one JWS algorithm, bound to the only keys that may be used with
// it. golang-jwt checks the type of a key and neither its curve nor its size:
// an ES384 signature made with a P-256 key would pass there.
type algorithm struct {
	method jwt.SigningMethod
	family family
	bits   int // of the curve, or of the hash of an HMAC
}

type family int

const (
	familyRSA family = iota
	familyECDSA
	familyEdDSA
	familyHMAC
)

var algorithms = map[string]algorithm{
	"RS256": {jwt.SigningMethodRS256, familyRSA, 0},
	"RS384": {jwt.SigningMethodRS384, familyRSA, 0},
	"RS512": {jwt.SigningMethodRS512, familyRSA, 0},
	"PS256": {pss(jwt.SigningMethodPS256), familyRSA, 0},
	"PS384": {pss(jwt.SigningMethodPS384), familyRSA, 0},
	"PS512": {pss(jwt.SigningMethodPS512), familyRSA, 0},
	"ES256": {jwt.SigningMethodES256, familyECDSA, 256},
	"ES384": {jwt.SigningMethodES384, familyECDSA, 384},
	"ES512": {jwt.SigningMethodES512, familyECDSA, 521},
	"EdDSA": {jwt.SigningMethodEdDSA, familyEdDSA, 0},
	"HS256": {jwt.SigningMethodHS256, familyHMAC, 256},
	"HS384": {jwt.SigningMethodHS384, familyHMAC, 384},
	"HS512": {jwt.SigningMethodHS512, familyHMAC, 512},
}

// defaultAlgorithms leaves out HMAC, which has to be asked for by name, and
// ES512, of which one check costs 1.6 ms: a way to keep a core busy with 600
// bad tokens a second.
var defaultAlgorithms = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA",
}

// pss returns the method with the salt length that RFC 7518, section 3.5, asks
// for. golang-jwt verifies with any. The exported method is shared by the
// whole process, so it is copied and not changed.
func pss(m *jwt.SigningMethodRSAPSS) *jwt.SigningMethodRSAPSS {
	return &jwt.SigningMethodRSAPSS{
		SigningMethodRSA: m.SigningMethodRSA,
		Options:          m.Options,
		VerifyOptions:    &rsa.PSSOptions{SaltLength: rsa.PSSSaltLengthEqualsHash, Hash: m.Hash},
	}
}

// DefaultAlgorithms returns the algorithms that are accepted where the
// configuration names none.
func DefaultAlgorithms() []string { return slices.Clone(defaultAlgorithms) }

// CheckAlgorithm returns an error unless name is an algorithm that may be
// configured. Names are case-sensitive (RFC 7515, section 4.1.1), and "none"
// is not one.
func CheckAlgorithm(name string) error {
	if _, known := algorithms[name]; !known {
		return fmt.Errorf("algorithm %q: expected one of RS256, RS384, RS512, PS256, PS384, PS512, "+
			"ES256, ES384, ES512, EdDSA, HS256, HS384, HS512", name)
	}
	return nil
}

// IsSymmetric reports whether the algorithm is an HMAC, whose verification key
// can also sign.
func IsSymmetric(name string) bool {
	a, known := algorithms[name]
	return known && a.family == familyHMAC
}

// Fits reports whether the key is of the type, curve and size that the
// algorithm demands.
func Fits(name string, key crypto.PublicKey) bool {
	a, known := algorithms[name]
	if !known {
		return false
	}
	switch k := key.(type) {
	case *rsa.PublicKey:
		return a.family == familyRSA && k != nil && usableRSA(k)
	case *ecdsa.PublicKey:
		return a.family == familyECDSA && k != nil && k.Curve.Params().BitSize == a.bits
	case ed25519.PublicKey:
		return a.family == familyEdDSA && len(k) == ed25519.PublicKeySize
	case []byte:
		// RFC 7518, section 3.2: a key at least as long as the hash.
		return a.family == familyHMAC && len(k)*8 >= a.bits
	}
	return false
}

func usableRSA(k *rsa.PublicKey) bool {
	bits := k.N.BitLen()
	return bits >= minRSABits && bits <= maxRSABits && k.E >= 3 && k.E%2 == 1 && k.E <= math.MaxInt32
}
