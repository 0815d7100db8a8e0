package keyset

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

func b64(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

// Cases 34 to 36, 108 and 117a. Each of these stands in a set before and
// behind a good key: it must be left out, and the good one must verify.
// jwkset gives the whole set up for most of them.
func TestABadKeyIsLeftOutAndAGoodOneBesideItStays(t *testing.T) {
	good := ecKey("good")
	rsaKey := testissuer.NewKey("bad", "RS256")
	ec := testissuer.NewKey("bad", "ES256")
	ed := testissuer.NewKey("bad", "EdDSA")
	weak := weakRSA(t, 1024)
	x25519, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	const (
		unfit  = "too weak, too large, or not of the kind that its alg says"
		broken = "not a key of a known kind: its parameters are broken"
		other  = "not a key of a known kind: unsupported key"
		noUse  = "its use is not sig"
		noOps  = "its key_ops do not have verify"
	)
	huge := new(big.Int).Lsh(big.NewInt(1), 64) // jwkset keeps its lowest 64 bits
	huge.Add(huge, big.NewInt(65537))

	for _, tc := range []struct {
		name    string
		element any
		note    string
	}{
		{"null", nil, "not a JSON object"},
		{"a string", "key", "not a JSON object"},
		{"a list", []any{}, "not a JSON object"},
		{"nothing in it", map[string]any{}, other},
		{"RSA of 1024 bits", jwkOf(rsaKey, map[string]any{"n": weak["n"]}), unfit},
		{"RSA of 1024 bits that says nothing of itself", weak, unfit},
		{"RSA of 8200 bits", jwkOf(rsaKey, map[string]any{"n": b64(append([]byte{0x80}, make([]byte, 1024)...))}), unfit},
		{"RSA with e = 1", jwkOf(rsaKey, map[string]any{"e": "AQ"}), broken},
		{"RSA with e = 2", jwkOf(rsaKey, map[string]any{"e": "Ag"}), unfit},
		{"RSA with e = 0", jwkOf(rsaKey, map[string]any{"e": "AA"}), broken},
		{"RSA with e of 65 bits", jwkOf(rsaKey, map[string]any{"e": b64(huge.Bytes())}), "its e is too large"},
		{"RSA with e of 33 bits", jwkOf(rsaKey, map[string]any{"e": "AQAAAAE"}), broken},
		{"RSA without n", jwkOf(rsaKey, map[string]any{"n": nil}), broken},
		{"RSA without e", jwkOf(rsaKey, map[string]any{"e": nil}), broken},
		{"RSA with an empty n", jwkOf(rsaKey, map[string]any{"n": ""}), broken},
		{"RSA with n that is no base64", jwkOf(rsaKey, map[string]any{"n": "!!!"}), broken},
		{"RSA with n a number", jwkOf(rsaKey, map[string]any{"n": 7}), "its n is not a short string"},
		{"RSA with n of a megabyte", jwkOf(rsaKey, map[string]any{"n": strings.Repeat("A", 900<<10)}), "its n is not a short string"},
		{"RSA for encryption", jwkOf(rsaKey, map[string]any{"use": "enc"}), noUse},
		// What Keycloak 26.7 publishes beside its signing key.
		{"RSA for encryption, with its alg", jwkOf(rsaKey, map[string]any{"use": "enc", "alg": "RSA-OAEP"}), noUse},
		{"RSA with an alg of encryption alone", jwkOf(rsaKey, map[string]any{"use": nil, "alg": "RSA-OAEP"}), unfit},
		{"use in another case", jwkOf(rsaKey, map[string]any{"use": "SIG"}), noUse},
		{"use empty", jwkOf(rsaKey, map[string]any{"use": ""}), noUse},
		{"use null", map[string]any{"kty": "RSA", "use": nil}, "its use is not a short string"},
		{"use a list", jwkOf(rsaKey, map[string]any{"use": []string{"sig"}}), "its use is not a short string"},
		{"key_ops of signing alone", jwkOf(rsaKey, map[string]any{"key_ops": []string{"sign"}}), noOps},
		{"key_ops of encryption", jwkOf(rsaKey, map[string]any{"key_ops": []string{"encrypt", "wrapKey"}}), noOps},
		{"key_ops empty", jwkOf(rsaKey, map[string]any{"key_ops": []string{}}), noOps},
		{"key_ops a string", jwkOf(rsaKey, map[string]any{"key_ops": "verify"}), noOps},
		{"alg none", jwkOf(rsaKey, map[string]any{"alg": "none"}), unfit},
		{"alg in lower case", jwkOf(rsaKey, map[string]any{"alg": "rs256"}), unfit},
		{"alg of another kind", jwkOf(rsaKey, map[string]any{"alg": "ES256"}), unfit},
		{"alg of HMAC on an RSA key", jwkOf(rsaKey, map[string]any{"alg": "HS256"}), unfit},
		{"alg a number", jwkOf(rsaKey, map[string]any{"alg": 256}), "its alg is not a short string"},
		{"kid a number", jwkOf(rsaKey, map[string]any{"kid": 1}), "its kid is not a short string"},
		{"kid of a megabyte", jwkOf(rsaKey, map[string]any{"kid": strings.Repeat("k", 900<<10)}), "its kid is not a short string"},
		{"kty a number", jwkOf(rsaKey, map[string]any{"kty": 1}), "its kty is not a short string"},
		{"kty in lower case", jwkOf(rsaKey, map[string]any{"kty": "rsa"}), other},
		// Published, so anybody may have it.
		{"RSA with its private part", jwkOf(rsaKey, map[string]any{"d": "AQAB"}), "a private key: it has been published and cannot be trusted"},
		{"EC with its private part", jwkOf(ec, map[string]any{"d": "AQAB"}), "a private key: it has been published and cannot be trusted"},
		{"OKP with its private part", jwkOf(ed, map[string]any{"d": "AAAA"}), "a private key: it has been published and cannot be trusted"},
		{"a secret", map[string]any{"kty": "oct", "k": strings.Repeat("A", 64)}, "a symmetric key, which only a local file may hold"},
		{"EC off its curve", jwkOf(ec, map[string]any{"y": ec.JWK["x"]}), broken},
		{"EC at zero", jwkOf(ec, map[string]any{"x": b64(make([]byte, 32)), "y": b64(make([]byte, 32))}), broken},
		{"EC without y", jwkOf(ec, map[string]any{"y": nil}), broken},
		{"EC with another curve's name", jwkOf(ec, map[string]any{"crv": "P-384"}), broken},
		{"EC with alg of another curve", jwkOf(ec, map[string]any{"alg": "ES384"}), unfit},
		{"EC on a curve nobody has", jwkOf(ec, map[string]any{"crv": "P-1"}), other},
		{"secp256k1", jwkOf(ec, map[string]any{"crv": "secp256k1", "alg": "ES256K"}), other},
		{"Ed25519 cut short", jwkOf(ed, map[string]any{"x": "AAAA"}), broken},
		{"Ed448", jwkOf(ed, map[string]any{"crv": "Ed448"}), other},
		{"X25519, for key agreement", map[string]any{"kty": "OKP", "crv": "X25519", "x": b64(x25519.PublicKey().Bytes())}, "not a key for signatures"},
		{"AKP of ML-DSA", map[string]any{"kty": "AKP", "alg": "ML-DSA-44", "pub": "AAAA"}, other},
		{"a thumbprint for a key", map[string]any{"kty": "RSA", "x5t": "abc"}, broken},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, elements := range [][]any{{tc.element, good}, {good, tc.element}} {
				ring, notes, err := ReadRing(document(elements...), false)
				if err != nil {
					t.Fatal(err)
				}
				if ring.Len() != 1 {
					t.Errorf("ring has %d keys", ring.Len())
				}
				token := tokenOf(t, good, nil)
				found, _ := ring.Candidates(token)
				if len(found) != 1 {
					t.Fatal("the good key is gone")
				}
				if _, err := token.Verify(found[0].Public()); err != nil {
					t.Error(err)
				}
				if len(notes) != 1 || !strings.HasSuffix(notes[0], ": "+tc.note) {
					t.Errorf("notes are %q, want %q", notes, tc.note)
				}
			}
			// Alone it is no set: what is held must not be given up for it.
			if ring, _, err := ReadRing(document(tc.element), false); err == nil || ring != nil {
				t.Errorf("alone it is a set: %v", err)
			}
		})
	}
}

