package providers

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
)

// fingerprintOfK is `key:` and the first 128 bits of SHA-256("custom\x00k").
const fingerprintOfK = "key:19ac0cb2e5b74884a33e29d2724f58d4"

// saidOf describes an answer: principal|tenant|attributes of a yes.
func saidOf(a Answer) string {
	if yes, ok := a.(*Yes); ok {
		return yes.User.Principal + "|" + yes.User.Tenant + "|" + yes.User.Attributes.JSON()
	}
	return describe(a)
}

// judgeAnswer lets an endpoint give the answer about the key `k`, and returns
// what the provider says.
func judgeAnswer(t *testing.T, lines string, answer http.HandlerFunc) (said string) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		p := newCustom(t, "https://auth.example/check?secret=hush", lines)
		p.reaches(answer)
		said = saidOf(askKind(t, p, "k"))
	})
	return said
}

func TestTheAnswerSaysWhoCalls(t *testing.T) {
	const mapped = "claims_mapping {\n attributes.groups teams\n scope scopes\n user.org.name projects\n}\n"
	own := fingerprintOfK + `||{"namespaces":["` + fingerprintOfK + `"]}`
	for name, tc := range map[string]struct{ lines, body, want string }{
		// The very first endpoints said no more than yes.
		"an empty object":        {"", `{}`, own},
		"blanks around":          {"", " {\n}\r\n", own},
		"a message":              {"", `{"message":"Authentication successful"}`, own},
		"a message of any form":  {"", `{"message":{"a":[1]}}`, own},
		"what it does not know":  {"", `{"expires_in":3600,"user":{"Principal":"x"},"scope":null}`, own},
		"the documented answer":  {"", `{"access_attributes":{"roles":["admin","user"],"teams":["ml-team","nlp-team"],"projects":["llama-3","project-x"],"namespaces":["research"]},"message":"optional"}`, fingerprintOfK + `||{"namespaces":["research"],"projects":["llama-3","project-x"],"roles":["admin","user"],"teams":["ml-team","nlp-team"]}`},
		"OGX's answer":           {"", `{"principal":"alice","attributes":{"roles":["admin"]},"message":null}`, `alice||{"roles":["admin"]}`},
		"access_attributes":      {"", `{"principal":"alice","access_attributes":{"roles":["admin"]}}`, `alice||{"roles":["admin"]}`},
		"a principal alone":      {"", `{"principal":"alice"}`, `alice||{"namespaces":["` + fingerprintOfK + `"]}`},
		"attributes null":        {"", `{"principal":"alice","attributes":null}`, `alice||{"namespaces":["` + fingerprintOfK + `"]}`},
		"everything null":        {"", `{"principal":null,"attributes":null,"access_attributes":null,"message":null}`, own},
		"one of the two null":    {"", `{"principal":"alice","attributes":null,"access_attributes":{"roles":["a"]}}`, `alice||{"roles":["a"]}`},
		"nothing in them":        {"", `{"principal":"alice","attributes":{}}`, `alice||{"namespaces":["` + fingerprintOfK + `"]}`},
		"nothing in any of them": {"", `{"principal":"alice","attributes":{"roles":[],"teams":null}}`, `alice||{"namespaces":["` + fingerprintOfK + `"]}`},
		"a category null":        {"", `{"principal":"alice","access_attributes":{"roles":["a"],"teams":null,"projects":null}}`, `alice||{"roles":["a"]}`},
		"values unsplit":         {"", `{"principal":"alice","attributes":{"roles":["a b","c,d","a b"," e"]}}`, `alice||{"roles":["a b","c,d"," e"]}`},
		"names as they are":      {"", `{"principal":"alice","attributes":{"Roles":["a"],"roles":["b"],"my-own_1":["c"]}}`, `alice||{"Roles":["a"],"my-own_1":["c"],"roles":["b"]}`},
		"names that none has":    {"", `{"principal":"alice","attributes":{"id":["root"],"a b":["c"],"":["d"],"roles":["e"]}}`, `alice||{"roles":["e"]}`},
		"such names alone":       {"", `{"principal":"alice","attributes":{"id":["root"]}}`, `alice||{}`},
		"a principal in UTF-8":   {"", `{"principal":"J\u00f6rg 1"}`, `Jörg 1||{"namespaces":["` + fingerprintOfK + `"]}`},
		"a principal and a name": {"", `{"principal":"x","name":"y","principals":["z"],"principal_name":"w"}`, `x||{"namespaces":["` + fingerprintOfK + `"]}`},

		"prefix":                 {"principal_prefix c:", `{"principal":"alice"}`, `c:alice||{"namespaces":["c:` + fingerprintOfK + `"]}`},
		"prefix of a key":        {"principal_prefix c:", `{}`, `c:` + fingerprintOfK + `||{"namespaces":["c:` + fingerprintOfK + `"]}`},
		"another claim":          {"principal_claim user.id", `{"user":{"id":"u1"},"principal":"alice"}`, `u1||{"namespaces":["` + fingerprintOfK + `"]}`},
		"another claim, absent":  {"principal_claim user.id", `{"principal":"alice"}`, own},
		"the second claim":       {"principal_claim principal email", `{"email":"a@example.com"}`, `email:a@example.com||{"namespaces":["` + fingerprintOfK + `"]}`},
		"a principal of objects": {"principal_claim principal.id", `{"principal":{"id":"u1"}}`, `u1||{"namespaces":["` + fingerprintOfK + `"]}`},

		"mapped":                  {mapped, `{"principal":"alice","attributes":{"groups":["a b"],"roles":["admin"]},"scope":"read write","user":{"org":{"name":["o"]}}}`, `alice||{"projects":["o"],"scopes":["read","write"],"teams":["a b"]}`},
		"mapped, nothing there":   {mapped, `{"principal":"alice"}`, `alice||{}`},
		"mapped, by another name": {mapped, `{"principal":"alice","access_attributes":{"groups":["a"]}}`, `alice||{}`},
		"mapped to nothing":       {"claims_mapping {\n}\n", `{"principal":"alice","attributes":{"roles":["admin"]}}`, `alice||{}`},
		"ogx":                     {"claims_mapping ogx", `{"principal":"alice","sub":"root","username":"root","attributes":{"groups":["a"]}}`, `alice||{"groups":["a"]}`},
		"ogx, none":               {"claims_mapping ogx", `{}`, own},
		"ogx and more":            {"claims_mapping ogx {\n attributes.groups teams\n}", `{"principal":"alice","attributes":{"groups":["a"]}}`, `alice||{"groups":["a"],"teams":["a"]}`},
		"ogx and more, none":      {"claims_mapping ogx {\n groups teams\n}", `{"principal":"alice"}`, `alice||{}`},

		"tenant":                {"tenant_claim org.id", `{"principal":"alice","org":{"id":" Acme "},"attributes":{"org":["x"]}}`, `alice|acme|{"org":["x"]}`},
		"tenant of a key":       {"tenant_claim tenant", `{"tenant":"acme"}`, fingerprintOfK + `|acme|{"namespaces":["` + fingerprintOfK + `"]}`},
		"tenant, none":          {"tenant_claim tenant", `{"tenant":null,"principal":"alice"}`, `alice||{"namespaces":["` + fingerprintOfK + `"]}`},
		"tenant not from there": {"tenant_claim tenant", `{"principal":"alice","attributes":{"tenant":["acme"]}}`, `alice||{"tenant":["acme"]}`},
		"tenant that is none":   {"tenant_claim tenant", `{"principal":"alice","tenant":"a b"}`, "no: tenant is not of the form [a-z0-9][a-z0-9_-]*"},
		"tenant, a number":      {"tenant_claim tenant", `{"principal":"alice","tenant":1}`, "no: claim tenant is not a string"},

		"an edge blank":         {"", `{"principal":" admin"}`, "no: claim principal begins or ends with a blank"},
		"an edge blank, prefix": {"principal_prefix c:", `{"principal":" admin"}`, "no: claim principal begins or ends with a blank"},
		"a line end":            {"", `{"principal":"a\r\nX-Auth-User-Id: admin"}`, "no: principal has the unprintable character U+000D"},
		"NUL":                   {"", `{"principal":"a\u0000"}`, "no: principal has the unprintable character U+0000"},
		"a direction mark":      {"", `{"principal":"a\u202e"}`, "no: principal has the unprintable character U+202E"},
		"too long":              {"", `{"principal":"` + strings.Repeat("a", 257) + `"}`, "no: principal has 257 bytes, more than 256"},
		"like another claim's":  {"principal_claim principal email", `{"principal":"email:root@example.com"}`, "no: claim principal could be taken for a principal from another claim"},
		"like a fingerprint":    {"", `{"principal":"` + fingerprintOfK + `"}`, "no: principal could be taken for the fingerprint of a key"},
		"like one, by a claim":  {"principal_claim principal key", `{"key":"` + fingerprintOfK[4:] + `"}`, "no: principal could be taken for the fingerprint of a key"},
		"less like one":         {"", `{"principal":"key:19AC0CB2E5B74884A33E29D2724F58D4"}`, `key:19AC0CB2E5B74884A33E29D2724F58D4||{"namespaces":["` + fingerprintOfK + `"]}`},
	} {
		if got := judgeAnswer(t, tc.lines, saying(http.StatusOK, tc.body)); got != tc.want {
			t.Errorf("%s: %s\nis      %s\nwant it %s", name, tc.body, got, tc.want)
		}
	}
}

