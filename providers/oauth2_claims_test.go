package providers

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// Cases 66 to 90. Each token is signed by the issuer's own key and differs
// from a good one in this alone. Claims are given as JSON text, for the ways
// in which JSON can be written are among the cases.
func TestTokensWhoseClaimsAreNotRightAreRefused(t *testing.T) {
	const (
		expRange  = "claims: exp is out of range"
		notNumber = "claims: exp is not a number"
		missing   = "exp, iss or aud is missing"
		audience  = "aud has none of the configured audiences"
		audElem   = "claims: aud has an element that is not a string"
		audKind   = "claims: aud is neither a string nor a list"
		nobody    = "no claim to take the principal from"
		noSub     = "claim sub is not a string with something in it"
		twice     = "claims: decoding JSON: a member name is there twice"
		bound     = "claims: token is bound to a key, and was shown as a bearer token"
	)
	for _, tc := range []struct{ name, over, reason string }{
		{"66: exp absent", `"exp":~`, missing}, // RFC 9068, section 2.2
		{"67: exp 0", `"exp":0`, reasonExpired},
		{"67: exp 0.0", `"exp":0.0`, reasonExpired},
		{"67: exp -1", `"exp":-1`, reasonExpired},
		{"68: exp a string", `"exp":"1795297020"`, notNumber},
		{"69: exp true", `"exp":true`, notNumber},
		{"69: exp a list", `"exp":[]`, notNumber},
		{"69: exp an object", `"exp":{}`, notNumber},
		{"69: exp null", `"exp":null`, notNumber},
		{"69: exp an empty string", `"exp":""`, notNumber},
		// int64(float) wraps, and the end of time is in the past, or the past
		// in the future.
		{"70: exp 1e19", `"exp":1e19`, expRange},
		{"70: exp 1e300", `"exp":1e300`, expRange},
		{"70: exp 1e400", `"exp":1e400`, expRange},
		{"70: exp 2^63-1", `"exp":9223372036854775807`, expRange},
		{"70: exp 2^53+2", `"exp":9007199254740994`, expRange},
		{"70: exp -1e19", `"exp":-1e19`, expRange},
		{"72: exp a second ago", `"exp":@-1`, reasonExpired},
		{"72: exp now", `"exp":@+0`, reasonExpired},
		{"73: nbf in an hour", `"nbf":@+3600`, "token is not valid yet (nbf)"},
		{"73: nbf in a second", `"nbf":@+1`, "token is not valid yet (nbf)"},
		{"73: nbf a string", `"nbf":"1"`, "claims: nbf is not a number"},
		{"73: nbf null", `"nbf":null`, "claims: nbf is not a number"},
		{"73: nbf 1e19, which wraps into the past", `"nbf":1e19`, "claims: nbf is out of range"},
		{"73: nbf 1e300", `"nbf":1e300`, "claims: nbf is out of range"},
		{"74: iat in an hour", `"iat":@+3600`, "token was issued in the future (iat)"},
		{"74: iat a string", `"iat":"x"`, "claims: iat is not a number"},
		{"74: iat 1e300", `"iat":1e300`, "claims: iat is out of range"},
		{"76: sub missing", `"sub":~`, nobody},
		{"76: sub null", `"sub":null`, nobody},
		{"76: sub empty", `"sub":""`, noSub},
		{"76: sub a number", `"sub":5`, noSub},
		{"76: sub a list", `"sub":["a"]`, noSub},
		{"76: sub an object", `"sub":{"a":"b"}`, noSub},
		{"76: sub true", `"sub":true`, noSub},
		{"77: sub twice", `"sub":"alice","sub":"admin"`, twice},
		{"77: sub twice, escaped", `"sub":"alice","s\u0075b":"admin"`, twice},
		{"77: aud twice", `"aud":"stack-test","aud":"other"`, twice},
		{"77: exp twice", `"exp":@+60,"exp":@+99999`, twice},
		{"78: Sub without sub", `"sub":~,"Sub":"admin"`, nobody},
		{"78: \u017fub without sub", `"sub":~,"\u017fub":"admin"`, nobody},
		{"79: sub with CR and LF", `"sub":"a\r\nX: y"`, "principal has the unprintable character U+000D"},
		{"79: sub with NUL", `"sub":"a\u0000"`, "principal has the unprintable character U+0000"},
		{"79: sub with DEL", `"sub":"a\u007f"`, "principal has the unprintable character U+007F"},
		{"79: sub with ESC", `"sub":"\u001b[2Jadmin"`, "principal has the unprintable character U+001B"},
		{"80: sub with blanks around it", `"sub":" admin "`, "claim sub begins or ends with a blank"},
		{"80: sub of blanks", `"sub":"  "`, "claim sub begins or ends with a blank"},
		{"82: sub that is not UTF-8", "\"sub\":\"a\xff\"", "claims: decoding JSON: syntax error at byte 72"},
		{"82: sub with a lone surrogate", `"sub":"a\ud800"`, "claims: decoding JSON: syntax error at byte 72"},
		{"83: sub of 257 bytes", `"sub":"` + strings.Repeat("s", 257) + `"`, "principal has 257 bytes, more than 256"},
		{"83: sub of 16 KiB", `"sub":"` + strings.Repeat("s", 16<<10) + `"`, "principal has 16384 bytes, more than 256"},
		{"85: aud missing", `"aud":~`, missing},
		{"85: aud an empty list", `"aud":[]`, missing},
		{"85: aud empty", `"aud":""`, missing},
		{"85: aud null", `"aud":null`, missing},
		{"85: aud a number", `"aud":5`, audKind},
		{"85: aud an object", `"aud":{"stack-test":true}`, audKind},
		{"85: aud true", `"aud":true`, audKind},
		{"85: aud with a number", `"aud":["stack-test",5]`, audElem},
		{"85: aud with null", `"aud":[null,"stack-test"]`, audElem},
		{"85: aud nested", `"aud":[["stack-test"]]`, audElem},
		{"85: aud in another case", `"aud":"STACK-TEST"`, audience},
		{"85: aud with more behind", `"aud":"stack-test x"`, audience},
		{"85: aud of another service", `"aud":["other","stack"]`, audience},
		{"85: aud with an empty string", `"aud":["",""]`, audience},
		{"85: Aud in another spelling", `"aud":~,"Aud":"stack-test"`, missing},
		// Case 90, RFC 9449, section 7.2, and RFC 8705, section 3.
		{"90: bound to a DPoP key", `"cnf":{"jkt":"x"}`, bound},
		{"90: bound to a certificate", `"cnf":{"x5t#S256":"x"}`, bound},
		{"90: bound to nothing that is known", `"cnf":{}`, bound},
		{"90: bound in a way that nobody writes", `"cnf":"x"`, bound},
		// Case 62.
		{"62: bytes behind the claims", `"a":1}{"b":2`, "claims: decoding JSON: bytes after the object"},
		{"more levels than any token has", `"a":` + strings.Repeat("[", 40) + strings.Repeat("]", 40), "claims: decoding JSON: more than 32 levels"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := newIssuer()
				o := newProvider(t, issuer, usual)
				wantYes(t, o.ask(t, sign(issuer, "")), "alice") // the positive control
				token := sign(issuer, tc.over)
				wantNo(t, o.ask(t, token), tc.reason)
				// A second time, for an answer might have been kept.
				wantNo(t, o.ask(t, token), tc.reason)
				if n := o.answers.yeses.Len(); n != 1 {
					t.Errorf("%d answers are kept", n)
				}
			})
		})
	}
}

