package providers

import (
	"net/http"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// R14, case 111: a cached yes ends when its key leaves the set, at the latest
// after the recheck period.
func TestAKeptAnswerEndsWithItsKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		leaked := testissuer.NewKey("leaked", "ES256")
		issuer.Publish(leaked)
		o := newProvider(t, issuer, usual+"jwks {\n uri "+idp+"/jwks\n key_recheck_period 10m\n}")
		token := issuer.Token("alice", map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})
		wantYes(t, o.ask(t, token), "alice")
		issuer.Retire("leaked")
		removed := time.Now()
		for {
			if _, ok := o.ask(t, token).(*Yes); !ok {
				break
			}
			time.Sleep(time.Second)
		}
		if took := time.Since(removed); took > 10*time.Minute {
			t.Errorf("the removed key is believed for %s", took)
		}
		wantNo(t, o.ask(t, token), "no key of the issuer fits the token")
		// It is put back: the answer holds again, as the token does.
		issuer.Publish(leaked)
		time.Sleep(10 * time.Minute)
		wantYes(t, o.ask(t, token), "alice")
	})
}

// The answer of one key must not stand for another that took its kid.
func TestAKeptAnswerEndsWhenItsKidGetsAnotherKey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		issuer.Publish(testissuer.NewKey("k", "ES256"))
		o := newProvider(t, issuer, usual)
		token := issuer.Token("alice", map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})
		wantYes(t, o.ask(t, token), "alice")
		issuer.Retire("k")
		other := testissuer.NewKey("other", "ES256")
		other.JWK["kid"] = "k"
		issuer.Publish(other)
		time.Sleep(time.Hour)
		synctest.Wait()
		wantNo(t, o.ask(t, token), "signature does not verify")
	})
}

// Contract, caches: a cached JWT also ends when max_stale has passed.
func TestAKeptAnswerEndsWithMaxStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		o := newProvider(t, issuer, usual+"jwks {\n uri "+idp+"/jwks\n max_stale 2h\n}")
		token := issuer.Token("alice", map[string]any{"exp": time.Now().Add(24 * time.Hour).Unix()})
		yes := wantYes(t, o.ask(t, token), "alice")
		issuer.Break(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusInternalServerError) })
		time.Sleep(3*time.Hour - time.Millisecond)
		if o.ask(t, token) != Answer(yes) {
			t.Error("the answer is not the kept one")
		}
		time.Sleep(time.Millisecond)
		wantCannotTell(t, o.ask(t, token))
		issuer.Break(nil)
		time.Sleep(time.Minute)
		wantYes(t, o.ask(t, token), "alice")
	})
}

func TestCacheTTLSaysHowLongAnAnswerIsKept(t *testing.T) {
	for ttl, want := range map[string]struct{ soon, later bool }{
		"":              {true, true}, // a JWT: until it expires
		"cache_ttl 30s": {true, false},
		"cache_ttl 0":   {false, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			issuer := newIssuer()
			o := newProvider(t, issuer, usual+ttl)
			token := issuer.Token("alice", nil)
			first := wantYes(t, o.ask(t, token), "alice")
			time.Sleep(30*time.Second - time.Millisecond)
			if kept := o.ask(t, token) == Answer(first); kept != want.soon {
				t.Errorf("%q: kept for 29.999 s is %t", ttl, kept)
			}
			time.Sleep(time.Millisecond)
			if kept := o.ask(t, token) == Answer(first); kept != want.later {
				t.Errorf("%q: kept for 30 s is %t", ttl, kept)
			}
			if n := o.answers.yeses.Len(); (n == 0) != (ttl == "cache_ttl 0") {
				t.Errorf("%q: %d answers are kept", ttl, n)
			}
		})
	}
}

