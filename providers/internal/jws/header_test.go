package jws

import (
	"strings"
	"testing"
)

// Every one of these is signed by the issuer's own key: nothing but the header
// speaks against it, and golang-jwt accepts most of them.
func TestHeadersThatAskForMoreThanASignatureAreRefused(t *testing.T) {
	const (
		noAlg = "header has no alg"
		badID = "header has a kid that cannot be one"
		other = "header has a typ that is not of an access token"
	)
	key := rsaPair()
	for _, tc := range []struct{ name, header, reason string }{
		// Case 25.
		{"alg missing", `{"kid":"k"}`, noAlg},
		{"alg null", `{"alg":null}`, noAlg},
		{"alg a list", `{"alg":["RS256"]}`, noAlg},
		{"alg a number", `{"alg":1}`, noAlg},
		{"alg empty", `{"alg":""}`, noAlg},
		{"alg in another case of the name", `{"Alg":"RS256"}`, noAlg},
		// Case 49, RFC 7515, section 4.1.11: what is critical must be understood.
		{"crit of a known claim", `{"alg":"RS256","crit":["exp"],"exp":1}`, "header has crit"},
		{"crit of a made-up name", `{"alg":"RS256","crit":["bogus"],"bogus":1}`, "header has crit"}, // CVE-2025-59420
		{"crit empty", `{"alg":"RS256","crit":[]}`, "header has crit"},
		{"crit a string", `{"alg":"RS256","crit":"x"}`, "header has crit"},
		{"crit null", `{"alg":"RS256","crit":null}`, "header has crit"},
		{"crit with a name twice", `{"alg":"RS256","crit":["x","x"],"x":1}`, "header has crit"},
		// Case 50, RFC 7797: the payload as it is would have been signed.
		{"b64 false, critical", `{"alg":"RS256","b64":false,"crit":["b64"]}`, "header has crit"},
		{"b64 false, not critical", `{"alg":"RS256","b64":false}`, "header has b64"},
		{"b64 true", `{"alg":"RS256","b64":true}`, "header has b64"},
		// Case 52: parts of a JWE, or a token within a token.
		{"enc", `{"alg":"RS256","enc":"A256GCM"}`, "header has enc"},
		{"zip", `{"alg":"RS256","zip":"DEF"}`, "header has zip"},
		{"cty", `{"alg":"RS256","cty":"JWT"}`, "header has cty"},
		// Cases 43 and 44: a key of the token's own choice (CVE-2018-0114).
		{"jwk", `{"alg":"RS256","jwk":{"kty":"RSA"}}`, "header has jwk"},
		{"jku", `{"alg":"RS256","jku":"https://evil.example/jwks"}`, "header has jku"},
		{"x5u", `{"alg":"RS256","x5u":"https://evil.example/x"}`, "header has x5u"},
		{"x5c", `{"alg":"RS256","x5c":["MII"]}`, "header has x5c"},
		// Case 51, RFC 8725, section 3.11: signed with the same keys, for others.
		{"a DPoP proof", `{"alg":"RS256","typ":"dpop+jwt"}`, other},
		{"a logout token", `{"alg":"RS256","typ":"logout+jwt"}`, other},
		{"a security event", `{"alg":"RS256","typ":"secevent+jwt"}`, other},
		{"an introspection answer", `{"alg":"RS256","typ":"token-introspection+jwt"}`, other},
		{"a typ with a parameter", `{"alg":"RS256","typ":"JWT; x=1"}`, other},
		{"an application type of another kind", `{"alg":"RS256","typ":"application/json"}`, other},
		{"a typ that only ends like one", `{"alg":"RS256","typ":"x/at+jwt"}`, other},
		{"a prefix twice", `{"alg":"RS256","typ":"application/application/jwt"}`, other},
		{"typ empty", `{"alg":"RS256","typ":""}`, other},
		{"typ a number", `{"alg":"RS256","typ":123}`, other},
		{"typ null", `{"alg":"RS256","typ":null}`, other},
		// Case 45: junk that must not cost a fetch of the key set.
		{"kid empty", `{"alg":"RS256","kid":""}`, badID},
		{"kid a number", `{"alg":"RS256","kid":1}`, badID},
		{"kid null", `{"alg":"RS256","kid":null}`, badID},
		{"kid a list", `{"alg":"RS256","kid":["k"]}`, badID},
		{"kid with a line break", `{"alg":"RS256","kid":"k\n"}`, badID},
		{"kid with a NUL", `{"alg":"RS256","kid":"k\u0000"}`, badID},
		{"kid with DEL", `{"alg":"RS256","kid":"k\u007f"}`, badID},
		{"kid beyond ASCII", `{"alg":"RS256","kid":"é"}`, badID},
		{"kid of 257 bytes", `{"alg":"RS256","kid":"` + strings.Repeat("k", 257) + `"}`, badID},
		{"kid of 20 KiB", `{"alg":"RS256","kid":"` + strings.Repeat("k", 20<<10) + `"}`, badID},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantRefused(t, signWith(t, "RS256", key.private, tc.header, payload), key.public, StageHeader, tc.reason)
		})
	}
}

