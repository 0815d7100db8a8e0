// Package keyset keeps the public keys of an issuer: it reads a JWK set
// (RFC 7517) key by key, holds the last good one, and decides when to ask for
// another. Reading a key is jwkset's work and choosing it by `kid` keyfunc's;
// what they leave open is closed here, because a key set is an input like any
// other: it can be wiped, half broken, swapped, or enormous.
package keyset

import (
	"context"
	"crypto"
	"crypto/sha256"
	"crypto/x509"
	"errors"
	"fmt"

	"github.com/MicahParks/jwkset"
	"github.com/MicahParks/keyfunc/v3"
	"github.com/golang-jwt/jwt/v5"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/jws"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

const (
	maxKeys = 64

	// maxTries bounds the checks that one token without a kid may cost: with
	// 500 keys it was 25 ms of CPU.
	maxTries = 4
)

// Key is one verification key.
type Key struct {
	public    crypto.PublicKey
	id        string // kid, empty without one
	algorithm string // alg of the JWK, empty without one
	print     Print
}

// Print identifies a key by all that decides what it verifies: its kid, its
// algorithm and its material. A key that is replaced under its old kid is
// another key.
type Print [sha256.Size]byte

// Public returns the key itself.
func (k *Key) Public() crypto.PublicKey { return k.public }

// Print returns what identifies the key.
func (k *Key) Print() Print { return k.print }

func (k *Key) fits(algorithm string) bool {
	return (k.algorithm == "" || k.algorithm == algorithm) && jws.Fits(algorithm, k.public)
}

// Ring is a key set as it was at one moment. It does not change.
type Ring struct {
	keys    []*Key
	byID    map[string]*Key
	prints  map[Print]struct{}
	byKeyID keyfunc.Keyfunc
}

// ReadRing reads a JWK set document. Keys that are not for verifying
// signatures, or that are unfit for it, are left out and returned as notes for
// the log; the others are kept. A set with no usable key at all is an error,
// so that an endpoint that answers `{}` or an error page does not take away
// the keys that are known (keyfunc replaces them with nothing).
//
// Symmetric keys are left out unless symmetric is set: with one in a public
// key set, everybody who can read the set can sign.
func ReadRing(document []byte, symmetric bool) (*Ring, []string, error) {
	doc, err := strictjson.Object(document)
	if err != nil {
		return nil, nil, fmt.Errorf("reading key set: %w", err)
	}
	list, ok := doc["keys"].([]any)
	if !ok {
		return nil, nil, errors.New("reading key set: it has no list of keys")
	}
	if len(list) > maxKeys {
		return nil, nil, fmt.Errorf("reading key set: it has %d keys, more than %d", len(list), maxKeys)
	}
	var notes []string
	var kept []readKey
	for i, v := range list {
		k, err := readJWK(v, symmetric)
		if err != nil {
			notes = append(notes, fmt.Sprintf("key %d: %v", i+1, err))
			continue
		}
		k.number = i + 1
		kept = append(kept, k)
	}
	kept, again := withoutSharedIDs(kept)
	notes = append(notes, again...)
	kept, mixed := withoutMixture(kept)
	notes = append(notes, mixed...)
	if len(kept) == 0 {
		return nil, notes, errors.New("reading key set: it has no usable key")
	}
	ring, err := newRing(kept)
	return ring, notes, err
}

// readKey is a key on its way into a ring, with the form in which keyfunc
// wants it.
type readKey struct {
	key    *Key
	jwk    jwkset.JWK
	number int // its place in the document, from 1
}

// withoutSharedIDs drops every key whose kid is another's too: which of them
// was meant cannot be told, and the first may be the attacker's.
func withoutSharedIDs(keys []readKey) (kept []readKey, notes []string) {
	count := make(map[string]int)
	for _, k := range keys {
		count[k.key.id]++
	}
	for _, k := range keys {
		if k.key.id != "" && count[k.key.id] > 1 {
			notes = append(notes, fmt.Sprintf("key %d: its kid is another key's too", k.number))
			continue
		}
		kept = append(kept, k)
	}
	return kept, notes
}

// withoutMixture drops the symmetric keys of a set that has others: it is a
// mistake whichever of them was meant.
func withoutMixture(keys []readKey) (kept []readKey, notes []string) {
	for _, k := range keys {
		if _, secret := k.key.public.([]byte); !secret {
			kept = append(kept, k)
		}
	}
	if len(kept) == 0 || len(kept) == len(keys) {
		return keys, nil
	}
	return kept, []string{"symmetric keys beside public ones are left out"}
}

func newRing(keys []readKey) (*Ring, error) {
	r := &Ring{byID: make(map[string]*Key), prints: make(map[Print]struct{})}
	storage := jwkset.NewMemoryStorage()
	for _, k := range keys {
		r.keys = append(r.keys, k.key)
		r.prints[k.key.print] = struct{}{}
		if k.key.id == "" {
			continue
		}
		r.byID[k.key.id] = k.key
		if err := storage.KeyWrite(context.Background(), k.jwk); err != nil {
			return nil, fmt.Errorf("storing key: %w", err)
		}
	}
	var err error
	r.byKeyID, err = keyfunc.New(keyfunc.Options{
		Storage:      storage,
		UseWhitelist: []jwkset.USE{jwkset.UseSig, ""},
	})
	return r, err
}

// Candidates returns the keys that may verify the token: the one with its kid,
// or, for a token without a kid, those that fit its algorithm, if they are few.
// Without any, known says whether the kid is the set's nevertheless: then the
// key does not fit, and another set will not help.
func (r *Ring) Candidates(t *jws.Token) (candidates []*Key, known bool) {
	if !t.HasKeyID {
		for _, k := range r.keys {
			if k.fits(t.Algorithm) {
				candidates = append(candidates, k)
			}
		}
		if len(candidates) > maxTries {
			return nil, true
		}
		return candidates, false
	}
	k, there := r.byID[t.KeyID]
	if !there {
		return nil, false
	}
	// keyfunc looks once more at what the key says of itself: its alg and use.
	_, err := r.byKeyID.Keyfunc(&jwt.Token{
		Header: map[string]any{"kid": t.KeyID, "alg": t.Algorithm},
	})
	if err != nil || !k.fits(t.Algorithm) {
		return nil, true
	}
	return []*Key{k}, true
}

// Has reports whether the key is in the set.
func (r *Ring) Has(p Print) bool {
	_, there := r.prints[p]
	return there
}

// Len returns how many keys the set has.
func (r *Ring) Len() int { return len(r.keys) }

func printOf(id, algorithm string, public crypto.PublicKey) (Print, error) {
	material, secret := public.([]byte)
	if !secret {
		var err error
		if material, err = x509.MarshalPKIXPublicKey(public); err != nil {
			return Print{}, fmt.Errorf("encoding key: %w", err)
		}
	}
	h := sha256.New()
	for _, part := range [][]byte{[]byte(id), []byte(algorithm), material} {
		fmt.Fprintf(h, "%d:", len(part))
		h.Write(part)
	}
	return Print(h.Sum(nil)), nil
}