// claimsJSON returns the claims of a good token as JSON text, with members
// given as text put over it: `"name":~` takes one away, @+n is n seconds from
// now.
func claimsJSON(issuer *testissuer.Issuer, over string) []byte {
	now := time.Now()
	base := map[string]string{
		"iss": fmt.Sprintf("%q", issuer.URL), "aud": fmt.Sprintf("%q", testissuer.Audience), "sub": `"alice"`,
		"exp": fmt.Sprint(now.Add(time.Hour).Unix()),
	}
	var parts []string
	for _, name := range []string{"iss", "aud", "exp", "sub"} {
		if strings.Contains(over, `"`+name+`":`) {
			for _, gone := range []string{`"` + name + `":~,`, `,"` + name + `":~`, `"` + name + `":~`} {
				over = strings.Replace(over, gone, "", 1)
			}
			continue
		}
		parts = append(parts, fmt.Sprintf("%q:%s", name, base[name]))
	}
	for _, sign := range []string{"+", "-"} {
		for before, after, found := strings.Cut(over, "@"+sign); found; before, after, found = strings.Cut(over, "@"+sign) {
			digits := after[:len(after)-len(strings.TrimLeft(after, "0123456789"))]
			var n int64
			_, _ = fmt.Sscan(digits, &n)
			if sign == "-" {
				n = -n
			}
			over = fmt.Sprint(before, now.Unix()+n, after[len(digits):])
		}
	}
	if over != "" {
		parts = append(parts, over)
	}
	return []byte("{" + strings.Join(parts, ",") + "}")
}

func sign(issuer *testissuer.Issuer, over string) string {
	key := testissuer.NewKey("key-1", "RS256")
	return key.SignRaw([]byte(`{"alg":"RS256","kid":"key-1"}`), claimsJSON(issuer, over))
}