// GHSA-4mq7-pvjg-xp2r: an answer must never be given to a question that was
// not asked. Everything that shapes an answer tells two configurations apart,
// and what only tunes it does not.
func TestConfigurationsShareAnswersOnlyIfTheyAskTheSame(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := newContext(t, zap.NewNop())
		jwks := func(lines string) string { return usual + "jwks {\n" + lines + "\n}\n" }
		uri := "uri " + idp + "/jwks\n"
		different := []string{
			usual,
			"issuer " + idp + "/\naudience " + testissuer.Audience,
			"issuer " + idp + "\naudience other",
			"issuer " + idp + "\naudience other " + testissuer.Audience,
			"issuer " + idp + "\nskip_audience_check",
			usual + "skip_audience_check",
			usual + "skip_issuer_check",
			usual + "algorithms RS256",
			usual + "algorithms RS256 ES256",
			usual + "leeway 1s",
			usual + "max_token_lifetime 1h",
			usual + "principal_prefix p:",
			usual + "principal_claim email",
			usual + "principal_claim email sub",
			usual + "tenant_claim org",
			usual + "claims_mapping {\n}",
			usual + "claims_mapping {\n a roles\n}",
			usual + "claims_mapping {\n a teams\n}",
			usual + "claims_mapping ogx",
			usual + "claims_mapping ogx {\n a teams\n}",
			jwks(uri),
			jwks("uri " + idp + "/other\n"),
			jwks(uri + "token t"),
			jwks(uri + "token u"),
			jwks(uri + "token_file /t"),
			usual + "allow_http",
			usual + "transport http {\n tls_insecure_skip_verify\n}",
		}
		shapes := make(map[shapeKey]string)
		first := make(map[string]shapeKey)
		for _, lines := range different {
			o, err := load(t, ctx, lines)
			if err != nil {
				t.Fatalf("%s: %v", lines, err)
			}
			if other, taken := shapes[o.shape]; taken {
				t.Errorf("these share their answers:\n%s\n\n%s", lines, other)
			}
			shapes[o.shape], first[lines] = lines, o.shape
		}
		for lines, tuned := range map[string][]string{
			usual: {
				usual, usual + "cache_ttl 5s", usual + "timeout 1s", usual + "fallthrough", usual + "tokens jwt",
				usual + "algorithms PS512 PS384 PS256 RS512 RS384 RS256 EdDSA ES384 ES256",
			},
			jwks(uri): {jwks(uri + "key_recheck_period 1m\nmax_stale 0")},
		} {
			for _, same := range tuned {
				o, err := load(t, ctx, same)
				if err != nil {
					t.Fatalf("%s: %v", same, err)
				}
				if o.shape != first[lines] {
					t.Errorf("a reload loses its answers:\n%s\n\n%s", lines, same)
				}
			}
		}
	})
}

// The same token at two providers of different shape: each answers for itself.
func TestOneTokenAtTwoProvidersHasTwoAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		plain := newProvider(t, issuer, usual)
		other := newProvider(t, issuer, "issuer "+idp+"\naudience other")
		prefixed := newProvider(t, issuer, usual+"principal_prefix p:\nclaims_mapping {\n groups roles\n}")
		token := issuer.Token("alice", map[string]any{"groups": []string{"a"}})
		for range 2 {
			yes := wantYes(t, plain.ask(t, token), "alice")
			if got := yes.User.Attributes.JSON(); got != `{"teams":["a"]}` {
				t.Errorf("attributes are %s", got)
			}
			wantNo(t, other.ask(t, token), "aud has none of the configured audiences")
			yes = wantYes(t, prefixed.ask(t, token), "p:alice")
			if got := yes.User.Attributes.JSON(); got != `{"roles":["a"]}` {
				t.Errorf("attributes are %s", got)
			}
		}
	})
}

// Requests that were under way when a configuration went are served on.
func TestAProviderAnswersAfterItsCleanup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		ctx := newContext(t, zap.NewNop())
		o, err := load(t, ctx, usual)
		if err != nil {
			t.Fatal(err)
		}
		o.client.Transport = tripper{issuer}
		token := issuer.Token("alice", nil)
		wantYes(t, o.ask(t, token), "alice")
		if err := o.Cleanup(); err != nil {
			t.Fatal(err)
		}
		wantYes(t, o.ask(t, token), "alice")
		wantYes(t, o.ask(t, issuer.Token("bob", nil)), "bob")
		o.Warm()
		if n := issuer.Fetches(); n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}
