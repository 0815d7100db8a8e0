package providers

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// Cases 118–121, 134b, 134c: what the endpoint may say, and what follows. The
// text before the colon is the kind of answer.
func TestAnswersOfTheIntrospectionEndpoint(t *testing.T) {
	const (
		notBool  = "cannot tell: introspection answer: active is not a boolean"
		notJSON  = "cannot tell: introspection answer: expected a JSON object"
		status   = "cannot tell: introspection endpoint: status "
		refuseUs = "cannot tell: introspection endpoint refuses the gateway's client_id and client_secret: status "
	)
	for body, want := range map[string]string{
		`{"active":true,"sub":"alice"}`:                       "yes: alice",
		` {"active":true,"sub":"alice"}` + "\r\n":             "yes: alice",
		`{"sub":"alice","active":true,"x":{"active":"no"}}`:   "yes: alice",
		`{"active":false}`:                                    "no: introspection: token is not active",
		`{"active":false,"sub":"alice","exp":"x"}`:            "no: introspection: token is not active",
		`{"active":"true","sub":"alice"}`:                     notBool,
		`{"active":"false"}`:                                  notBool, // true, to OGX
		`{"active":1,"sub":"alice"}`:                          notBool,
		`{"active":0}`:                                        notBool,
		`{"active":null,"sub":"alice"}`:                       notBool,
		`{"active":[true],"sub":"alice"}`:                     notBool,
		`{"sub":"alice"}`:                                     notBool,
		`{"Active":true,"sub":"alice"}`:                       notBool,
		`{"data":{"active":true},"sub":"alice"}`:              notBool,
		`{}`:                                                  notBool,
		``:                                                    notJSON,
		`null`:                                                notJSON,
		`true`:                                                notJSON,
		`[{"active":true}]`:                                   notJSON,
		`<html>Please log in</html>`:                          notJSON,
		`eyJhbGciOiJub25lIn0.e30.c2ln`:                        notJSON, // RFC 9701: a signed answer
		`active=true&sub=alice`:                               notJSON,
		"\ufeff" + active(nil):                                notJSON,
		`{"active":true,"sub":"alice"}x`:                      "cannot tell: introspection answer: decoding JSON: bytes after the object",
		`{"active":true,"sub":"alice"`:                        "cannot tell: introspection answer: decoding JSON: syntax error at byte 28",
		`{"active":false,"active":true,"sub":"alice"}`:        "cannot tell: introspection answer: decoding JSON: a member name is there twice",
		`{"active":true,"sub":"alice","\u0073ub":"admin"}`:    "cannot tell: introspection answer: decoding JSON: a member name is there twice",
		"{\"active\":true,\"sub\":\"\xff\"}":                  "cannot tell: introspection answer: decoding JSON: syntax error at byte 22",
		active(map[string]any{"exp": "2999999999"}):           "cannot tell: introspection answer: exp is not a number",
		active(map[string]any{"exp": true}):                   "cannot tell: introspection answer: exp is not a number",
		active(map[string]any{"exp": 1e19}):                   "cannot tell: introspection answer: exp is out of range",
		active(map[string]any{"nbf": "x"}):                    "cannot tell: introspection answer: nbf is not a number",
		active(map[string]any{"iss": 5}):                      "cannot tell: introspection answer: iss is not a string",
		active(map[string]any{"aud": 5}):                      "cannot tell: introspection answer: aud is neither a string nor a list",
		active(map[string]any{"aud": []any{"stack-test", 5}}): "cannot tell: introspection answer: aud has an element that is not a string",
		`{"active":true,"sub":"alice","exp":null}`:            "cannot tell: introspection answer: exp is not a number",
		`201 {"active":true,"sub":"alice"}`:                   status + "201",
		`206 {"active":true,"sub":"alice"}`:                   status + "206",
		`302 {"active":true,"sub":"alice"}`:                   status + "302",
		`400 {"active":true,"sub":"alice"}`:                   status + "400",
		`400 {"error":"invalid_request"}`:                     status + "400",
		`400 {"error":"unsupported_token_type"}`:              "no: introspection endpoint does not know this type of token",
		`401 {"error":"unsupported_token_type"}`:              refuseUs + "401", // of us, and not of the caller
		`401 {"error":"invalid_client"}`:                      refuseUs + "401",
		`403 {"active":false}`:                                refuseUs + "403",
		`404 {"active":false}`:                                status + "404",
		`429 {"active":false}`:                                status + "429",
		`500 {"active":false}`:                                status + "500",
		`503 {"active":true,"sub":"alice"}`:                   status + "503",
	} {
		synctest.Test(t, func(t *testing.T) {
			code := http.StatusOK
			text := body
			if _, err := fmt.Sscanf(body, "%d ", &code); err == nil {
				_, text, _ = strings.Cut(body, " ")
			} else {
				code = http.StatusOK
			}
			o := newIntrospector(t, saying(code, text), introspecting)
			if got := describe(askKind(t, o, "t")); got != want {
				t.Errorf("%s\n gives %s\n want %s", body, got, want)
			}
		})
	}
}

