package providers

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// Loading a configuration, which `caddy validate` does too, needs no network
// and leaves no trace in it.
func TestProvisionAsksNobody(t *testing.T) {
	var hits atomic.Int32
	issuer := testissuer.NewUnstarted("")
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		issuer.ServeHTTP(w, r)
	}))
	defer server.Close()
	issuer.URL = server.URL
	lines := "issuer " + issuer.URL + "\naudience stack-test\n"
	var last *OAuth2Token
	for _, more := range []string{"", "jwks {\n uri " + issuer.URL + "/jwks\n}", "leeway 1s"} {
		o, err := load(t, newContext(t, zap.NewNop()), lines+more)
		if err != nil {
			t.Fatal(err)
		}
		last = o
	}
	if n := hits.Load(); n != 0 {
		t.Errorf("%d requests", n)
	}
	wantYes(t, last.ask(t, issuer.Token("alice", nil)), "alice")
	if n := hits.Load(); n != 2 {
		t.Errorf("%d requests for the first token, want discovery and keys", n)
	}
}

// What only JSON can say wrongly, and what only loading can tell.
func TestConfigurationsThatCannotBeLoadedAreErrors(t *testing.T) {
	t.Setenv("STACK_AUTH_SECRET", "c2VjcmV0")
	t.Setenv("STACK_AUTH_HTTP", "http://idp.example")
	for config, want := range map[string]string{
		`{}`: "issuer is required",
		`{"issuer":"https://a","audience":["b"],"bogus":1}`:                                          `unknown field "bogus"`,
		`{"issuer":"https://a","audience":["b"],"name":"A"}`:                                         `provider name "A"`,
		`{"issuer":"https://a","audience":["b"],"timeout":-1}`:                                       "timeout -1ns: expected more than zero",
		`{"issuer":"https://a","audience":["b"],"cache_ttl":-1}`:                                     "cache_ttl -1ns: expected zero or more",
		`{"issuer":"https://a","audience":["b"],"tokens":{"form":"x"}}`:                              `tokens "x": expected jwt, opaque or prefix`,
		`{"issuer":"https://a","audience":["b"],"tokens":{"form":"prefix","prefixes":[""]}}`:         "tokens prefix: expected at least one prefix",
		`{"issuer":"https://a","audience":["b"],"transport":{"protocol":"bogus"}}`:                   "loading transport: ",
		`{"issuer":"https://a","audience":["b"],"algorithms":["none"]}`:                              `algorithm "none"`,
		`{"issuer":"https://a","audience":["b"],"algorithms":["HS256"]}`:                             "symmetric key is only taken from a local file",
		`{"issuer":"https://a","audience":["b"],"leeway":-1}`:                                        "leeway -1ns: expected at most 5m0s",
		`{"issuer":"https://a","audience":["b"],"leeway":9223372036854775807}`:                       "expected at most 5m0s", // case 240: exp 1 would do
		`{"issuer":"https://a","audience":["b"],"max_token_lifetime":-1}`:                            "max_token_lifetime -1ns: expected more than zero",
		`{"issuer":"https://a","audience":["b"],"jwks":{"uri":"https://a","key_recheck_period":-1}}`: "key_recheck_period -1ns: expected at least 1s",
		`{"issuer":"https://a","audience":["b"],"jwks":{"uri":"https://a","max_stale":-1}}`:          "max_stale -1ns: expected zero or more",
		`{"issuer":"https://a","audience":["b"],"jwks":{"file":"/does/not/exist"}}`:                  "jwks: file /does/not/exist: opening key file",
		`{"issuer":"https://a","audience":["b"],"tenant_claim":"","principal_claim":[""]}`:           "principal_claim: claim path is empty",
		`{"issuer":"https://a","audience":["b"],"claims_mapping":[{"claim":"a","attribute":"id"}]}`:  "names the principal",
		// Placeholders: the error names the option and the placeholder, and
		// never what came out of it.
		`{"issuer":"{env.STACK_AUTH_UNSET}","audience":["b"]}`:                                                      "issuer: {env.STACK_AUTH_UNSET} is empty",
		`{"issuer":"{env.STACK_AUTH_SECRET}","audience":["b"]}`:                                                     "issuer {env.STACK_AUTH_SECRET}: expected it to give an absolute https URL",
		`{"issuer":"{env.STACK_AUTH_HTTP}","audience":["b"]}`:                                                       "issuer {env.STACK_AUTH_HTTP}: expected it to give an absolute https URL",
		`{"issuer":"https://a","audience":["{env.STACK_AUTH_UNSET}"]}`:                                              "audience: {env.STACK_AUTH_UNSET} is empty",
		`{"issuer":"https://a","audience":["b"],"jwks":{"uri":"https://a/{env.STACK_AUTH_UNSET}"}}`:                 "jwks: uri: {env.STACK_AUTH_UNSET} is empty",
		`{"issuer":"https://a","audience":["b"],"jwks":{"uri":"{env.STACK_AUTH_SECRET}"}}`:                          "jwks: uri {env.STACK_AUTH_SECRET}: expected it to give",
		`{"issuer":"https://a","audience":["b"],"jwks":{"uri":"https://a","token":"{env.STACK_AUTH_UNSET}"}}`:       "jwks: token: {env.STACK_AUTH_UNSET} is empty",
		`{"issuer":"https://a","audience":["b"],"jwks":{"uri":"https://a","token_file":"{http.request.uri.path}"}}`: "jwks: token_file: {http.request.uri.path}: expected",
	} {
		o, err := loadJSON(newContext(t, zap.NewNop()), config)
		if err == nil || o != nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\nerror %v\nwant  %s", config, err, want)
		}
		if err != nil && (strings.Contains(err.Error(), "c2VjcmV0") || strings.Contains(err.Error(), "idp.example")) {
			t.Errorf("%s: the error has the value: %v", config, err)
		}
	}
}

