package providers

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// What only JSON can say wrongly, and what only loading can tell. No error has
// what came out of a placeholder, nor the secret.
func TestIntrospectionsThatCannotBeLoadedAreErrors(t *testing.T) {
	t.Setenv("STACK_AUTH_HTTP", "http://idp.example")
	t.Setenv("STACK_AUTH_SECRET", "throw-away")
	t.Setenv("STACK_AUTH_EMPTY", "")
	base := func(introspection string) string {
		return `{"issuer":"https://a","audience":["b"],"introspection":` + introspection + `}`
	}
	with := func(more string) string {
		return `{"issuer":"https://a","audience":["b"],"introspection":{"client_id":"gw","client_secret":"throw-away"},` + more + `}`
	}
	for config, want := range map[string]string{
		base(`{}`):                                                                                           "introspection: client_id is required",
		base(`{"client_id":"gw"}`):                                                                           "introspection: client_secret is required",
		base(`{"client_secret":"throw-away"}`):                                                               "introspection: client_id is required",
		base(`{"client_id":"gw","client_secret":"s","x":1}`):                                                 `unknown field "x"`,
		base(`{"client_id":"{env.X","client_secret":"s"}`):                                                   "introspection: client_id: a { is not closed",
		base(`{"client_id":"gw","client_secret":"{http.x}"}`):                                                "introspection: client_secret: {http.x}: expected {env.NAME}",
		base(`{"client_id":"gw","client_secret":"{file.rel}"}`):                                              "introspection: client_secret: {file.rel}: expected an absolute path",
		base(`{"client_id":"gw","client_secret":"{env.STACK_AUTH_EMPTY}"}`):                                  "introspection: client_secret: {env.STACK_AUTH_EMPTY} is empty",
		base(`{"client_id":"gw","client_secret":"{env.STACK_AUTH_UNSET}"}`):                                  "introspection: client_secret: {env.STACK_AUTH_UNSET} is empty",
		base(`{"client_id":"gw","client_secret":"{file./does/not/exist}"}`):                                  "introspection: client_secret: {file./does/not/exist} is empty",
		base(`{"client_id":"gw","client_secret":"s","url":"http://idp.example/i"}`):                          `introspection: url "http://idp.example/i": expected https (plain http needs allow_http)`,
		base(`{"client_id":"gw","client_secret":"s","url":"https://u:p@idp.example/i"}`):                     "introspection: url: expected a URL without credentials",
		base(`{"client_id":"gw","client_secret":"s","url":"idp.example"}`):                                   `introspection: url "idp.example": expected an absolute https URL`,
		base(`{"client_id":"gw","client_secret":"s","url":"https://{http.request.host}/i"}`):                 "introspection: url: {http.request.host}: expected {env.NAME}",
		base(`{"client_id":"gw","client_secret":"s","url":"{env.STACK_AUTH_HTTP}/i"}`):                       "introspection: url {env.STACK_AUTH_HTTP}/i: expected it to give an absolute https URL",
		base(`{"client_id":"gw","client_secret":"s","url":"{env.STACK_AUTH_SECRET}"}`):                       "introspection: url {env.STACK_AUTH_SECRET}: expected it to give an absolute https URL",
		with(`"jwks":{"uri":"https://a/jwks"}`):                                                              "expected jwks or introspection, not both",
		with(`"algorithms":["RS256"]`):                                                                       "algorithms has no meaning with introspection",
		with(`"stale_if_error":-1`):                                                                          "stale_if_error -1ns: expected zero or more",
		with(`"cache_ttl":-1`):                                                                               "cache_ttl -1ns: expected zero or more",
		with(`"leeway":-1`):                                                                                  "leeway -1ns: expected at most 5m0s",
		`{"audience":["b"],"introspection":{"client_id":"gw","client_secret":"s"}}`:                          "issuer is required to find the introspection endpoint; or say where it is with introspection { url … }",
		`{"audience":["b"],"skip_issuer_check":true,"introspection":{"client_id":"gw","client_secret":"s"}}`: "issuer is required to find the introspection endpoint",
		`{"issuer":"https://a","introspection":{"client_id":"gw","client_secret":"s"}}`:                      "audience is required",
		`{"issuer":"https://a","audience":["b"],"stale_if_error":1}`:                                         "stale_if_error has no meaning without introspection",
	} {
		_, err := loadJSON(newContext(t, zap.NewNop()), config)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n gives %v\n want %s", config, err, want)
			continue
		}
		if strings.Contains(err.Error(), "throw-away") {
			t.Errorf("%s: the error has the secret: %v", config, err)
		}
	}
	// What was taken is given back.
	for name, pool := range map[string]interface {
		Range(func(any, any) bool)
	}{"answers": answersPool, "services": servicesPool, "endpoints": endpointsPool} {
		pool.Range(func(key, _ any) bool {
			t.Errorf("%s: %v is still held", name, key)
			return false
		})
	}
}

// Secrets and addresses come from the environment and from files, and stay out
// of the configuration that Caddy shows.
func TestIntrospectionTakesSecretsFromElsewhere(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("from-file\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	server := newJudgeServer(t, func(w http.ResponseWriter, r *http.Request) {
		id, password, _ := r.BasicAuth()
		saying(http.StatusOK, active(map[string]any{"sub": id + "/" + password + r.URL.Path}))(w, r)
	})
	t.Setenv("STACK_AUTH_URL", server.URL)
	t.Setenv("STACK_AUTH_ID", "from-env")
	o := newKind[*OAuth2Token](t, "oauth2_token", usual+"introspection {\n url {env.STACK_AUTH_URL}/i\n client_id {env.STACK_AUTH_ID}\n client_secret {file."+secret+"}\n}")
	wantYes(t, askKind(t, o, "t"), "from-env/from-file/i")
	if got := *o.Introspection; got.ClientSecret != "{file."+secret+"}" || got.ClientID != "{env.STACK_AUTH_ID}" {
		t.Errorf("the configuration has %+v", got)
	}
}