func TestHeadersOfAccessTokensAreRead(t *testing.T) {
	key := rsaPair()
	for _, tc := range []struct {
		header, kid string
		hasKid      bool
	}{
		{`{"alg":"RS256"}`, "", false},
		{`{"alg":"RS256","kid":"k"}`, "k", true},
		// Case 51: both kinds are accepted, neither is demanded (RFC 9068, section 4).
		{`{"alg":"RS256","typ":"JWT"}`, "", false},
		{`{"alg":"RS256","typ":"jwt"}`, "", false},
		{`{"alg":"RS256","typ":"at+jwt"}`, "", false},
		{`{"alg":"RS256","typ":"AT+JWT"}`, "", false},
		{`{"alg":"RS256","typ":"application/at+jwt"}`, "", false},
		{`{"alg":"RS256","typ":"Application/AT+JWT"}`, "", false},
		{`{"alg":"RS256","typ":"application/jwt"}`, "", false},
		// Case 45: names like these are looked up in a map and nowhere else.
		{`{"alg":"RS256","kid":"../../dev/null"}`, "../../dev/null", true},
		{`{"alg":"RS256","kid":"' OR 1=1--"}`, "' OR 1=1--", true},
		{`{"alg":"RS256","kid":"|id"}`, "|id", true},
		{`{"alg":"RS256","kid":"` + strings.Repeat("k", 256) + `"}`, strings.Repeat("k", 256), true},
		// Thumbprints choose no key, and unknown parameters are to be ignored
		// (RFC 7515, section 4).
		{`{"alg":"RS256","x5t":"abc","x5t#S256":"abc","nonce":"n","x":{"y":[1]}}`, "", false},
	} {
		token := signWith(t, "RS256", key.private, tc.header, payload)
		parsed, err := Parse(token)
		if err != nil {
			t.Errorf("%s: %v", tc.header, err)
			continue
		}
		if parsed.Algorithm != "RS256" || parsed.KeyID != tc.kid || parsed.HasKeyID != tc.hasKid {
			t.Errorf("%s: read as %q, %q, %t", tc.header, parsed.Algorithm, parsed.KeyID, parsed.HasKeyID)
		}
		wantAccepted(t, token, key.public, payload)
	}
}

// Reasons go to logs, and the token is a secret.
func TestReasonsDoNotRepeatTheToken(t *testing.T) {
	for _, token := range []string{
		"secret", "secret.secret.secret", encode(`{"alg":"secret","kid":"secret\n"}`) + ".c2VjcmV0.c2VjcmV0",
		encode(`{"secret":1,"secret":2}`) + ".a.b", encode(`{"alg":"RS256","typ":"secret"}`) + ".c2VjcmV0.c2VjcmV0",
	} {
		_, err := check(token, rsaPair().public)
		if err == nil || strings.Contains(err.Error(), "secret") || strings.Contains(err.Error(), "c2VjcmV0") {
			t.Errorf("error is %v", err)
		}
	}
}
