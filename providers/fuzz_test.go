package providers

import (
	"encoding/json"
	"math/big"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

// Any header, query and cookie: no panic; what is found is one visible word
// that stands in the request; and once everything was taken off, nothing is
// found any more, and putting it back gives the request as it was.
func FuzzFindAndWithhold(f *testing.F) {
	f.Add("Bearer t", "", "a=b", "a=b; token=u", "realtime")
	f.Add("bEaReR  t", "x", "key=t&access_token=u", "token=\"q\"", "openai-insecure-api-key.k")
	f.Add("Basic x, Bearer y", "", "k%65y=%74;key=u", "token", ",openai-insecure-api-key")
	f.Add("", "", "key=%zz&&=;", "=;;token=a;token=b", "")
	f.Fuzz(func(t *testing.T, authorization, second, query, cookie, protocols string) {
		r := requestOf("/", nil)
		r.URL.RawQuery, r.RequestURI = query, ""
		for name, value := range map[string]string{"Authorization": authorization, "Cookie": cookie, "Sec-Websocket-Protocol": protocols} {
			if value != "" {
				r.Header[name] = []string{value}
			}
		}
		if second != "" {
			r.Header["Authorization"] = append(r.Header["Authorization"], second)
		}
		c, err := everySource.Find(r)
		switch {
		case err != nil && c.Token != "":
			t.Errorf("a fault and a token: %v", err)
		case len(c.Token) > maxCredential:
			t.Errorf("a token of %d bytes", len(c.Token))
		case strings.ContainsFunc(c.Token, func(r rune) bool { return r <= ' ' || r > '~' || r == ',' || r == '"' }):
			t.Errorf("token is %q", c.Token)
		}
		// The oracle for the default source alone.
		only, err := TokenSources{DefaultTokenSource()}.Find(requestOf("/", http.Header{"Authorization": {authorization}}))
		if err == nil && only.Token != "" {
			if words := strings.Fields(authorization); len(words) != 2 || !strings.EqualFold(words[0], "Bearer") || words[1] != only.Token {
				t.Errorf("%q has the token %q", authorization, only.Token)
			}
		}
		before := r.Clone(t.Context())
		w := everySource.Withhold(r)
		if left, err := everySource.Find(r); err != nil || left.Token != "" {
			t.Errorf("after it was taken off: %q, %v", left.Token, err)
		}
		w.Restore(r)
		if r.URL.RawQuery != before.URL.RawQuery || !equalHeaders(r.Header, before.Header) {
			t.Errorf("restored %q %v, want %q %v", r.URL.RawQuery, r.Header, before.URL.RawQuery, before.Header)
		}
	})
}

func equalHeaders(a, b http.Header) bool {
	if len(a) != len(b) {
		return false
	}
	for name, values := range a {
		if !slices.Equal(values, b[name]) {
			return false
		}
	}
	return true
}

// Any claims, any mapping: a value is a string that stands at the claim, and
// only what is no list and names nobody is ever split.
func FuzzClaimsMapping(f *testing.F) {
	f.Add([]byte(`{"roles":["a b","c"],"sub":"x admin","a":{"b":"c d"}}`), "roles", "sub")
	f.Add([]byte(`{"a":{"b":["c",1,null,"d"]},"a.b":"e f"}`), "a.b", `a\.b`)
	f.Add([]byte(`{"https://x.y/z":"q","":{"":"r"}}`), "https://x.y/z", ".")
	f.Fuzz(func(t *testing.T, payload []byte, first, second string) {
		claims, err := strictjson.Object(payload)
		if err != nil {
			return
		}
		leaves := make(map[string]bool)
		collect(claims, leaves)
		for _, claim := range []string{first, second} {
			sources, err := compileMapping([]ClaimMapping{{claim, "roles"}}, false)
			if err != nil {
				continue
			}
			found := sources[0].path.find(claims)
			for _, value := range sources[0].values(claims) {
				switch at := found.(type) {
				case string:
					whole := slices.Contains(wholeClaims, claim)
					if !leaves[at] || whole && value != at || !whole && !slices.Contains(strings.Fields(at), value) {
						t.Errorf("%q of %q: value %q", claim, at, value)
					}
				case []any:
					if !leaves[value] || !slices.Contains(at, any(value)) {
						t.Errorf("%q of %v: value %q", claim, at, value)
					}
				default:
					t.Errorf("%q is %T and has the value %q", claim, found, value)
				}
			}
		}
	})
}

// collect gathers the strings of v, at any depth.
func collect(v any, into map[string]bool) {
	switch v := v.(type) {
	case string:
		into[v] = true
	case []any:
		for _, element := range v {
			collect(element, into)
		}
	case map[string]any:
		for _, member := range v {
			collect(member, into)
		}
	}
}

// Any claims: the principal is what encoding/json finds under exactly this
// name, or nobody; dates are what they say.
func FuzzTokenClaims(f *testing.F) {
	for _, seed := range []string{
		`{"sub":"alice","exp":1}`, `{"sub":"alice","Sub":"admin"}`, `{"sub":"a","s\u0075b":"b"}`, `{"sub":" a"}`, `{"sub":null}`,
		`{"sub":"a","aud":["x",1]}`, `{"exp":1e999}`, `{"exp":-0.5,"nbf":9007199254740993,"iat":1e-9}`, `{"cnf":{}}`, `{"sub":"\ud83d\ude00"}`,
	} {
		f.Add([]byte(seed))
	}
	id, err := newIdentity(&Common{}, Defaults{Mapping: DefaultMapping(), PrincipalClaim: []string{"sub"}})
	if err != nil {
		f.Fatal(err)
	}
	f.Add([]byte(`{"sub":"a","exp":1e-54740999}`)) // nought, to a float64
	f.Fuzz(func(t *testing.T, payload []byte) {
		c, err := readTokenClaims(payload)
		if err != nil {
			return
		}
		var oracle map[string]json.RawMessage
		if err := json.Unmarshal(payload, &oracle); err != nil {
			t.Fatalf("encoding/json refuses it: %v", err)
		}
		if user, err := id.user(c.all); err == nil {
			var sub string
			if err := json.Unmarshal(oracle["sub"], &sub); err != nil || user.Principal != sub {
				t.Errorf("principal is %q, sub is %s, %v", user.Principal, oracle["sub"], err)
			}
			if _, err := abac.NewUser(user.Principal, user.Tenant, user.Attributes); err != nil {
				t.Errorf("principal %q: %v", user.Principal, err)
			}
		}
		for name, date := range map[string]*jwt.NumericDate{"exp": c.expires, "nbf": c.notBefore, "iat": c.issued} {
			raw, there := oracle[name]
			if there != (date != nil) {
				t.Errorf("%s is there: %t, read: %t", name, there, date != nil)
			}
			if there {
				wantClose(t, date.Time, string(raw))
			}
		}
	})
}

// wantClose demands that the time is that number of seconds, to the
// microsecond: a float64 has no more near the end of its exact range.
func wantClose(t *testing.T, got time.Time, number string) {
	t.Helper()
	if isExtreme(number) {
		return
	}
	exact, ok := new(big.Rat).SetString(number)
	if !ok {
		t.Fatalf("%s is no number", number)
	}
	nanoseconds := new(big.Int).Mul(big.NewInt(got.Unix()), big.NewInt(1e9))
	nanoseconds.Add(nanoseconds, big.NewInt(int64(got.Nanosecond())))
	off := exact.Sub(exact, new(big.Rat).SetFrac(nanoseconds, big.NewInt(1e9)))
	limit := big.NewRat(1, 1e6)
	if got.Unix() > 1<<33 {
		limit = big.NewRat(1, 1)
	}
	if off.Abs(off).Cmp(limit) > 0 {
		t.Errorf("%s is read as %s, off by %s s", number, got, off.FloatString(9))
	}
}

// A greater exp never makes a token end sooner: numbers that wrap do.
func FuzzDatesAreMonotone(f *testing.F) {
	f.Add("1", "2")
	f.Add("9007199254740992", "9007199254740993")
	f.Add("1e15", "9223372036854775807")
	f.Add("-1e300", "1e300")
	f.Add("0.1", "0.10000001")
	f.Fuzz(func(t *testing.T, a, b string) {
		x, okA := date(a)
		y, okB := date(b)
		if !okA || !okB {
			return
		}
		// What ParseFloat accepted, in JSON's spelling, Rat reads too.
		left, _ := new(big.Rat).SetString(a)
		right, _ := new(big.Rat).SetString(b)
		if order := left.Cmp(right); order < 0 && x.After(y) || order > 0 && x.Before(y) {
			t.Errorf("%s is %s, and %s is %s", a, x, b, y)
		}
	})
}

// isExtreme reports whether a number has an exponent for which big.Rat would
// take its time, or that it refuses.
func isExtreme(number string) bool {
	exponent := strings.IndexAny(number, "eE")
	if exponent < 0 {
		return false
	}
	n, err := strconv.Atoi(number[exponent+1:])
	return err != nil || n > 1000 || n < -1000
}

func date(number string) (time.Time, bool) {
	if isExtreme(number) {
		return time.Time{}, false
	}
	c, err := readTokenClaims([]byte(`{"exp":` + number + `}`))
	if err != nil || len(c.all) != 1 || strings.TrimSpace(number) != number {
		return time.Time{}, false
	}
	return c.expires.Time, true
}
