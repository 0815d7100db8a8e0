package jws

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"fmt"
	"math/big"
	"slices"
	"strings"
	"testing"
)

var every = []string{
	"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA", "HS256", "HS384", "HS512",
}

// The positive controls: without them a refusal below proves nothing.
func TestEveryAlgorithmVerifiesWhatItSigned(t *testing.T) {
	for _, algorithm := range every {
		key := pairOf(algorithm)
		wantAccepted(t, signWith(t, algorithm, key.private, `{"alg":"`+algorithm+`"}`, payload), key.public, payload)
	}
}

// What an algorithm may be used with is a property of the two, and never of
// the token: each signature is good, and only its own name fits it.
func TestNoAlgorithmVerifiesWhatAnotherSigned(t *testing.T) {
	for _, signedAs := range every {
		key := pairOf(signedAs)
		for _, header := range every {
			if header == signedAs {
				continue
			}
			token := signWith(t, signedAs, key.private, `{"alg":"`+header+`"}`, payload)
			reason := keyDoesNotFit
			if Fits(header, key.public) {
				reason = badSignature // same kind of key, another hash or padding
			}
			wantRefused(t, token, key.public, StageSignature, reason)
		}
	}
}

// Cases 24 and 25. `none` is not an algorithm here, whatever is configured;
// names are case-sensitive (RFC 7515, section 4.1.1; RFC 8725, section 3.1).
func TestAlgorithmsThatAreNoneVerifyNothing(t *testing.T) {
	for _, name := range []string{
		"none", "None", "NONE", "nOnE", "rs256", "RS1", "RS256 ", " RS256", "RS256\x00", "ES256K", "Ed25519", "Ed448",
		"RSA-OAEP", "A256GCMKW", "HS1", "HS256/64", "dir",
	} {
		if err := CheckAlgorithm(name); err == nil || !strings.Contains(err.Error(), "expected one of RS256, RS384") {
			t.Errorf("CheckAlgorithm(%q): error is %v", name, err)
		}
		for _, algorithm := range every {
			key := pairOf(algorithm)
			header := fmt.Sprintf(`{"alg":%q}`, name)
			if name == "RS256\x00" {
				header = `{"alg":"RS256\u0000"}`
			}
			wantRefused(t, signWith(t, algorithm, key.private, header, payload), key.public, StageSignature, keyDoesNotFit)
		}
	}
}

func TestNamesThatMayBeConfigured(t *testing.T) {
	for _, name := range every {
		if err := CheckAlgorithm(name); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got, want := IsSymmetric(name), strings.HasPrefix(name, "HS"); got != want {
			t.Errorf("IsSymmetric(%s) = %t", name, got)
		}
	}
	if IsSymmetric("none") || IsSymmetric("hs256") || IsSymmetric("") {
		t.Error("what is no algorithm is symmetric")
	}
}

// Case 237: no list must not mean any algorithm, HMAC least of all.
func TestTheDefaultAlgorithmsAreAsymmetricAndCheap(t *testing.T) {
	want := []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"}
	got := DefaultAlgorithms()
	if !slices.Equal(got, want) {
		t.Errorf("default is %v, want %v", got, want)
	}
	got[0] = "HS256"
	if DefaultAlgorithms()[0] != "RS256" {
		t.Error("whoever asks can change the default for all")
	}
}

// Cases 32, 34 and 37: RFC 7518, sections 3.2 to 3.4, say what a key must be.
// golang-jwt asks for its type only.
func TestKeysThatDoNotFitTheirAlgorithmAreRefused(t *testing.T) {
	rsaKey := func(bits int, e int) *rsa.PublicKey {
		n := new(big.Int).SetBit(big.NewInt(1), bits-1, 1)
		return &rsa.PublicKey{N: n, E: e}
	}
	for _, tc := range []struct {
		name, algorithm string
		key             crypto.PublicKey
		want            bool
	}{
		{"RSA of 2048 bits", "RS256", rsaKey(2048, 65537), true},
		{"RSA of 2047 bits", "RS256", rsaKey(2047, 65537), false},
		{"RSA of 1024 bits", "RS256", rsaKey(1024, 65537), false},
		{"RSA of 1024 bits with PSS", "PS512", rsaKey(1024, 65537), false},
		{"RSA of 8192 bits", "RS512", rsaKey(8192, 65537), true},
		{"RSA of 8193 bits", "RS512", rsaKey(8193, 65537), false}, // a way to keep a core busy
		{"RSA with e = 3", "RS256", rsaKey(2048, 3), true},
		{"RSA with e = 1", "RS256", rsaKey(2048, 1), false}, // every signature is its own message
		{"RSA with e = 2", "RS256", rsaKey(2048, 2), false},
		{"RSA with e = 0", "RS256", rsaKey(2048, 0), false},
		{"RSA with a negative e", "RS256", rsaKey(2048, -3), false},
		{"RSA with an even e", "RS256", rsaKey(2048, 65536), false},
		{"RSA with the largest e", "RS256", rsaKey(2048, 1<<31-1), true},
		{"RSA that is nil", "RS256", (*rsa.PublicKey)(nil), false},
		{"RSA for HMAC", "HS256", rsaKey(2048, 65537), false},
		{"P-256 for ES256", "ES256", p256Pair().public, true},
		{"P-256 for ES384", "ES384", p256Pair().public, false},
		{"P-256 for ES512", "ES512", p256Pair().public, false},
		{"P-384 for ES256", "ES256", p384Pair().public, false},
		{"P-384 for ES384", "ES384", p384Pair().public, true},
		{"P-521 for ES512", "ES512", p521Pair().public, true},
		{"P-224 for ES256", "ES256", newECDSA(elliptic.P224()).public, false},
		{"ECDSA that is nil", "ES256", (*ecdsa.PublicKey)(nil), false},
		{"Ed25519", "EdDSA", edPair().public, true},
		{"Ed25519 cut short", "EdDSA", ed25519.PublicKey(make([]byte, 31)), false},
		{"Ed25519 that is nil", "EdDSA", ed25519.PublicKey(nil), false},
		{"Ed25519 for ECDSA", "ES256", edPair().public, false},
		{"secret of 32 bytes for HS256", "HS256", secret[:32], true},
		{"secret of 31 bytes for HS256", "HS256", secret[:31], false},
		{"secret of 48 bytes for HS384", "HS384", secret[:48], true},
		{"secret of 47 bytes for HS384", "HS384", secret[:47], false},
		{"secret of 64 bytes for HS512", "HS512", secret, true},
		{"secret of 63 bytes for HS512", "HS512", secret[:63], false},
		{"empty secret", "HS256", []byte{}, false},
		{"secret for RSA", "RS256", secret, false},
		{"no algorithm", "none", rsaKey(2048, 65537), false},
		{"private key", "RS256", rsaPair().private, false},
		{"key of another kind", "RS256", struct{}{}, false},
		{"no key", "RS256", nil, false},
	} {
		if got := Fits(tc.algorithm, tc.key); got != tc.want {
			t.Errorf("%s: %t, want %t", tc.name, got, tc.want)
		}
	}
}
