//go:build integration

package integration

import (
	"context"
	"net/http"
	"testing"
	"time"
)

// asReader is introspectsAs for a client of oidc-provider.
func asReader(clientID string, more ...string) []string {
	return introspectsAs(clientID, oidcSecret(clientID), more...)
}

func guardOpaque(t *testing.T, o *oidcProvider, more ...string) *guarded {
	t.Helper()
	return guard(t, "introspection.Caddyfile", o.url, asReader("gw-basic", more...)...)
}

func TestOpaqueTokensAreIntrospectedByEachKindOfClient(t *testing.T) {
	const inBody = "INTROSPECTION_OPTIONS=send_secret_in_body"
	alice := oidc.token(t, "svc-basic", "alice", "opaque")
	for _, tc := range []struct {
		name string
		env  []string
	}{
		{"by Basic", asReader("gw-basic")},
		{"by Basic, with an id and a secret of reserved characters", asReader("gw:odd")},
		{"in the body", asReader("gw-post", inBody)},
		{"by Basic, the endpoint named", asReader("gw-basic", "INTROSPECTION_OPTIONS=url "+oidc.url+oidcIntrospection)},
		// signed answers have to be asked for, which the gateway does not
		{"by Basic, as one who could have signed answers", asReader("gw-signed")},
	} {
		t.Run(tc.name, func(t *testing.T) {
			g := guard(t, "introspection.Caddyfile", oidc.url, tc.env...)
			wantAttributes(t, g.serves(t, alice, "alice"), map[string][]string{
				"roles": {"admin", "ml-user"}, "teams": {"/eng", "/ml-team"}, "projects": {"apollo", "gemini"},
			})
			g.refuses(t, alice+"A", http.StatusUnauthorized, "invalid_token")
			g.refuses(t, alice[1:], http.StatusUnauthorized, "invalid_token")
		})
	}
	t.Run("a client that may not see the tokens of others", func(t *testing.T) {
		g := guard(t, "introspection.Caddyfile", oidc.url, asReader("outsider")...)
		g.refuses(t, alice, http.StatusUnauthorized, "invalid_token")
	})
	for name, env := range map[string][]string{
		"a client that it does not know": asReader("stranger"),
		"a wrong secret":                 introspectsAs("gw-basic", "wrong-test-only"),
		"a wrong secret in the body":     introspectsAs("gw-post", "wrong-test-only", inBody),
	} {
		t.Run(name, func(t *testing.T) {
			g := guard(t, "introspection.Caddyfile", oidc.url, env...)
			for range 7 {
				g.refuses(t, alice, http.StatusServiceUnavailable, "auth_service_unavailable")
			}
		})
	}
}

func TestOpaqueTokensOfEachKind(t *testing.T) {
	open := guardOpaque(t, oidc)
	demanding := guardOpaque(t, oidc, "INTROSPECTION_OPTIONS=audience_required")
	revoked := oidc.token(t, "svc-basic", "alice", "opaque")
	oidc.revoke(t, "svc-basic", revoked)
	for _, tc := range []struct {
		name, token string
		principal   string // empty: it is not good
	}{
		{"a user's", oidc.token(t, "svc-post", "bob", "opaque"), "bob"},
		// so that a client called bob is not bob
		{"a client's own", oidc.token(t, "svc-post", "", "opaque"), "client_id:svc-post"},
		{"one for another audience", oidc.token(t, "svc-basic", "bob", "opaque-other"), ""},
		{"a client's own for another audience", oidc.token(t, "svc-basic", "", "opaque-other"), ""},
		{"a revoked one", revoked, ""},
		// unsupported_token_type, with status 400
		{"a JWT of the same issuer, which it does not introspect", oidc.token(t, "svc-basic", "alice", "jwt"), ""},
		{"a JWT of another issuer, which is not shown to this one", idp.login(t, "stack-cli", "alice").Access, ""},
		{"nonsense", "nonsense-test-only", ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for _, g := range []*guarded{open, demanding} {
				if tc.principal == "" {
					g.refuses(t, tc.token, http.StatusUnauthorized, "invalid_token")
					continue
				}
				attributes := g.serves(t, tc.token, tc.principal)
				if tc.principal != "bob" {
					wantAttributes(t, attributes, nil) // people's are not the client's
				}
			}
		})
	}
	t.Run("one for nothing in particular", func(t *testing.T) {
		token := oidc.token(t, "svc-basic", "bob", "")
		open.serves(t, token, "bob")
		demanding.refuses(t, token, http.StatusUnauthorized, "invalid_token")
	})
	t.Run("one that lives five seconds, though answers are kept for longer", func(t *testing.T) {
		begin := time.Now()
		token := oidc.token(t, "svc-basic", "bob", "opaque-short")
		open.serves(t, token, "bob")
		within(t, 5*time.Second+slack, "the token is refused", func() bool {
			before := time.Now()
			a, _ := open.tries(t, token)
			if a.status == http.StatusOK && before.Sub(begin) > 6*time.Second {
				t.Fatal("it was let through after its time")
			}
			return a.status != http.StatusOK
		})
		a, _ := open.tries(t, token)
		wantStatus(t, a, http.StatusUnauthorized)
		if lived := time.Since(begin); lived < 4*time.Second {
			t.Errorf("it was good for %v", lived)
		}
	})
}

