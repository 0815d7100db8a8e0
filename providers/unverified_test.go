package providers

import (
	"encoding/base64"
	"math"
	"strings"
	"testing"
	"time"
)

// unsigned returns what looks like a JWT with this payload.
func unsigned(payload string) string {
	return "e30." + base64.RawURLEncoding.EncodeToString([]byte(payload)) + ".c2ln"
}

func TestWhatATokenSaysOfItself(t *testing.T) {
	for token, want := range map[string]struct {
		issuer string
		exp    float64 // 0: none
	}{
		"":                                {},
		"opaque":                          {},
		".":                               {},
		"..":                              {},
		"a.b":                             {},
		"a.b.c":                           {},
		"a.!.c":                           {},
		unsigned(`{}`):                    {},
		unsigned(`{"iss":"https://a"}`):   {"https://a", 0},
		unsigned(`{"iss":5,"exp":7}`):     {"", 7},
		unsigned(`{"iss":null}`):          {},
		unsigned(`{"iss":"","exp":1.5}`):  {"", 1.5},
		unsigned(`{"exp":"7"}`):           {},
		unsigned(`{"exp":1e300}`):         {},
		unsigned(`{"exp":-5}`):            {"", -5},
		unsigned(`{"exp":7,"exp":8}`):     {"", 7}, // the first: it can only end an answer
		unsigned(`{"exp":7}x`):            {"", 7},
		unsigned(`{"iss":"a","exp":7`):    {"a", 7},
		unsigned(`["iss"]`):               {},
		unsigned(`{"iss":"https:\/\/a"}`): {"https://a", 0},
		unsigned("{\"iss\":\"\xff\"}"):    {},
		unsigned(`{"x":{"iss":"inner","exp":9},"iss":"a"}`):       {"a", 0},
		unsigned(`{"iss":"a"}`) + ".":                             {}, // four parts
		unsigned(`{"iss":"a"}`) + ".x.y":                          {}, // a JWE
		strings.TrimPrefix(unsigned(`{"iss":"a"}`), "e30"):        {},
		strings.Replace(unsigned(`{"iss":"aa"}`), ".c", "=.c", 1): {},
	} {
		if got := unverifiedIssuer(token); got != want.issuer {
			t.Errorf("%q: issuer %q, want %q", token, got, want.issuer)
		}
		exp := unverifiedExpiry(token)
		if exp.IsZero() != (want.exp == 0) || !exp.IsZero() && math.Abs(float64(exp.UnixMilli())/1000-want.exp) > 0.001 {
			t.Errorf("%q: exp %s, want %v", token, exp, want.exp)
		}
	}
}

// Whatever is shown: no panic, nothing of opaque tokens, and a date that is
// believed is one that the strict reader of claims believes.
func FuzzUnverified(f *testing.F) {
	for _, seed := range []string{"", "opaque", "a.b.c", unsigned(`{"iss":"a","exp":7}`), unsigned(`{"exp":1e999}`), unsigned(`[[[[`)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, token string) {
		issuer, exp := unverifiedIssuer(token), unverifiedExpiry(token)
		if strings.Count(token, ".") != 2 && (issuer != "" || !exp.IsZero()) {
			t.Errorf("%q is no JWT and shows %q, %s", token, issuer, exp)
		}
		if exp.IsZero() {
			return
		}
		_, rest, _ := strings.Cut(token, ".")
		body, _, _ := strings.Cut(rest, ".")
		payload, err := base64.RawURLEncoding.DecodeString(body)
		if err != nil {
			t.Fatal(err)
		}
		claims, err := readTokenClaims(payload)
		if err == nil && !claims.expires.Equal(exp) {
			t.Errorf("%s, and read strictly %s", exp, claims.expires)
		}
		if exp.After(time.Unix(maxSeconds, 0)) {
			t.Errorf("%s is out of range", exp)
		}
	})
}