// Architecture: an instance releases only what it acquired. A rejected
// configuration must not end what the running one uses.
func TestARejectedConfigurationTakesNothingFromTheRunningOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		path := filepath.Join(t.TempDir(), "jwks.json")
		write := func(b []byte) {
			t.Helper()
			if err := os.WriteFile(path, b, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write(issuer.JWKS())
		lines := usual + "jwks {\n file " + path + "\n}"
		running := newProvider(t, issuer, lines)
		running.Warm()
		token := issuer.Token("alice", map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})
		yes := wantYes(t, running.ask(t, token), "alice")

		write([]byte(`{"keys":[]}`))
		for range 3 { // each fails after it took hold of the key set
			if o, err := load(t, newContext(t, zap.NewNop()), lines); err == nil || o != nil {
				t.Fatal("a file without a key loads")
			}
		}
		if running.ask(t, token) != Answer(yes) || running.answers.yeses.Len() != 1 {
			t.Error("the answers of the running configuration are gone")
		}
		// Its keys are still looked after.
		issuer.Publish(testissuer.NewKey("key-2", "ES256"))
		write(issuer.JWKS())
		time.Sleep(2 * time.Second)
		wantYes(t, running.ask(t, issuer.Token("bob", nil)), "bob")
	})
}

// An instance that did not come far enough to take anything gives nothing back.
func TestCleanupOfWhatWasNeverProvisioned(t *testing.T) {
	o := new(OAuth2Token)
	if err := o.Cleanup(); err != nil {
		t.Error(err)
	}
	o.Warm() // and has nothing to fetch
}

// A reload with the same configuration keeps keys and answers.
func TestAReloadKeepsKeysAndAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		token := issuer.Token("alice", nil)
		current := newProvider(t, issuer, usual)
		yes := wantYes(t, current.ask(t, token), "alice")
		for i := range 100 {
			next := newProvider(t, issuer, usual+fmt.Sprintf("cache_ttl %ds\ntimeout %ds", i+60, i+1))
			release(t, current)
			if next.ask(t, token) != Answer(yes) {
				t.Fatalf("reload %d lost the answer", i+1)
			}
			current = next
		}
		if n := issuer.Fetches(); n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}

// release cleans the provider up before its context does.
func release(t *testing.T, o *OAuth2Token) {
	t.Helper()
	if err := o.Cleanup(); err != nil {
		t.Error(err)
	}
	o.keys, o.answers = nil, nil
}

