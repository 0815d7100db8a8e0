package providers

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"reflect"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
)

// The same token at two services, at two configurations, at one service by two
// ways: each answers for itself (GHSA-4mq7-pvjg-xp2r).
func TestProvidersShareNoAnswers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx := newContext(t, zap.NewNop())
		seen := make(map[answerKey]string)
		add := func(what string, kind string, address string, shape any, set func(*sphinx)) {
			o := new(sphinx)
			set(o)
			if err := errors.Join(
				o.SetUp(ctx, Defaults{Type: kind, PrincipalClaim: []string{"sub"}}),
				o.SetUpNetwork(ctx),
				o.SetUpJudge(&o.Common, Judge{Address: address, Shape: shape}),
			); err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = o.CleanUpJudge() })
			for _, q := range []Question{
				{Token: "t"},
				{Token: "tt"},
				{Token: "t", Posted: []byte{}},
				{Token: "t", Posted: []byte("t")},
				{Token: "", Posted: []byte("tt")},
				{Token: "tt", Posted: []byte{}},
				{Token: "t", Posted: []byte("a\x00b")},
				{Token: "b\x00t", Posted: []byte("a")},
				{Token: "\x00t"},
			} {
				about := fmt.Sprintf("%s %q %q", what, q.Token, q.Posted)
				if other, taken := seen[o.keyOf(q)]; taken {
					t.Errorf("one answer for %s and %s", about, other)
				}
				seen[o.keyOf(q)] = about
			}
		}
		type client struct{ ID, Secret string }
		nothing := func(*sphinx) {}
		add("the usual", "a", "https://a", client{"gw", "s"}, nothing)
		add("another type", "b", "https://a", client{"gw", "s"}, nothing)
		add("another address", "a", "https://b", client{"gw", "s"}, nothing)
		add("another client", "a", "https://a", client{"g", "ws"}, nothing)
		add("another secret", "a", "https://a", client{"gw", "t"}, nothing)
		add("a secret that is not text", "a", "https://a", client{"gw", "\xff"}, nothing)
		add("another that is not", "a", "https://a", client{"gw", "\xfe"}, nothing)
		add("the text that JSON makes of those", "a", "https://a", client{"gw", "\ufffd"}, nothing)
		add("another name", "a", "https://a", client{"gw", "s"}, named("other"))
		add("a prefix", "a", "https://a", client{"gw", "s"}, func(o *sphinx) { o.PrincipalPrefix = "p:" })
		add("no mapping", "a", "https://a", client{"gw", "s"}, func(o *sphinx) { o.ClaimsMapping = []ClaimMapping{} })
		add("a mapping", "a", "https://a", client{"gw", "s"}, func(o *sphinx) { o.ClaimsMapping = []ClaimMapping{{"a", "roles"}} })
		add("a preset", "a", "https://a", client{"gw", "s"}, func(o *sphinx) { o.ClaimsPreset = presetOGX })
		add("a principal claim", "a", "https://a", client{"gw", "s"}, func(o *sphinx) { o.PrincipalClaim = []string{"email"} })
		add("a tenant claim", "a", "https://a", client{"gw", "s"}, func(o *sphinx) { o.TenantClaim = "org" })
		add("a transport", "a", "https://a", client{"gw", "s"}, func(o *sphinx) {
			o.TransportRaw = []byte(`{"protocol":"http","tls":{"insecure_skip_verify":true}}`)
		})
	})
}

// What only tunes how the judge is asked leaves the answers where they are, so
// that a reload forgets nothing.
func TestAReloadForgetsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		before := newSphinx(t, "https://a", always(yesTo("alice")))
		wantYes(t, askKind(t, before, "t"), "alice")
		for _, options := range [][]func(*sphinx){
			nil,
			{withTTL(time.Hour)},
			{withTimeout(time.Second)},
			{withStale(time.Second)},
			{func(o *sphinx) { o.Fallthrough = true }},
			{func(o *sphinx) { o.Tokens = &TokenForm{Form: formOpaque} }},
		} {
			after := newSphinx(t, "https://a", always(refused), options...)
			wantYes(t, askKind(t, after, "t"), "alice")
		}
		// The old one goes when the new one is there.
		if err := before.CleanUpJudge(); err != nil {
			t.Error(err)
		}
		after := newSphinx(t, "https://a", always(refused))
		wantYes(t, askKind(t, after, "t"), "alice")
		// A shorter cache_ttl counts from the question, and not from the reload.
		time.Sleep(10 * time.Second)
		wantNo(t, askKind(t, newSphinx(t, "https://a", always(refused), withTTL(10*time.Second)), "t"), "refused")
	})
}