func TestTokensWhoseClaimsAreRightAreAccepted(t *testing.T) {
	for _, tc := range []struct{ name, over, principal string }{
		{"audience among others", `"aud":["x","stack-test"]`, "alice"},
		{"audience in a list alone", `"aud":["stack-test"]`, "alice"},
		{"exp with a fraction", `"exp":@+10.5`, "alice"},
		{"exp with an exponent", `"exp":9.5e8`, "alice"},
		{"exp very far away", `"exp":1e15`, "alice"}, // case 75: max_token_lifetime is for this
		{"exp at the end of exact numbers", `"exp":9007199254740992`, "alice"},
		{"nbf now", `"nbf":@+0`, "alice"},
		{"iat now", `"iat":@+0`, "alice"},
		{"nbf 0", `"nbf":0,"iat":0`, "alice"},
		// Case 78: only the exact name counts; struct decoding gives admin.
		{"sub beside Sub and SUB", `"sub":"alice","Sub":"admin","SUB":"admin","\u017fub":"admin"`, "alice"},
		// Case 82: passed on as it is, byte for byte.
		{"sub beyond ASCII", `"sub":"J\u00fcrgen \u20ac"`, "Jürgen €"},
		{"cnf null", `"cnf":null`, "alice"},
		{"claims that nobody asked for", `"nonce":"n","at_hash":"h","azp":5,"x":{"y":[null]}`, "alice"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				issuer := newIssuer()
				wantYes(t, newProvider(t, issuer, usual).ask(t, sign(issuer, tc.over)), tc.principal)
			})
		})
	}
}

// Case 62: a payload that is no object at all has no issuer, so it is nobody's.
func TestPayloadsThatAreNoObjectAreNotMine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		key := testissuer.NewKey("key-1", "RS256")
		o := newProvider(t, issuer, usual)
		good := string(claimsJSON(issuer, ""))
		for _, payload := range []string{"null", "[]", `"x"`, "1", "x", "\ufeff" + good, "[" + good + "]"} {
			wantNotMine(t, o.ask(t, key.SignRaw([]byte(`{"alg":"RS256","kid":"key-1"}`), []byte(payload))))
		}
		if issuer.Fetches() != 0 {
			t.Error("somebody else's token cost a fetch")
		}
		// Without the issuer to tell, the claims are looked at, and refused.
		any := newProvider(t, issuer, "skip_issuer_check\njwks {\n uri "+idp+"/jwks\n}\naudience "+testissuer.Audience)
		for _, payload := range []string{"null", "[]", "\ufeff" + good} {
			wantNo(t, any.ask(t, key.SignRaw([]byte(`{"alg":"RS256","kid":"key-1"}`), []byte(payload))), "claims: expected a JSON object")
		}
		wantNo(t, any.ask(t, sign(issuer, `"iss":5`)), "claims: iss is not a string")
		wantNo(t, any.ask(t, sign(issuer, `"iss":null`)), "claims: iss is not a string")
		wantYes(t, any.ask(t, sign(issuer, `"iss":"https://anybody.example"`)), "alice")
		wantYes(t, any.ask(t, sign(issuer, `"iss":~`)), "alice")
	})
}

// jwt.Claims has methods that the validator does not ask for today.
func TestTokenClaimsAnswerAsTheClaimsSay(t *testing.T) {
	for text, want := range map[string]string{`{"sub":"alice"}`: "alice", `{"sub":5}`: "", `{}`: ""} {
		c, err := readTokenClaims([]byte(text))
		if err != nil {
			t.Fatal(err)
		}
		if sub, err := c.GetSubject(); err != nil || sub != want {
			t.Errorf("%s: subject %q, %v", text, sub, err)
		}
	}
}

// The reason of every fault that the validator knows, and of one it may learn.
func TestReasonsAreOurWords(t *testing.T) {
	if got := validationReason(fmt.Errorf("something with eyJhbGci in it")); got != "claims are not valid" {
		t.Errorf("reason is %q", got)
	}
}

// Of a token with several faults the one is told that no new token from the
// same place would heal; expired_token sends clients to refresh.
func TestATokenIsOnlyCalledExpiredIfNothingElseIsWrong(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		o := newProvider(t, issuer, usual)
		for over, reason := range map[string]string{
			`"exp":@-5`:                 reasonExpired,
			`"exp":@-5,"aud":"x"`:       "aud has none of the configured audiences",
			`"exp":@-5,"aud":~`:         "exp, iss or aud is missing",
			`"exp":@-5,"nbf":@+9`:       "token is not valid yet (nbf)",
			`"exp":@-5,"iat":@+9`:       "token was issued in the future (iat)",
			`"exp":@-5,"sub":~`:         reasonExpired,
			`"exp":@-5,"iat":@-9999999`: reasonExpired,
		} {
			wantNo(t, o.ask(t, sign(issuer, over)), reason)
		}
	})
}

// mustJSON is for claims that are easier said in Go.
func mustJSON(t testing.TB, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
