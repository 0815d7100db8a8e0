package keyset

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/jws"
)

var everyKey = []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}

// The positive controls: without them a refusal below proves nothing.
func TestAKeyOfEveryAlgorithmIsFoundByItsKidAndWithoutOne(t *testing.T) {
	for _, algorithm := range everyKey {
		key := testissuer.NewKey("k", algorithm)
		ring, notes, err := ReadRing(document(key), false)
		if err != nil || len(notes) != 0 || ring.Len() != 1 {
			t.Errorf("%s: %v, notes %v", algorithm, err, notes)
			continue
		}
		for _, header := range []map[string]any{nil, without} {
			token := tokenOf(t, key, header)
			found, _ := ring.Candidates(token)
			if len(found) != 1 {
				t.Errorf("%s with %v: %d candidates", algorithm, header, len(found))
				continue
			}
			if _, err := token.Verify(found[0].Public()); err != nil {
				t.Errorf("%s: %v", algorithm, err)
			}
			if !ring.Has(found[0].Print()) {
				t.Errorf("%s: the ring does not have its own key", algorithm)
			}
		}
	}
}

// RFC 7517, section 4: alg, use and key_ops are optional.
func TestAKeyThatSaysLessVerifiesAllThatItsKindCan(t *testing.T) {
	key := testissuer.NewKey("k", "RS256")
	for name, element := range map[string]any{
		"nothing beside the key":    jwkOf(key, map[string]any{"alg": nil, "use": nil}),
		"key_ops with verify":       jwkOf(key, map[string]any{"alg": nil, "use": nil, "key_ops": []string{"sign", "verify"}}),
		"use and key_ops":           jwkOf(key, map[string]any{"alg": nil, "key_ops": []string{"verify"}}),
		"a certificate beside it":   jwkOf(key, map[string]any{"alg": nil, "x5c": []string{"broken"}, "x5t": "broken", "x5t#S256": 1}),
		"members that nobody knows": jwkOf(key, map[string]any{"alg": nil, "ext": true, "exp": 1, "nbf": []int{1}}),
	} {
		ring, notes, err := ReadRing(document(element), false)
		if err != nil || len(notes) > 0 {
			t.Errorf("%s: %v, notes %v", name, err, notes)
			continue
		}
		for _, algorithm := range []string{"RS256", "PS512"} {
			if found, _ := ring.Candidates(tokenOf(t, key, map[string]any{"alg": algorithm})); len(found) != 1 {
				t.Errorf("%s: %d candidates for %s", name, len(found), algorithm)
			}
		}
	}
}