// Case 137: an answer that two readers could read differently, or that is not
// one at all, says nothing. Nobody gets in by it, and nobody is told that their
// key is bad.
func TestAnAnswerInTwoMindsSaysNothing(t *testing.T) {
	for body, want := range map[string]string{
		"":                                      "expected a JSON object",
		"OK":                                    "expected a JSON object",
		"true":                                  "expected a JSON object",
		"null":                                  "expected a JSON object",
		"[]":                                    "expected a JSON object",
		`"principal"`:                           "expected a JSON object",
		"<html></html>":                         "expected a JSON object",
		"\ufeff{}":                              "expected a JSON object",
		`{"principal":"alice"`:                  "decoding JSON: syntax error at byte 20",
		`{"principal":"alice"} {}`:              "decoding JSON: bytes after the object",
		`{"principal":"alice",}`:                "decoding JSON: syntax error at byte 20",
		"{\"principal\":\"a\xe9\"}":             "decoding JSON: syntax error at byte 15",
		`{"principal":"a\ud800"}`:               "decoding JSON: syntax error at byte 15",
		`{"principal":"a","principal":"admin"}`: "decoding JSON: a member name is there twice",
		`{"principal":"a","\u0070rincipal":"admin"}`:                         "decoding JSON: a member name is there twice",
		`{"attributes":{"roles":["a"],"roles":["admin"]}}`:                   "decoding JSON: a member name is there twice",
		`{"x":{"a":1,"a":2}}`:                                                "decoding JSON: a member name is there twice",
		`{"x":` + strings.Repeat("[", 40) + strings.Repeat("]", 40) + `}`:    "decoding JSON: more than 32 levels",
		`{"principal":""}`:                                                   "principal is not a string with something in it",
		`{"principal":0}`:                                                    "principal is not a string with something in it",
		`{"principal":false}`:                                                "principal is not a string with something in it",
		`{"principal":["alice"]}`:                                            "principal is not a string with something in it",
		`{"principal":{"id":"alice"}}`:                                       "principal is not a string with something in it",
		`{"Principal":"admin"}`:                                              "it has a member that is principal but for its spelling",
		`{"principal":"alice","PRINCIPAL":"admin"}`:                          "it has a member that is principal but for its spelling",
		`{"Attributes":{"roles":["a"]}}`:                                     "it has a member that is attributes but for its spelling",
		`{"attribute\u017f":{"roles":["a"]}}`:                                "it has a member that is attributes but for its spelling",
		`{"accessAttributes":{"roles":["a"]}}`:                               "it has a member that is access_attributes but for its spelling",
		`{"access-attributes":{"roles":["a"]}}`:                              "it has a member that is access_attributes but for its spelling",
		`{"Access_Attributes":null}`:                                         "it has a member that is access_attributes but for its spelling",
		`{"Message":"x"}`:                                                    "it has a member that is message but for its spelling",
		`{"attributes":{"roles":["a"]},"access_attributes":{"roles":["a"]}}`: "it has both attributes and access_attributes",
		`{"attributes":{},"access_attributes":{}}`:                           "it has both attributes and access_attributes",
		`{"attributes":[]}`:                                                  "attributes is not an object",
		`{"attributes":"admin"}`:                                             "attributes is not an object",
		`{"attributes":false}`:                                               "attributes is not an object",
		`{"access_attributes":0}`:                                            "access_attributes is not an object",
		`{"attributes":{"roles":"admin"}}`:                                   "attributes has a member that is not a list",
		`{"attributes":{"roles":{"0":"admin"}}}`:                             "attributes has a member that is not a list",
		`{"access_attributes":{"roles":true}}`:                               "access_attributes has a member that is not a list",
		`{"attributes":{"roles":["admin",1]}}`:                               "attributes has a value that is not a string",
		`{"attributes":{"roles":["admin",null]}}`:                            "attributes has a value that is not a string",
		`{"attributes":{"roles":[["admin"]]}}`:                               "attributes has a value that is not a string",
	} {
		if got, want := judgeAnswer(t, "", saying(http.StatusOK, body)), "cannot tell: endpoint's answer: "+want; got != want {
			t.Errorf("%s\nis      %s\nwant it %s", body, got, want)
		}
	}
	// The same where the configuration reads other members than ours.
	for lines, body := range map[string]string{
		"principal_claim user.id":                      `{"user":{"id":1}}`,
		"principal_claim user.id email":                `{"user":{"id":""},"email":"a@example.com"}`,
		"principal_claim user email":                   `{"email":["a@example.com"]}`,
		"claims_mapping {\n groups teams\n}":           `{"groups":["a"],"attributes":{"roles":"admin"}}`,
		"principal_claim user.id\nclaims_mapping {\n}": `{"user":{"id":"a"},"Principal":"b"}`,
	} {
		if got := judgeAnswer(t, lines, saying(http.StatusOK, body)); !strings.HasPrefix(got, "cannot tell: endpoint's answer: ") {
			t.Errorf("%s %s: %s", lines, body, got)
		}
	}
}

