package jws

import (
	"crypto/ecdsa"
	"math/big"
	"slices"
	"strings"
	"testing"
)

// Any bytes: no panic, and what is accepted is in the one spelling that its
// parts have, so that nobody can have two tokens that mean the same.
func FuzzParse(f *testing.F) {
	for _, algorithm := range []string{"RS256", "ES256", "EdDSA", "HS256"} {
		f.Add(signWith(f, algorithm, pairOf(algorithm).private, `{"alg":"`+algorithm+`","kid":"k","typ":"at+jwt"}`, payload))
	}
	for _, seed := range []string{
		"", ".", "..", "...", "a.b.c", "e30.e30.e30", encode(`{"alg":"none"}`) + ".e30.AA", encode(`{"alg":"RS256"}`) + ".e30.AB",
		encode(`{"alg":"RS256"}`) + "\n.e30.AA", encode(`{"alg":"RS256","crit":["x"]}`) + ".e30.AA", strings.Repeat(".", 99),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		parsed, err := Parse(token)
		if err != nil {
			if parsed != nil {
				t.Fatal("refused and returned")
			}
			return
		}
		head, rest, _ := strings.Cut(token, ".")
		header, err := decodeSegment(head)
		if err != nil {
			t.Fatal(err)
		}
		if canonical := encode(header) + "." + encode(parsed.payload) + "." + encode(parsed.signature); canonical != token {
			t.Errorf("token is %q, its parts spell %q", token, canonical)
		}
		if parsed.signed != head+"."+rest[:strings.LastIndexByte(rest, '.')] {
			t.Errorf("what is signed is %q of %q", parsed.signed, token)
		}
		if parsed.Algorithm == "" || parsed.HasKeyID != (parsed.KeyID != "") || len(parsed.KeyID) > maxKeyID {
			t.Errorf("read as %+v", parsed)
		}
		// Whatever it says, a key that signed none of the seeds verifies nothing.
		for _, stranger := range []any{p384Pair().public, p521Pair().public} {
			if got, err := parsed.Verify(stranger); err == nil {
				t.Errorf("verifies with a key that signed nothing: %q", got)
			}
		}
	})
}

// A good token with one edit, anywhere, is a bad token.
func FuzzOneEditBreaksTheToken(f *testing.F) {
	algorithms := []string{"RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA", "HS256"}
	tokens := make([]string, len(algorithms))
	for i, algorithm := range algorithms {
		key := pairOf(algorithm)
		tokens[i] = signWith(f, algorithm, key.private, `{"alg":"`+algorithm+`","kid":"k"}`, payload)
		if _, err := check(tokens[i], key.public); err != nil {
			f.Fatal(err)
		}
		for edit := range byte(6) {
			f.Add(byte(i), edit, uint16(40), "A")
			f.Add(byte(i), edit, uint16(9999), "=")
		}
	}
	f.Fuzz(func(t *testing.T, which, edit byte, at uint16, text string) {
		algorithm := algorithms[int(which)%len(algorithms)]
		token := tokens[int(which)%len(algorithms)]
		key := pairOf(algorithm)
		edited := apply(token, edit, int(at), text)
		if edited == token {
			return
		}
		if p, err := check(edited, key.public); err == nil && !isTwin(token, edited, key.public) {
			t.Errorf("%s: %q is accepted with %q", algorithm, edited, p)
		}
	})
}

func apply(token string, edit byte, at int, text string) string {
	at %= len(token)
	switch edit % 6 {
	case 0: // insert
		return token[:at] + text + token[at:]
	case 1: // delete
		return token[:at] + token[min(len(token), at+1+len(text)):]
	case 2: // replace
		return token[:at] + text + token[min(len(token), at+len(text)):]
	case 3: // cut off
		return token[:at]
	case 4: // exchange two neighbours
		if at == 0 {
			return token
		}
		b := []byte(token)
		b[at], b[at-1] = b[at-1], b[at]
		return string(b)
	}
	return token[:at] + strings.ToUpper(token[at:at+1]) + token[at+1:] // change case
}

// isTwin reports whether the edit made n−s of an ECDSA signature's s.
func isTwin(token, edited string, key any) bool {
	public, ok := key.(*ecdsa.PublicKey)
	if !ok {
		return false
	}
	a, err := Parse(token)
	if err != nil {
		return false
	}
	b, err := Parse(edited)
	if err != nil || a.signed != b.signed {
		return false
	}
	half := len(a.signature) / 2
	s, twin := new(big.Int).SetBytes(a.signature[half:]), new(big.Int).SetBytes(b.signature[half:])
	return slices.Equal(a.signature[:half], b.signature[:half]) && s.Add(s, twin).Cmp(public.Params().N) == 0
}