func TestOptingOutOfACheckIsWarnedAbout(t *testing.T) {
	core, logs := observer.New(zap.WarnLevel)
	if _, err := load(t, newContext(t, zap.New(core)), usual); err != nil {
		t.Fatal(err)
	}
	if logs.Len() != 0 {
		t.Errorf("a plain configuration warns: %v", logs.All())
	}
	if _, err := load(t, newContext(t, zap.New(core)), "issuer "+idp+"\nskip_issuer_check\nskip_audience_check"); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, line := range logs.All() {
		got = append(got, line.Message)
	}
	if len(got) != 2 || !strings.HasPrefix(got[0], "skip_issuer_check: ") || !strings.HasPrefix(got[1], "skip_audience_check: ") {
		t.Errorf("warnings are %q", got)
	}
}

// Case 248: what was expanded stays out of what Caddy logs and shows.
func TestSecretsStayOutOfTheConfiguration(t *testing.T) {
	t.Setenv("STACK_AUTH_SECRET", "c2VjcmV0")
	t.Setenv("STACK_AUTH_HOST", "idp.example")
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		o := newProvider(t, issuer, "issuer https://{env.STACK_AUTH_HOST}\naudience {env.STACK_AUTH_SECRET}\n"+
			"jwks {\n uri https://{env.STACK_AUTH_HOST}/jwks\n token {env.STACK_AUTH_SECRET}\n}")
		wantYes(t, o.ask(t, issuer.Token("alice", map[string]any{"aud": "c2VjcmV0"})), "alice")
		if got := issuer.Authorizations(); len(got) != 1 || got[0] != "Bearer c2VjcmV0" {
			t.Errorf("the key endpoint got %q", got)
		}
		if got := string(mustJSON(t, o)); strings.Contains(got, "c2VjcmV0") || !strings.Contains(got, "{env.STACK_AUTH_SECRET}") {
			t.Errorf("configuration is %s", got)
		}
	})
}

// A key set that is discovered can be tuned, and protected, like one that is
// named: Kubernetes' discovery names one that wants a token.
func TestADiscoveredKeySetTakesWhatJWKSSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		o := newProvider(t, issuer, usual+"jwks {\n token secret\n key_recheck_period 1m\n max_stale 0\n}")
		token := issuer.Token("alice", nil)
		wantYes(t, o.ask(t, token), "alice")
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := issuer.Authorizations(); len(got) < 2 || got[0] != "Bearer secret" || got[1] != "Bearer secret" {
			t.Errorf("the key endpoint got %q", got)
		}
		issuer.Break(http.NotFound)
		time.Sleep(time.Minute)
		wantCannotTell(t, o.ask(t, token))
	})
}

// Kubernetes replaces the token every hour; it is read for each fetch.
func TestATokenFileIsReadForEachFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		path := filepath.Join(t.TempDir(), "token")
		write := func(s string) {
			t.Helper()
			if err := os.WriteFile(path, []byte(s), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		o := newProvider(t, issuer, usual+"jwks {\n uri "+idp+"/jwks\n token_file "+path+"\n}")
		token := issuer.Token("alice", nil)
		wantCannotTell(t, o.ask(t, token)) // no file yet
		write(" \n")
		time.Sleep(time.Second)
		wantCannotTell(t, o.ask(t, token)) // nothing in it
		if n := issuer.Fetches(); n != 0 {
			t.Errorf("%d fetches without the token", n)
		}
		write("one\n")
		time.Sleep(time.Second)
		wantYes(t, o.ask(t, token), "alice")
		write("two")
		// The first interval is any part of the period, so the next fetch comes
		// within it, and the one after that may: look at that very moment.
		for began := time.Now(); issuer.Fetches() < 2 && time.Since(began) < time.Hour; synctest.Wait() {
			time.Sleep(time.Minute)
		}
		if got := issuer.Authorizations(); len(got) != 2 || got[0] != "Bearer one" || got[1] != "Bearer two" {
			t.Errorf("the key endpoint got %q", got)
		}
	})
}

func TestTheScopeIsWhatTheConfigurationSays(t *testing.T) {
	for lines, want := range map[string]Scope{
		usual:                       {JWT: true, Issuer: idp},
		usual + "skip_issuer_check": {JWT: true},
		usual + "tokens prefix a b": {JWT: true, Issuer: idp, Prefixes: []string{"a", "b"}},
		usual + "tokens jwt":        {JWT: true, Issuer: idp},
	} {
		o, err := load(t, newContext(t, zap.NewNop()), lines)
		if err != nil {
			t.Fatal(err)
		}
		if got := o.Scope(); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: %+v, want %+v", lines, got, want)
		}
	}
}