// Case 138: only 200, 401 and 403 say something of a key. The body of a refusal
// is not looked at.
func TestTheStatusSaysWhetherTheKeyIsGood(t *testing.T) {
	for status := 200; status < 600; status++ {
		var want string
		switch status {
		case http.StatusOK:
			want = `alice||{"namespaces":["` + fingerprintOfK + `"]}`
		case http.StatusUnauthorized:
			want = "no: endpoint refuses the credential: status 401"
		case http.StatusForbidden:
			want = "no: endpoint refuses the credential: status 403"
		default:
			want = "cannot tell: endpoint: status "
		}
		got := judgeAnswer(t, "", saying(status, `{"principal":"alice"}`))
		if got != want && (status == 200 || status == 401 || status == 403 || !strings.HasPrefix(got, want)) {
			t.Errorf("%d: %s, want %s", status, got, want)
		}
	}
}

// A fingerprint stands for one key at one provider, says nothing of the key, and
// is a principal like any other.
func TestAFingerprintIsOfOneKeyAtOneProvider(t *testing.T) {
	e := newEndpoint(t, saying(http.StatusOK, `{}`))
	seen := make(map[string]string)
	for _, name := range []string{"custom", "one", "two"} {
		p := loadCustomJSON(t, `{"name": "`+name+`", "endpoint": "`+e.URL+`"}`)
		for _, token := range []string{"k", "K", "k2", "sk-live-4711", strings.Repeat("x", 999)} {
			yes, ok := askKind(t, p, token).(*Yes)
			if !ok {
				t.Fatalf("%s at %s: no yes", token, name)
			}
			principal := yes.User.Principal
			if other, taken := seen[principal]; taken {
				t.Errorf("%s at %s has the fingerprint of %s", token, name, other)
			}
			seen[principal] = token + " at " + name
			if !isFingerprint(principal) || strings.Contains(principal, "4711") {
				t.Errorf("fingerprint is %s", principal)
			}
			if _, err := abac.NewUser(principal, "", abac.Attributes{}); err != nil {
				t.Error(err)
			}
		}
	}
	if seen[fingerprintOfK] != "k at custom" {
		t.Errorf("%s is of %q", fingerprintOfK, seen[fingerprintOfK])
	}
}