// Cases 125, 131: what the gateway finds out for itself about a token that the
// endpoint calls active.
func TestAnActiveTokenIsCheckedHereToo(t *testing.T) {
	const plain = introspecting
	demanding := strings.Replace(introspecting, "client_id gw", "client_id gw\naudience_required", 1)
	withoutIssuer := strings.TrimPrefix(demanding, "issuer "+idp+"\n")
	const (
		wrongIssuer   = "no: iss is not the configured issuer"
		wrongAudience = "no: aud has none of the configured audiences"
		noIssuer      = "no: answer has no iss, which audience_required demands"
		noAudience    = "no: answer has no aud, which audience_required demands"
		otherType     = "no: token is not an access token but of another type"
		bound         = "no: token is bound to a key, and was shown as a bearer token"
	)
	for _, tc := range []struct {
		lines string
		over  map[string]any
		want  string
	}{
		{plain, nil, "yes: alice"},
		{plain, map[string]any{"iss": idp}, "yes: alice"},
		{plain, map[string]any{"iss": idp + "/"}, wrongIssuer},
		{plain, map[string]any{"iss": strings.ToUpper(idp)}, wrongIssuer},
		{plain, map[string]any{"iss": ""}, wrongIssuer},
		{plain, map[string]any{"iss": "https://other.example"}, wrongIssuer},
		{plain + "skip_issuer_check", map[string]any{"iss": "https://other.example"}, "yes: alice"},
		{plain, map[string]any{"aud": testissuer.Audience}, "yes: alice"},
		{plain, map[string]any{"aud": []string{"x", testissuer.Audience}}, "yes: alice"},
		{plain, map[string]any{"aud": "other"}, wrongAudience},
		{plain, map[string]any{"aud": []string{"other"}}, wrongAudience},
		{plain, map[string]any{"aud": []string{}}, wrongAudience},
		{plain, map[string]any{"aud": ""}, wrongAudience},
		{plain, map[string]any{"aud": strings.ToUpper(testissuer.Audience)}, wrongAudience},
		{plain + "skip_audience_check", map[string]any{"aud": "other"}, "yes: alice"},
		{demanding, nil, noIssuer},
		{demanding, map[string]any{"iss": idp}, noAudience},
		{demanding, map[string]any{"aud": testissuer.Audience}, noIssuer},
		{demanding, map[string]any{"iss": idp, "aud": testissuer.Audience}, "yes: alice"},
		{demanding, map[string]any{"iss": idp, "aud": "other"}, wrongAudience},
		{withoutIssuer, map[string]any{"aud": testissuer.Audience}, "yes: alice"},
		{withoutIssuer, map[string]any{"aud": testissuer.Audience, "iss": "https://any.example"}, "yes: alice"},
		{withoutIssuer, nil, noAudience},
		{plain, map[string]any{"token_type": "Bearer"}, "yes: alice"},
		{plain, map[string]any{"token_type": "access_token", "token_use": "access", "typ": "at+jwt"}, "yes: alice"},
		{plain, map[string]any{"typ": "Bearer", "token_type": "urn:ietf:params:oauth:token-type:access_token"}, "yes: alice"},
		{plain, map[string]any{"token_type": "refresh_token"}, otherType},
		{plain, map[string]any{"token_type": "Refresh-Token"}, otherType},
		{plain, map[string]any{"token_type": "REFRESH TOKEN"}, otherType},
		{plain, map[string]any{"token_type": "urn:ietf:params:oauth:token-type:refresh_token"}, otherType},
		{plain, map[string]any{"token_type": "URN:ietf:params:oauth:token-type:ID_token"}, otherType},
		{plain, map[string]any{"token_type": "DPoP"}, otherType},
		{plain, map[string]any{"token_type": "mac"}, otherType},
		{plain, map[string]any{"typ": "Refresh"}, otherType},
		{plain, map[string]any{"typ": "Offline"}, otherType},
		{plain, map[string]any{"typ": "ID", "token_type": "Bearer"}, otherType},
		{plain, map[string]any{"token_use": "id"}, otherType},
		{plain, map[string]any{"token_use": "refresh_token"}, otherType},
		{plain, map[string]any{"token_type": []string{"refresh_token"}}, "no: token_type is not a string"},
		{plain, map[string]any{"typ": 1}, "no: typ is not a string"},
		{plain, map[string]any{"cnf": map[string]any{"jkt": "x"}}, bound},
		{plain, map[string]any{"cnf": "x"}, bound},
		// Who it is: sub, username, client_id, and nobody twice.
		{plain, map[string]any{"sub": nil, "username": "alice"}, "yes: username:alice"},
		{plain, map[string]any{"sub": nil, "client_id": "alice"}, "yes: client_id:alice"},
		{plain, map[string]any{"sub": nil, "username": "a", "client_id": "b"}, "yes: username:a"},
		{plain, map[string]any{"username": "a", "client_id": "b"}, "yes: alice"},
		{plain, map[string]any{"sub": nil}, "no: no claim to take the principal from"},
		{plain, map[string]any{"sub": ""}, "no: claim sub is not a string with something in it"},
		{plain, map[string]any{"sub": 5, "username": "a"}, "no: claim sub is not a string with something in it"},
		{plain, map[string]any{"sub": " admin"}, "no: claim sub begins or ends with a blank"},
		{plain, map[string]any{"sub": "username:alice"}, "no: claim sub could be taken for a principal from another claim"},
		{plain, map[string]any{"sub": "client_id:alice"}, "no: claim sub could be taken for a principal from another claim"},
		{plain, map[string]any{"Sub": "admin", "SUB": "admin"}, "yes: alice"},
		{plain + "principal_claim client_id", map[string]any{"client_id": "c"}, "yes: c"},
		{plain + "principal_prefix p:", nil, "yes: p:alice"},
		{plain + "max_token_lifetime 1h", nil, "no: answer has no exp or iat, which max_token_lifetime needs"},
		{plain + "max_token_lifetime 1h", map[string]any{"iat": 946684800, "exp": 946688400 + 99999}, "no: token lives for 28h46m39s, longer than max_token_lifetime"},
		{plain + "max_token_lifetime 2d", map[string]any{"iat": 946684800, "exp": 946688400 + 99999}, "yes: alice"},
	} {
		synctest.Test(t, func(t *testing.T) { // in which it is the year 2000
			o := newIntrospector(t, saying(http.StatusOK, active(tc.over)), tc.lines)
			for range 2 { // asked, and remembered
				if got := describe(askKind(t, o, "t")); got != tc.want {
					t.Errorf("%v with\n%s\n gives %s, want %s", tc.over, tc.lines, got, tc.want)
				}
			}
		})
	}
}

// Whatever the endpoint answers: a yes only to one JSON object with active true
// that names somebody, and never a panic.
func FuzzIntrospectionAnswer(f *testing.F) {
	for _, seed := range []string{
		active(nil), `{"active":false}`, `{"active":"true"}`, `{"active":true,"active":false}`, `[]`, ``, "\xff",
		active(map[string]any{"exp": 1e300}), active(map[string]any{"aud": []string{"stack-test"}, "iss": idp}),
	} {
		f.Add([]byte(seed), 200)
	}
	o := newKind[*OAuth2Token](f, "oauth2_token", introspecting)
	f.Fuzz(func(t *testing.T, body []byte, status int) {
		a := o.readIntrospection(replyOf(status, body))
		if !isAnswer(a) {
			t.Fatalf("%v is no answer", a)
		}
		yes, ok := a.(*Yes)
		if !ok {
			return
		}
		var plain struct {
			Active any `json:"active"`
		}
		if err := json.Unmarshal(body, &plain); err != nil || plain.Active != true || status != http.StatusOK {
			t.Errorf("%d %q says yes, to %s", status, body, yes.User.Principal)
		}
	})
}