// weakRSA returns a JWK that Go itself would not make any more.
func weakRSA(t *testing.T, bits int) map[string]any {
	t.Helper()
	n := new(big.Int).SetBit(big.NewInt(1), bits-1, 1)
	return testissuer.PublicJWK(&rsa.PublicKey{N: n, E: 65537})
}

// Cases 102 and 103: what an endpoint says when it is broken. keyfunc replaces
// the keys that it has with nothing.
func TestDocumentsThatAreNoSetAreErrors(t *testing.T) {
	good := string(document(ecKey("good")))
	many := make([]any, 65)
	for i := range many {
		many[i] = jwkOf(ecKey("good"), map[string]any{"kid": fmt.Sprint(i)})
	}
	for _, tc := range []struct{ name, document, want string }{
		{"nothing", ``, "reading key set: expected a JSON object"},
		{"an error page", `<html>oops</html>`, "reading key set: expected a JSON object"},
		{"null", `null`, "reading key set: expected a JSON object"},
		{"an empty object", `{}`, "reading key set: it has no list of keys"},
		{"an error object", `{"error":"server_error"}`, "reading key set: it has no list of keys"},
		{"keys null", `{"keys":null}`, "reading key set: it has no list of keys"},
		{"keys an object", `{"keys":{}}`, "reading key set: it has no list of keys"},
		{"keys a string", `{"keys":"[]"}`, "reading key set: it has no list of keys"},
		{"Keys", `{"Keys":[]}`, "reading key set: it has no list of keys"},
		{"keys empty", `{"keys":[]}`, "reading key set: it has no usable key"},
		{"keys twice, empty last", good[:len(good)-1] + `,"keys":[]}`, "reading key set: decoding JSON: a member name is there twice"},
		{"keys twice, empty first", `{"keys":[],` + good[1:], "reading key set: decoding JSON: a member name is there twice"},
		{"a member of a key twice", `{"keys":[{"kty":"EC","kty":"oct"}]}`, "reading key set: decoding JSON: a member name is there twice"},
		{"cut off", good[:len(good)-2], "reading key set: decoding JSON: "},
		{"bytes behind it", good + "x", "reading key set: decoding JSON: bytes after the object"},
		{"a byte order mark", "\ufeff" + good, "reading key set: expected a JSON object"},
		{"65 keys", string(document(many...)), "reading key set: it has 65 keys, more than 64"},
		{"a key alone", string(mustJSON(ecKey("good").JWK)), "reading key set: it has no list of keys"},
	} {
		ring, _, err := ReadRing([]byte(tc.document), false)
		if err == nil || ring != nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%s: %v, want %s", tc.name, err, tc.want)
		}
	}
	if ring, notes, err := ReadRing(document(many[:64]...), false); err != nil || ring.Len() != 64 {
		t.Errorf("64 keys: %v, %v", err, notes)
	}
}

// Notes and errors go to logs. A private key that was published is known to
// whoever looked, but the log is read by others.
func TestNotesDoNotRepeatTheKey(t *testing.T) {
	const marker = "c2VjcmV0LXNlY3JldC1zZWNyZXQ"
	for _, element := range []map[string]any{
		{"kty": "oct", "k": marker},
		{"kty": "RSA", "n": marker, "e": "!" + marker},
		{"kty": marker},
		{"kty": "EC", "crv": marker, "x": marker, "y": marker},
		{"kty": "RSA", "n": marker, "e": "AQAB", "d": marker},
		{"kty": "OKP", "crv": "Ed25519", "x": marker, "alg": marker},
	} {
		_, notes, err := ReadRing(document(element), false)
		if text := fmt.Sprint(notes, err); strings.Contains(text, marker) {
			t.Errorf("%s", text)
		}
	}
}
