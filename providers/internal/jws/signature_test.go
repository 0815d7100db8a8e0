package jws

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/x509"
	"encoding/asn1"
	"encoding/pem"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// Case 26 (CVE-2016-10555): what everybody can read must not sign. The token
// is an HMAC whose secret is the public key in one of its spellings; nothing
// may take the key for a secret.
func TestHMACKeyedWithAPublicKeyIsRefused(t *testing.T) {
	for _, key := range []pair{rsaPair(), p256Pair(), edPair()} {
		der, err := x509.MarshalPKIXPublicKey(key.public)
		if err != nil {
			t.Fatal(err)
		}
		block := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
		secrets := [][]byte{der, block, bytes.TrimSpace(block), []byte(encode(der))}
		switch k := key.public.(type) {
		case *rsa.PublicKey:
			secrets = append(secrets, k.N.Bytes(), []byte(encode(k.N.Bytes())), x509.MarshalPKCS1PublicKey(k))
		case ed25519.PublicKey:
			secrets = append(secrets, k, []byte(encode([]byte(k))))
		}
		for _, secret := range secrets {
			for _, algorithm := range []string{"HS256", "HS384", "HS512"} {
				token := signWith(t, algorithm, secret, `{"alg":"`+algorithm+`"}`, payload)
				wantRefused(t, token, key.public, StageSignature, keyDoesNotFit)
				// The same signature under the name that fits the key.
				for _, own := range []string{"RS256", "ES256", "EdDSA"} {
					if Fits(own, key.public) {
						forged := signWith(t, algorithm, secret, `{"alg":"`+own+`"}`, payload)
						wantRefused(t, forged, key.public, StageSignature, badSignature)
					}
				}
			}
		}
	}
}

// Case 32: golang-jwt never compares the curve with the algorithm, so it
// accepts an ES384 signature of 96 bytes made with P-256. Here it is a good
// signature in every respect but that (RFC 7518, section 3.4).
func TestECDSAOnAnotherCurveThanItsAlgorithmIsRefused(t *testing.T) {
	key := p256Pair()
	signed := encode(`{"alg":"ES384"}`) + "." + encode(payload)
	digest := crypto.SHA384.New()
	digest.Write([]byte(signed))
	r, s, err := ecdsa.Sign(rand.Reader, key.private.(*ecdsa.PrivateKey), digest.Sum(nil))
	if err != nil {
		t.Fatal(err)
	}
	signature := make([]byte, 96)
	r.FillBytes(signature[:48])
	s.FillBytes(signature[48:])
	wantRefused(t, signed+"."+encode(signature), key.public, StageSignature, keyDoesNotFit)
}

// Case 40: the class of CVE-2022-21449, in which r = s = 0 verified anything.
func TestECDSASignaturesOutOfRangeOrInAnotherFormAreRefused(t *testing.T) {
	for algorithm, curve := range map[string]elliptic.Curve{
		"ES256": elliptic.P256(), "ES384": elliptic.P384(), "ES512": elliptic.P521(),
	} {
		key := pairOf(algorithm)
		token := signWith(t, algorithm, key.private, `{"alg":"`+algorithm+`"}`, payload)
		wantAccepted(t, token, key.public, payload)
		parsed, err := Parse(token)
		if err != nil {
			t.Fatal(err)
		}
		good := parsed.signature
		size := len(good) / 2
		n := curve.Params().N
		r, s := new(big.Int).SetBytes(good[:size]), new(big.Int).SetBytes(good[size:])

		// Case 41: n−s is as good a signature as s. That is why the token itself
		// must never be what a list of revoked ones is keyed by.
		twin := slices.Concat(good[:size], new(big.Int).Sub(n, s).FillBytes(make([]byte, size)))
		wantAccepted(t, withSignature(token, twin), key.public, payload)

		edge := []*big.Int{
			big.NewInt(0), big.NewInt(1), new(big.Int).Sub(n, big.NewInt(1)), n, new(big.Int).Add(n, big.NewInt(1)),
			curve.Params().P,
		}
		for _, bad := range edge {
			if bad.BitLen() > 8*size {
				continue
			}
			b := bad.FillBytes(make([]byte, size))
			for _, signature := range [][]byte{
				slices.Concat(b, good[size:]), slices.Concat(good[:size], b), slices.Concat(b, b),
			} {
				wantRefused(t, withSignature(token, signature), key.public, StageSignature, badSignature)
			}
		}
		// Congruent modulo n, where it has room for that: one signature, two spellings.
		if wide := new(big.Int).Add(r, n); wide.BitLen() <= 8*size {
			signature := slices.Concat(wide.FillBytes(make([]byte, size)), good[size:])
			wantRefused(t, withSignature(token, signature), key.public, StageSignature, badSignature)
		}
		der, err := asn1.Marshal(struct{ R, S *big.Int }{r, s})
		if err != nil {
			t.Fatal(err)
		}
		for name, signature := range map[string][]byte{
			"DER":               der,
			"a byte short":      good[:len(good)-1],
			"a byte long":       append(slices.Clone(good), 0),
			"a zero in front":   append([]byte{0}, good...),
			"512 bytes":         slices.Concat(good, make([]byte, 512-len(good))),
			"r alone":           good[:size],
			"r and s exchanged": slices.Concat(good[size:], good[:size]),
			"zeros":             make([]byte, 2*size),
			"one byte":          {0},
		} {
			t.Run(algorithm+" "+name, func(t *testing.T) {
				wantRefused(t, withSignature(token, signature), key.public, StageSignature, badSignature)
			})
		}
	}
}