func TestRevokedOpaqueTokenIsRefusedWhileTheGatewayIsInUse(t *testing.T) {
	const ttl = 2 * time.Second
	o := ownOIDC(t)
	remembers := guardOpaque(t, o, "CACHE_TTL="+ttl.String())
	asks := guardOpaque(t, o, "CACHE_TTL=0")
	revoked := o.token(t, "svc-basic", "alice", "opaque")
	stays := o.token(t, "svc-basic", "alice", "opaque")

	before := o.state(t).Counts[oidcIntrospection]
	for range 5 {
		remembers.serves(t, revoked, "alice")
		remembers.serves(t, stays, "alice")
	}
	if n := o.state(t).Counts[oidcIntrospection] - before; n != 2 {
		t.Errorf("with cache_ttl %v it was asked %d times about two tokens", ttl, n)
	}
	for range 5 {
		asks.serves(t, revoked, "alice")
		asks.serves(t, stays, "alice")
	}
	if n := o.state(t).Counts[oidcIntrospection] - before; n != 2+10 {
		t.Errorf("with cache_ttl 0 it was asked %d times in ten requests", n-2)
	}

	o.revoke(t, "svc-basic", revoked)
	begin := time.Now()
	asks.refuses(t, revoked, http.StatusUnauthorized, "invalid_token")
	took := time.Since(begin) + remembers.turnsAway(t, ttl+slack, revoked)
	t.Logf("refused at once with cache_ttl 0, and after %v with %v", took.Round(time.Millisecond), ttl)

	// a no is kept for ten seconds, also with cache_ttl 0; a yes is none the worse for it
	before = o.state(t).Counts[oidcIntrospection]
	for range 20 {
		asks.refuses(t, revoked, http.StatusUnauthorized, "invalid_token")
		remembers.refuses(t, revoked, http.StatusUnauthorized, "invalid_token")
	}
	if n := o.state(t).Counts[oidcIntrospection] - before; n != 0 {
		t.Errorf("it was asked %d times about a token that it had just called inactive", n)
	}
	asks.serves(t, stays, "alice")
	remembers.serves(t, stays, "alice")
}