// Requests that were under way when the configuration went are judged on, and
// what is given back is given back once.
func TestAJudgeAnswersAfterItsCleanup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := newSphinx(t, "https://a", always(yesTo("alice")))
		other := newSphinx(t, "https://a", always(refused), named("other"))
		for range 2 {
			if err := o.CleanUpJudge(); err != nil {
				t.Error(err)
			}
		}
		wantYes(t, askKind(t, o, "t"), "alice")
		wantNo(t, askKind(t, other, "t"), "refused")
		if n, there := answersPool.References(ofTokens.pool); n != 1 || !there {
			t.Errorf("%d hold the answers", n)
		}
		if err := new(sphinx).CleanUpJudge(); err != nil {
			t.Error(err)
		}
	})
}

// A shape that cannot be told from others would share its answers with them.
func TestAShapeThatCannotBeEncodedIsAnError(t *testing.T) {
	o := &sphinx{}
	ctx := newContext(t, zap.NewNop())
	if err := errors.Join(o.SetUp(ctx, Defaults{Type: "sphinx"}), o.SetUpNetwork(ctx)); err != nil {
		t.Fatal(err)
	}
	if err := o.SetUpJudge(&o.Common, Judge{Shape: func() {}}); err == nil {
		t.Error("no error")
	}
	if err := o.CleanUpJudge(); err != nil {
		t.Error(err)
	}
}

// mallory's key is revoked. She asks so that only her own question fails: what
// was said of her before must not serve on.
func TestWhoeverProvokesAFailureIsNotServedByIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const key = "key-of-mallory"
		for name, cannot := range map[string]*CannotTell{
			"by what she sends":    {Err: errors.New("status 500"), Answered: true, Provoked: true},
			"of the service's own": {Err: errors.New("status 500"), Answered: true},
			"of nobody":            {Err: errors.New("refused")},
		} {
			o := newSphinx(t, "https://a", func(context.Context, string) Answer { return yesUntil("mallory", time.Time{}) },
				withTTL(time.Second), withStale(time.Hour))
			wantYes(t, askKind(t, o, key), "mallory")
			time.Sleep(2 * time.Second)
			o.says = always(cannot)
			_, served := askKind(t, o, key).(*Yes)
			if served == cannot.Provoked {
				t.Errorf("%s: served on is %t", name, served)
			}
		}
	})
}

// A *no* to one request says that the key is over, and so it does for others
// that were allowed before: none of them is served on when the judge is down.
func TestARefusalOfOneRequestEndsWhatServesOnForOthers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p, _ := newCustomIn(t, "stale_if_error 1h", saying(http.StatusOK, `{"principal":"alice"}`))
		ask := func(path string) Answer {
			return p.Authenticate(httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil), Credential{Token: "key"})
		}
		wantYes(t, ask("/a"), "alice")
		wantYes(t, ask("/b"), "alice")
		time.Sleep(time.Minute)
		p.reaches(saying(http.StatusUnauthorized, ``))
		wantNo(t, ask("/a"), "endpoint refuses the credential: status 401")
		p.reaches(saying(http.StatusServiceUnavailable, ``))
		wantCannotTell(t, ask("/b"))
		wantNo(t, ask("/a"), "endpoint refuses the credential: status 401")
		time.Sleep(noTTL)
		wantCannotTell(t, ask("/a"))
	})
}

// An option that shapes answers and is not part of their key would give one
// configuration's answer to another. Whoever adds one has to say what it is.
func TestEveryCommonOptionIsPartOfWhatAnswersDependOn(t *testing.T) {
	inShape := map[string]bool{
		"ClaimsPreset": true, "ClaimsMapping": true, "PrincipalClaim": true, "PrincipalPrefix": true, "TenantClaim": true,
		"Name": true, // beside the others
	}
	for field := range reflect.TypeFor[Common]().Fields() {
		if field.IsExported() && !inShape[field.Name] {
			t.Errorf("%s is not part of what answers depend on: see commonShape", field.Name)
		}
	}
	if n := reflect.TypeFor[commonShape]().NumField(); n != len(inShape)+1 { // Default is ClaimsMapping's nil, and CompatOGX the block's
		t.Errorf("commonShape has %d fields", n)
	}
}
