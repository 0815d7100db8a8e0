package keyset

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"errors"
	"fmt"
	"slices"

	"github.com/MicahParks/jwkset"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/jws"
)

// maxKeyMember bounds a member of a key: an RSA modulus of 8192 bits has 1366
// characters.
const maxKeyMember = 2048

// maxExponent bounds the exponent of an RSA key, in base64: jwkset keeps the
// lowest 64 bits of a longer one, and so would have another key.
const maxExponent = 11

// readJWK reads one element of a key set. The error says why it is of no use
// here, which for many keys is as it should be (Keycloak's set has one for
// encryption).
func readJWK(v any, symmetric bool) (readKey, error) {
	m, ok := v.(map[string]any)
	if !ok {
		return readKey{}, errors.New("not a JSON object")
	}
	j := jwk{members: m}
	kty, use, alg, kid := j.text("kty"), j.text("use"), j.text("alg"), j.text("kid")
	marshal := jwkset.JWKMarshal{
		KTY: jwkset.KTY(kty), KID: kid, CRV: jwkset.CRV(j.text("crv")),
		X: j.text("x"), Y: j.text("y"), N: j.text("n"), E: j.text("e"),
	}
	if j.err != nil {
		return readKey{}, j.err
	}
	if len(marshal.E) > maxExponent {
		return readKey{}, errors.New("its e is too large")
	}
	if err := forVerifying(m, use); err != nil {
		return readKey{}, err
	}
	if kty == "oct" {
		if !symmetric {
			return readKey{}, errors.New("a symmetric key, which only a local file may hold")
		}
		marshal.K = j.text("k")
	} else if _, private := m["d"]; private {
		return readKey{}, errors.New("a private key: it has been published and cannot be trusted")
	}
	if j.err != nil {
		return readKey{}, j.err
	}
	return newKey(marshal, binding(alg))
}

func newKey(marshal jwkset.JWKMarshal, algorithm string) (readKey, error) {
	// jwkset gets only what a public key is made of: certificates and
	// thumbprints beside it are not what is trusted here, and a fault in them
	// would cost a good key.
	parsed, err := jwkset.NewJWKFromMarshal(marshal, jwkset.JWKMarshalOptions{Private: marshal.K != ""}, jwkset.JWKValidateOptions{})
	if err != nil {
		return readKey{}, fmt.Errorf("not a key of a known kind: %w", kind(err))
	}
	public := parsed.Key()
	switch public.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey, []byte:
	default:
		return readKey{}, errors.New("not a key for signatures")
	}
	if !fitsAny(algorithm, public) {
		return readKey{}, errors.New("too weak, too large, or not of the kind that its alg says")
	}
	print, err := printOf(marshal.KID, algorithm, public)
	if err != nil {
		return readKey{}, err
	}
	return readKey{
		key: &Key{public: public, id: marshal.KID, algorithm: algorithm, print: print},
		jwk: parsed,
	}, nil
}

// kind keeps jwkset's error class and drops its text, which may quote the key.
func kind(err error) error {
	if errors.Is(err, jwkset.ErrUnsupportedKey) {
		return jwkset.ErrUnsupportedKey
	}
	return errors.New("its parameters are broken")
}

// forVerifying checks `use` and `key_ops` (RFC 7517, sections 4.2 and 4.3): a
// key that is there for encryption, or only for signing, verifies nothing.
func forVerifying(m map[string]any, use string) error {
	if _, there := m["use"]; there && use != "sig" {
		return errors.New("its use is not sig")
	}
	ops, there := m["key_ops"]
	if !there {
		return nil
	}
	list, ok := ops.([]any)
	if !ok || !slices.Contains(list, any("verify")) {
		return errors.New("its key_ops do not have verify")
	}
	return nil
}

// binding returns the algorithm that a JWK's alg binds it to. RFC 9864 gave
// EdDSA over Ed25519 a name of its own; tokens still say EdDSA.
func binding(alg string) string {
	if alg == "Ed25519" {
		return "EdDSA"
	}
	return alg
}

func fitsAny(algorithm string, public any) bool {
	if algorithm != "" {
		return jws.Fits(algorithm, public)
	}
	for _, a := range []string{"RS256", "ES256", "ES384", "ES512", "EdDSA", "HS256"} {
		if jws.Fits(a, public) {
			return true
		}
	}
	return false
}

// jwk reads string members; the first one that is something else is its error.
type jwk struct {
	members map[string]any
	err     error
}

func (j *jwk) text(name string) string {
	v, there := j.members[name]
	if !there {
		return ""
	}
	s, ok := v.(string)
	if j.err == nil && (!ok || len(s) > maxKeyMember) {
		j.err = fmt.Errorf("its %s is not a short string", name)
	}
	return s
}