// Many requests are on their way when a token is taken back, and answers of
// before and after come in any order.
func TestRevokedOpaqueTokenIsRefusedUnderLoad(t *testing.T) {
	const delay = 100 * time.Millisecond
	o := ownOIDC(t)
	for name, ttl := range map[string]time.Duration{"asked each time": 0, "remembered": time.Second} {
		t.Run(name, func(t *testing.T) {
			g := guardOpaque(t, o, "CACHE_TTL="+ttl.String())
			token := o.token(t, "svc-basic", "alice", "opaque")
			g.serves(t, token, "alice")
			o.breaks(t, oidcIntrospection, fault{delay: delay})
			l := newLoad(g.gateway)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			l.every(ctx, 5*time.Millisecond, func(int) { l.fire("alice", token) })
			within(t, 10*time.Second, "the load runs", func() bool { return l.countOf("alice") > 200 })
			o.revoke(t, "svc-basic", token)
			revoked := time.Now()
			within(t, ttl+3*slack, "the load goes on", func() bool { return time.Since(revoked) > ttl+2*slack })
			stop()
			l.wg.Wait()
			o.heal(t)

			var lastGood, firstBad time.Time // when the last yes was asked for, when the first no was there
			for _, s := range l.shots {
				switch {
				case s.status == http.StatusOK:
					if s.begin.After(lastGood) {
						lastGood = s.begin
					}
				case s.status != http.StatusUnauthorized:
					t.Errorf("the answer was %d", s.status)
				case s.end.Before(revoked.Add(-slack)):
					t.Error("it was refused before it was revoked")
				case firstBad.IsZero() || s.end.Before(firstBad):
					firstBad = s.end
				}
			}
			t.Logf("%v: last asked for with success after %v, first refused after %v", l.count(),
				lastGood.Sub(revoked).Round(time.Millisecond), firstBad.Sub(revoked).Round(time.Millisecond))
			if lastGood.After(revoked.Add(ttl)) {
				t.Errorf("a request from %v after the revocation was let through", lastGood.Sub(revoked))
			}
			if firstBad.IsZero() || lastGood.After(firstBad) {
				t.Error("it was good again after it was refused, or never refused")
			}
		})
	}
}

func TestKeysOfAnIssuerRotateBesideItsOpaqueTokens(t *testing.T) {
	o := ownOIDC(t)
	g := guard(t, "one-issuer.Caddyfile", o.url, asReader("gw-basic")...)
	opaque := o.token(t, "svc-basic", "alice", "opaque")
	old := []string{o.token(t, "svc-basic", "alice", "jwt"), o.token(t, "svc-basic", "alice", "jwt-es256")}
	g.serves(t, opaque, "alice")
	for _, token := range old {
		g.serves(t, token, "alice")
	}
	g.refuses(t, o.token(t, "svc-basic", "alice", "jwt-other"), http.StatusUnauthorized, "invalid_token")

	fresh := func() []string {
		return []string{o.token(t, "svc-basic", "bob", "jwt"), o.token(t, "svc-basic", "bob", "jwt-es256")}
	}
	o.rotate(t, true)
	t.Run("a new key counts at once, and the old one until it is retired", func(t *testing.T) {
		for _, token := range fresh() {
			g.serves(t, token, "bob")
		}
		for _, token := range old {
			g.serves(t, token, "alice")
		}
	})
	o.retire(t)
	t.Run("a retired key is done with after the recheck period", func(t *testing.T) {
		for _, token := range old {
			took := g.turnsAway(t, 2*time.Second+slack, token)
			t.Logf("refused after %v", took.Round(time.Millisecond))
		}
	})
	o.rotate(t, false)
	t.Run("a key that replaces the only one counts after the recheck period at the latest", func(t *testing.T) {
		// not at once: an unknown key has made the gateway look less than ten seconds ago
		tokens := fresh()
		took := within(t, 2*time.Second+slack, "a token of the new key is accepted", func() bool {
			a, _ := g.tries(t, tokens[0])
			return a.status == http.StatusOK
		})
		t.Logf("accepted after %v", took.Round(time.Millisecond))
		for _, token := range tokens {
			g.serves(t, token, "bob")
		}
		for _, token := range old {
			g.refuses(t, token, http.StatusUnauthorized, "invalid_token")
		}
	})
	t.Run("opaque tokens know nothing of keys", func(t *testing.T) {
		g.serves(t, opaque, "alice")
		g.serves(t, o.token(t, "svc-basic", "", "opaque"), "client_id:svc-basic")
	})
	t.Run("nobody was asked about a JWT", func(t *testing.T) {
		if n := o.state(t).Counts[oidcIntrospection]; n != 2 {
			t.Errorf("it was asked %d times about two opaque tokens", n)
		}
	})
}