// Cases 30 and 31: a JWK's alg binds the key, by its kid and without one.
// keyfunc compares it on the one way only.
func TestAKeyIsBoundToItsAlgorithm(t *testing.T) {
	key := testissuer.NewKey("k", "RS256")
	ring, _, err := ReadRing(document(key), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, other := range []string{"RS512", "PS256", "ES256", "EdDSA", "HS256", "none", "Ed25519"} {
		if found, known := ring.Candidates(tokenOf(t, key, map[string]any{"alg": other})); found != nil || !known {
			t.Errorf("%s by kid: %d candidates, known %t", other, len(found), known)
		}
		if found, known := ring.Candidates(tokenOf(t, key, map[string]any{"alg": other, "kid": nil})); found != nil || known {
			t.Errorf("%s without kid: %d candidates, known %t", other, len(found), known)
		}
	}
}

// Case 65, RFC 9864: the new name in a JWK, the old one in the tokens.
func TestAnEd25519KeyVerifiesEdDSA(t *testing.T) {
	key := testissuer.NewKey("k", "EdDSA")
	ring, _, err := ReadRing(document(jwkOf(key, map[string]any{"alg": "Ed25519"})), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, header := range []map[string]any{nil, without} {
		if found, _ := ring.Candidates(tokenOf(t, key, header)); len(found) != 1 {
			t.Errorf("%v: %d candidates", header, len(found))
		}
	}
	// The token's own alg is taken as it is: no signature method has that name.
	if found, _ := ring.Candidates(tokenOf(t, key, map[string]any{"alg": "Ed25519"})); found != nil {
		t.Error("a token with alg Ed25519 has a candidate")
	}
}

// Case 48: a kid is compared byte for byte.
func TestAKidInAnotherCaseIsAnotherKid(t *testing.T) {
	a := ecKey("A")
	ring, _, err := ReadRing(document(a), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, kid := range []string{"a", "A ", "À", "AA"} {
		token := &jws.Token{Algorithm: "ES256", KeyID: kid, HasKeyID: true}
		if found, known := ring.Candidates(token); found != nil || known {
			t.Errorf("%q: %d candidates, known %t", kid, len(found), known)
		}
	}
}

// Case 39: which of the two was meant cannot be told; keyfunc takes the first,
// which may be the attacker's.
func TestKeysWithOneKidAreLeftOutAndTheOthersStay(t *testing.T) {
	one, two, good := ecKey("twin"), testissuer.NewKey("twin", "EdDSA"), ecKey("good")
	ring, notes, err := ReadRing(document("junk", one, good, two), false)
	if err != nil {
		t.Fatal(err)
	}
	for _, twin := range []*testissuer.Key{one, two} {
		if found, known := ring.Candidates(tokenOf(t, twin, nil)); found != nil || known {
			t.Errorf("%s: %d candidates, known %t", twin.Algorithm, len(found), known)
		}
	}
	if found, _ := ring.Candidates(tokenOf(t, good, nil)); len(found) != 1 {
		t.Error("the good key is gone")
	}
	// The numbers are those of the document, so that the operator finds them.
	want := []string{"key 1: not a JSON object", "key 2: its kid is another key's too", "key 4: its kid is another key's too"}
	if fmt.Sprint(notes) != fmt.Sprint(want) {
		t.Errorf("notes are %q, want %q", notes, want)
	}
	if _, _, err := ReadRing(document(one, two), false); err == nil {
		t.Error("a set of nothing but twins is a set")
	}
}

// An encryption key under the kid of a signing key does not take it away: it
// verifies nothing, so nobody can have meant it.
func TestAKeyForEncryptionDoesNotShareAKid(t *testing.T) {
	good := ecKey("k")
	ring, _, err := ReadRing(document(good, jwkOf(testissuer.NewKey("k", "RS256"), map[string]any{"use": "enc"})), false)
	if err != nil {
		t.Fatal(err)
	}
	if found, _ := ring.Candidates(tokenOf(t, good, nil)); len(found) != 1 {
		t.Error("the signing key is gone")
	}
}

// Case 112: 500 keys cost 25 ms of CPU for every bad signature without a kid.
func TestATokenWithoutAKidTriesFewKeysOrNone(t *testing.T) {
	var elements []any
	for i := range 5 {
		elements = append(elements, ecKey(fmt.Sprint("k", i)))
	}
	token := tokenOf(t, ecKey("k3"), without)
	for n, want := range map[int]int{4: 4, 5: 0} {
		ring, _, err := ReadRing(document(append(elements[:n:n], testissuer.NewKey("other", "EdDSA"))...), false)
		if err != nil {
			t.Fatal(err)
		}
		found, known := ring.Candidates(token)
		if len(found) != want || known != (want == 0) {
			t.Errorf("%d keys: %d candidates, known %t", n, len(found), known)
		}
	}
	// Keys without a kid are found by such tokens alone.
	nameless := ecKey("")
	ring, _, err := ReadRing(document(jwkOf(nameless, map[string]any{"kid": nil}), jwkOf(ecKey("k1"), map[string]any{"kid": nil})), false)
	if err != nil || ring.Len() != 2 {
		t.Fatalf("two keys without a kid: %v", err)
	}
	if found, _ := ring.Candidates(tokenOf(t, nameless, without)); len(found) != 2 {
		t.Errorf("%d candidates", len(found))
	}
}

// Keys are told apart by all that decides what they verify.
func TestPrintsDifferWithKidAlgorithmAndMaterial(t *testing.T) {
	rsa, ec := testissuer.NewKey("k", "RS256"), ecKey("k")
	prints := make(map[Print]string)
	for name, element := range map[string]any{
		"key":             jwkOf(rsa, nil),
		"without alg":     jwkOf(rsa, map[string]any{"alg": nil}),
		"another alg":     jwkOf(rsa, map[string]any{"alg": "PS256"}),
		"another kid":     jwkOf(rsa, map[string]any{"kid": "l"}),
		"without kid":     jwkOf(rsa, map[string]any{"kid": nil}),
		"kid and alg run": jwkOf(rsa, map[string]any{"kid": "kRS", "alg": "RS256"}),
		"another key":     jwkOf(testissuer.NewKey("m", "RS256"), map[string]any{"kid": "k"}),
		"another kind":    jwkOf(ec, nil),
	} {
		ring, _, err := ReadRing(document(element), false)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		print := ring.keys[0].Print()
		if other, taken := prints[print]; taken {
			t.Errorf("%s and %s have one print", name, other)
		}
		prints[print] = name
	}
	// What does not decide it changes nothing: a certificate renewed is no rotation.
	ring, _, err := ReadRing(document(jwkOf(rsa, map[string]any{"x5c": []string{"new"}})), false)
	if err != nil || prints[ring.keys[0].Print()] != "key" {
		t.Error("a certificate beside the key makes it another")
	}
	if ring.Has(Print{}) {
		t.Error("a ring has a key that nobody gave it")
	}
}

// Cases 27, 28 and 38: with a secret in a public set, everybody who can read
// the set can sign.
func TestSymmetricKeysAreOnlyTakenFromALocalFile(t *testing.T) {
	secret := func(kid string, bytes int, over map[string]any) map[string]any {
		m := map[string]any{"kty": "oct", "kid": kid, "k": strings.Repeat("QUJD", bytes/3)}
		maps.Copy(m, over)
		return m
	}
	ec := ecKey("ec")
	for _, tc := range []struct {
		name      string
		elements  []any
		symmetric bool
		want      string // kids of the ring, or the error
	}{
		{"over the network", []any{secret("s", 33, nil)}, false, "reading key set: it has no usable key"},
		{"over the network beside another", []any{secret("s", 33, nil), ec}, false, "ec"},
		{"from a file", []any{secret("s", 33, nil)}, true, "s"},
		{"from a file, two", []any{secret("s", 33, nil), secret("t", 66, nil)}, true, "s t"},
		{"from a file beside another", []any{secret("s", 33, nil), ec}, true, "ec"},
		{"from a file, public keys alone", []any{ec}, true, "ec"},
		// Case 37, RFC 7518, section 3.2.
		{"shorter than its hash", []any{secret("s", 30, nil)}, true, "reading key set: it has no usable key"},
		{"shorter than the hash of its alg", []any{secret("s", 60, map[string]any{"alg": "HS512"})}, true, "reading key set: it has no usable key"},
		{"as long as the hash of its alg", []any{secret("s", 66, map[string]any{"alg": "HS512"})}, true, "s"},
		{"empty", []any{secret("s", 0, nil)}, true, "reading key set: it has no usable key"},
		{"padding alone", []any{secret("s", 0, map[string]any{"k": "="})}, true, "reading key set: it has no usable key"},
		{"no k", []any{map[string]any{"kty": "oct"}}, true, "reading key set: it has no usable key"},
		{"k a number", []any{secret("s", 0, map[string]any{"k": 1})}, true, "reading key set: it has no usable key"},
		{"not base64", []any{secret("s", 0, map[string]any{"k": strings.Repeat("!", 44)})}, true, "reading key set: it has no usable key"},
		{"for encryption", []any{secret("s", 33, map[string]any{"use": "enc"})}, true, "reading key set: it has no usable key"},
		{"for an asymmetric algorithm", []any{secret("s", 33, map[string]any{"alg": "RS256"})}, true, "reading key set: it has no usable key"},
	} {
		ring, _, err := ReadRing(document(tc.elements...), tc.symmetric)
		got := fmt.Sprint(err)
		if err == nil {
			var kids []string
			for _, k := range ring.keys {
				kids = append(kids, k.id)
			}
			got = strings.Join(kids, " ")
		}
		if got != tc.want {
			t.Errorf("%s: %s, want %s", tc.name, got, tc.want)
		}
	}
}
