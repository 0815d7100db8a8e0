// Package jws reads a JSON Web Signature in compact form (RFC 7515) and checks
// its signature, before anything looks at what it claims. It is golang-jwt's
// signature methods behind a stricter door: golang-jwt ignores `crit`, parses
// the claims first, and binds an algorithm to a type of key only.
package jws

import (
	"crypto"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

const (
	// MaxToken is the longest token that is looked at, in bytes.
	MaxToken = 32 << 10

	maxKeyID = 256
)

// Stage says how far a token came before it was refused.
type Stage int

const (
	// StageShape means that it is not a JWS in compact form at all.
	StageShape Stage = iota
	// StageHeader means that its header asks for something that is not allowed.
	StageHeader
	// StageSignature means that the signature does not fit the key.
	StageSignature
)

// Error is a token refused, with the stage that refused it. Its text never has
// a part of the token.
type Error struct {
	Stage  Stage
	Reason string
}

// Error implements error.
func (e *Error) Error() string { return e.Reason }

func refuse(stage Stage, format string, args ...any) error {
	return &Error{Stage: stage, Reason: fmt.Sprintf(format, args...)}
}

// Token is a JWS taken apart, of which nothing has been verified yet.
type Token struct {
	// Algorithm is the header's `alg`. It never widens what is configured.
	Algorithm string
	// KeyID is the header's `kid`, empty where HasKeyID is false.
	KeyID    string
	HasKeyID bool

	signed    string // header.payload, what the signature is over
	payload   []byte
	signature []byte
}

var encoding = base64.RawURLEncoding.Strict()

// decodeSegment also refuses what Strict lets pass: encoding/base64 skips CR
// and LF, so two spellings of one token would both verify.
func decodeSegment(s string) ([]byte, error) {
	if strings.ContainsAny(s, "\r\n") {
		return nil, errors.New("line break in base64")
	}
	return encoding.DecodeString(s)
}

// Parse takes a token in compact form apart and checks the form of its header.
func Parse(token string) (*Token, error) {
	if len(token) > MaxToken {
		return nil, refuse(StageShape, "token has %d bytes, more than %d", len(token), MaxToken)
	}
	// Cut, and not Split: a token of 15,000 dots must not become a slice
	// (CVE-2025-30204).
	head, rest, _ := strings.Cut(token, ".")
	body, sig, found := strings.Cut(rest, ".")
	if !found || strings.Contains(sig, ".") {
		return nil, refuse(StageShape, "token does not have three parts")
	}
	if head == "" || body == "" || sig == "" {
		return nil, refuse(StageShape, "token has an empty part")
	}
	header, err := decodeSegment(head)
	if err != nil {
		return nil, refuse(StageShape, "header is not base64url")
	}
	t := &Token{signed: token[:len(head)+1+len(body)]}
	if t.payload, err = decodeSegment(body); err != nil {
		return nil, refuse(StageShape, "payload is not base64url")
	}
	if t.signature, err = decodeSegment(sig); err != nil {
		return nil, refuse(StageShape, "signature is not base64url")
	}
	if err := t.readHeader(header); err != nil {
		return nil, err
	}
	return t, nil
}

// Unverified returns the payload before its signature is checked. It may be
// used to choose whom to ask about the token, and for nothing else.
func (t *Token) Unverified() []byte { return t.payload }

// refusedParameters are header parameters that ask for what is not done here.
// `crit` lists extensions that must be understood (RFC 7515, section 4.1.11),
// and none is. `b64` changes what is signed (RFC 7797). `enc` and `zip` belong
// to encrypted tokens, `cty` to nested ones. The others bring or name a key of
// the token's own choice (CVE-2018-0114): ignoring them would do, but a token
// that carries one was made for a reader other than this.
var refusedParameters = []string{"crit", "b64", "enc", "zip", "cty", "jwk", "jku", "x5u", "x5c"}

func (t *Token) readHeader(header []byte) error {
	h, err := strictjson.Object(header)
	if err != nil {
		return refuse(StageShape, "header: %v", err)
	}
	for _, name := range refusedParameters {
		if _, there := h[name]; there {
			return refuse(StageHeader, "header has %s", name)
		}
	}
	var ok bool
	if t.Algorithm, ok = h["alg"].(string); !ok || t.Algorithm == "" {
		return refuse(StageHeader, "header has no alg")
	}
	if typ, there := h["typ"]; there {
		if s, isString := typ.(string); !isString || !acceptedType(s) {
			return refuse(StageHeader, "header has a typ that is not of an access token")
		}
	}
	if kid, there := h["kid"]; there {
		if t.KeyID, t.HasKeyID = kid.(string); !t.HasKeyID || !acceptedKeyID(t.KeyID) {
			return refuse(StageHeader, "header has a kid that cannot be one")
		}
	}
	return nil
}

// acceptedType admits what access tokens call themselves. Logout tokens,
// DPoP proofs and security events are signed with the same keys and are not
// for us (RFC 8725, section 3.11); many servers say nothing but JWT.
func acceptedType(typ string) bool {
	typ = strings.ToLower(typ)
	typ = strings.TrimPrefix(typ, "application/")
	return typ == "jwt" || typ == "at+jwt"
}

// acceptedKeyID keeps junk from costing a fetch of the key set.
func acceptedKeyID(kid string) bool {
	if kid == "" || len(kid) > maxKeyID {
		return false
	}
	for i := range len(kid) {
		if kid[i] < ' ' || kid[i] > '~' {
			return false
		}
	}
	return true
}

// Verify checks the signature with the key and returns the payload, which may
// be believed from here on. The caller has compared Algorithm with the list of
// the configuration, and found the key by its own means.
func (t *Token) Verify(key crypto.PublicKey) ([]byte, error) {
	if !Fits(t.Algorithm, key) {
		return nil, refuse(StageSignature, "key does not fit the algorithm")
	}
	if err := algorithms[t.Algorithm].method.Verify(t.signed, t.signature, key); err != nil {
		return nil, refuse(StageSignature, "signature does not verify")
	}
	return t.payload, nil
}