// RFC 7518, section 3.5: the salt is as long as the hash. golang-jwt verifies
// any length, so that one message has many signatures.
func TestPSSWithAnotherSaltLengthIsRefused(t *testing.T) {
	key := rsaPair()
	for algorithm, hash := range map[string]crypto.Hash{
		"PS256": crypto.SHA256, "PS384": crypto.SHA384, "PS512": crypto.SHA512,
	} {
		signed := encode(`{"alg":"`+algorithm+`"}`) + "." + encode(payload)
		digest := hash.New()
		digest.Write([]byte(signed))
		sign := func(salt int) string {
			signature, err := rsa.SignPSS(rand.Reader, key.private.(*rsa.PrivateKey), hash, digest.Sum(nil),
				&rsa.PSSOptions{SaltLength: salt})
			if err != nil {
				t.Fatal(err)
			}
			return signed + "." + encode(signature)
		}
		wantAccepted(t, sign(rsa.PSSSaltLengthEqualsHash), key.public, payload)
		wantAccepted(t, sign(hash.Size()), key.public, payload)
		for _, salt := range []int{1, 20, hash.Size() - 1, hash.Size() + 1, rsa.PSSSaltLengthAuto} {
			wantRefused(t, sign(salt), key.public, StageSignature, badSignature)
		}
	}
	// The methods of golang-jwt are the whole process's: they must be as they
	// were, or another plugin would find them changed.
	token := signWith(t, "PS256", key.private, `{"alg":"PS256"}`, payload)
	wantAccepted(t, token, key.public, payload)
}

// RFC 8032, section 5.1.7: S is less than the order L, or every signature has
// a twin.
func TestEdDSASignaturesHaveOneSpelling(t *testing.T) {
	key := edPair()
	token := signWith(t, "EdDSA", key.private, `{"alg":"EdDSA"}`, payload)
	wantAccepted(t, token, key.public, payload)
	parsed, err := Parse(token)
	if err != nil {
		t.Fatal(err)
	}
	good := parsed.signature
	order, _ := new(big.Int).SetString("7237005577332262213973186563042994240857116359379907606001950938285454250989", 10)
	s := slices.Clone(good[32:])
	slices.Reverse(s) // little-endian
	twin := new(big.Int).Add(new(big.Int).SetBytes(s), order).FillBytes(make([]byte, 32))
	slices.Reverse(twin)
	for name, signature := range map[string][]byte{
		"S + L":           slices.Concat(good[:32], twin),
		"a byte short":    good[:63],
		"a byte long":     append(slices.Clone(good), 0),
		"zeros":           make([]byte, 64),
		"R alone":         good[:32],
		"another message": ed25519.Sign(key.private.(ed25519.PrivateKey), []byte("other")),
	} {
		t.Run(name, func(t *testing.T) {
			wantRefused(t, withSignature(token, signature), key.public, StageSignature, badSignature)
		})
	}
}

func TestHMACTagsAreComparedWhole(t *testing.T) {
	token := signWith(t, "HS256", secret, `{"alg":"HS256"}`, payload)
	wantAccepted(t, token, secret, payload)
	parsed, err := Parse(token)
	if err != nil {
		t.Fatal(err)
	}
	good := parsed.signature
	flipped := slices.Clone(good)
	flipped[31] ^= 1
	for name, tag := range map[string][]byte{
		"cut to half": good[:16], "one byte": good[:1], "a byte long": append(slices.Clone(good), 0), "last bit": flipped,
	} {
		t.Run(name, func(t *testing.T) {
			wantRefused(t, withSignature(token, tag), secret, StageSignature, badSignature)
		})
	}
	// Case 28: an empty secret, with which anybody can sign.
	empty := signWith(t, "HS256", []byte{}, `{"alg":"HS256"}`, payload)
	wantRefused(t, empty, []byte{}, StageSignature, keyDoesNotFit)
	wantRefused(t, empty, secret, StageSignature, badSignature)
}

// Case 43: the token brings the key that verifies it.
func TestAnotherKeyOfTheSameKindVerifiesNothing(t *testing.T) {
	own, other := newECDSA(elliptic.P256()), p256Pair()
	token := signWith(t, "ES256", own.private, `{"alg":"ES256"}`, payload)
	wantAccepted(t, token, own.public, payload)
	wantRefused(t, token, other.public, StageSignature, badSignature)
	// And a signature is over header and payload alike.
	parts := strings.Split(token, ".")
	wantRefused(t, encode(`{"alg":"ES256","kid":"x"}`)+"."+parts[1]+"."+parts[2], own.public, StageSignature, badSignature)
	wantRefused(t, parts[0]+"."+encode(`{"sub":"admin"}`)+"."+parts[2], own.public, StageSignature, badSignature)
	moved := sha256.Sum256([]byte(parts[0] + parts[1]))
	if _, err := check(withSignature(token, moved[:]), own.public); err == nil {
		t.Error("a digest passes for a signature")
	}
}
