package keyset

import (
	"encoding/json"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/jws"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}

// Any bytes: no panic, and no key in a ring that verifies less than it should.
func FuzzReadRing(f *testing.F) {
	f.Add(document(ecKey("good")))
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"QUJDREVGR0hJSktMTU5PUFFSU1RVVldYWVphYmNkZWY"}]}`))
	f.Add([]byte(`{"keys":[{"kty":"RSA","n":"AQAB","e":"AQAB"}],"keys":[]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		ring, _, err := ReadRing(in, false)
		if err != nil {
			if ring != nil {
				t.Fatal("refused and returned")
			}
			return
		}
		checkRing(t, ring)
	})
}

// Whatever else is in a set, a good key in it verifies.
func FuzzAGoodKeyInTheSetStillVerifies(f *testing.F) {
	good := ecKey("good")
	token := tokenOf(f, good, nil)
	for _, seed := range []any{
		nil, "x",
		map[string]any{},
		jwkOf(ecKey("other"), nil), jwkOf(ecKey("bad"), map[string]any{"x": "AA"}),
		jwkOf(good, map[string]any{"use": "enc"}),
		map[string]any{"kty": "oct", "kid": "good", "k": "AAAA"},
		map[string]any{"kty": "RSA", "n": "AQAB", "e": "AQAB"},
		[]any{[]any{}},
	} {
		f.Add(mustJSON(seed))
	}
	f.Fuzz(func(t *testing.T, element []byte) {
		doc := append(append([]byte(`{"keys":[`), element...), ',')
		doc = append(append(doc, mustJSON(good.JWK)...), `]}`...)
		parsed, err := strictjson.Object(doc)
		if err != nil {
			return
		}
		list, ok := parsed["keys"].([]any)
		if !ok || len(list) > maxKeys {
			return
		}
		for _, v := range list[:len(list)-1] {
			if m, ok := v.(map[string]any); ok && m["kid"] == "good" {
				return // a twin takes it away, as it should
			}
		}
		if last, ok := list[len(list)-1].(map[string]any); !ok || last["kid"] != "good" {
			return // the element closed the list and began something else
		}
		ring, _, err := ReadRing(doc, false)
		if err != nil {
			t.Fatalf("%s: %v", doc, err)
		}
		checkRing(t, ring)
		found, _ := ring.Candidates(token)
		if len(found) != 1 {
			t.Fatalf("%s: %d candidates", doc, len(found))
		}
		if _, err := token.Verify(found[0].Public()); err != nil {
			t.Errorf("%s: %v", doc, err)
		}
	})
}

func checkRing(t *testing.T, ring *Ring) {
	t.Helper()
	if ring.Len() == 0 || ring.Len() > maxKeys {
		t.Errorf("ring has %d keys", ring.Len())
	}
	for _, k := range ring.keys {
		if _, secret := k.Public().([]byte); secret {
			t.Error("a secret from a public set")
		}
		if k.algorithm != "" && !jws.Fits(k.algorithm, k.Public()) || !fitsAny("", k.Public()) {
			t.Errorf("a key that does not fit: %s %T", k.algorithm, k.Public())
		}
	}
}