func TestLoadingAnIntrospectionAsksNobody(t *testing.T) {
	server := newJudgeServer(t, saying(http.StatusOK, active(nil)))
	for _, lines := range []string{
		"issuer " + server.URL + "\naudience a\nintrospection {\n client_id gw\n client_secret s\n}",
		"audience a\nintrospection {\n url " + server.URL + "\n client_id gw\n client_secret s\n}",
	} {
		o := newKind[*OAuth2Token](t, "oauth2_token", lines)
		o.Warm()
	}
	if n := server.calls.Load(); n != 0 {
		t.Errorf("%d calls", n)
	}
}

// What is claimed decides which providers may stand behind this one.
func TestTheScopeOfIntrospection(t *testing.T) {
	without := strings.TrimPrefix(introspecting, "issuer "+idp+"\n")
	for lines, want := range map[string]Scope{
		introspecting:                            {JWT: true, Opaque: true, Issuer: idp},
		introspecting + "skip_issuer_check":      {JWT: true, Opaque: true},
		without:                                  {JWT: true, Opaque: true},
		introspecting + "tokens opaque":          {Opaque: true},
		introspecting + "tokens jwt":             {JWT: true, Issuer: idp},
		introspecting + "tokens prefix a_":       {JWT: true, Opaque: true, Issuer: idp, Prefixes: []string{"a_"}},
		usual + "tokens jwt":                     {JWT: true, Issuer: idp},
		without + "tokens opaque\ncache_ttl 0\n": {Opaque: true},
	} {
		got := newKind[*OAuth2Token](t, "oauth2_token", lines).Scope()
		if got.JWT != want.JWT || got.Opaque != want.Opaque || got.Issuer != want.Issuer || len(got.Prefixes) != len(want.Prefixes) {
			t.Errorf("%s\n has the scope %+v, want %+v", lines, got, want)
		}
	}
}

// The table of the contract's "several providers": o behind s is in vain.
func TestAScopeCoversWhatNobodyElseWouldBeAskedFor(t *testing.T) {
	jwks := func(issuer string) Scope { return Scope{JWT: true, Issuer: issuer} }
	both := func(issuer string) Scope { return Scope{JWT: true, Opaque: true, Issuer: issuer} }
	opaque, keys := Scope{Opaque: true}, Scope{JWT: true, Opaque: true, Listed: true}
	prefixed := func(p ...string) Scope { return Scope{JWT: true, Opaque: true, Prefixes: p} }
	for _, tc := range []struct {
		name string
		s, o Scope
		want bool
	}{
		{"two of one issuer", jwks("a"), jwks("a"), true},
		{"two issuers", jwks("a"), jwks("b"), false},
		{"any issuer first", jwks(""), jwks("b"), true},
		{"any issuer last", jwks("a"), jwks(""), false},
		{"two introspections", both("a"), both("b"), true}, // of whom an opaque token is cannot be seen
		{"introspection behind JWKS", jwks("a"), both("a"), false},
		{"JWKS of its issuer behind introspection", both("a"), jwks("a"), true},
		{"JWKS of another issuer behind introspection", both("a"), jwks("b"), false},
		{"introspection behind one of opaque tokens", opaque, both("b"), false},
		{"opaque tokens behind introspection", both("a"), opaque, true},
		{"opaque tokens behind JWKS", jwks(""), opaque, false},
		{"JWTs behind opaque tokens", opaque, jwks("a"), false},
		{"anything behind listed keys", keys, both(""), false},
		{"listed keys behind anything", both(""), keys, true},
		{"listed keys behind JWKS", jwks(""), keys, false},
		{"a prefix behind anything", both(""), prefixed("a_"), true},
		{"anything behind a prefix", prefixed("a_"), both(""), false},
		{"a longer prefix behind a shorter", prefixed("a"), prefixed("a_"), true},
		{"a shorter prefix behind a longer", prefixed("a_"), prefixed("a"), false},
		{"one prefix more", prefixed("a_"), prefixed("a_", "b_"), false},
		{"one prefix less", prefixed("a_", "b_"), prefixed("b_"), true},
		{"what cannot be said", both(""), Scope{}, false},
		{"behind what cannot be said", Scope{}, both(""), false},
	} {
		if got := tc.s.covers(tc.o); got != tc.want {
			t.Errorf("%s: %t", tc.name, got)
		}
	}
}

func TestSkippedChecksOfIntrospectionAreWarnedOf(t *testing.T) {
	core, lines := observer.New(zap.WarnLevel)
	if _, err := loadKind(t, newContext(t, zap.New(core)), "oauth2_token", introspecting+"skip_issuer_check\nskip_audience_check"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		"skip_issuer_check: tokens of any issuer that the introspection endpoint calls active are accepted",
		"skip_audience_check: tokens that were issued for other services are accepted",
	} {
		if lines.FilterMessage(want).Len() != 1 {
			t.Errorf("no warning %q", want)
		}
	}
}
