//go:build integration

package integration

import (
	"context"
	"net/http"
	"testing"
	"time"
)

// asker is somebody with a good token.
type asker struct {
	*guarded
	token string
}

// comesBack starts a service again under the eyes of those whose tokens it
// judges. One that is just starting must not make callers throw good tokens
// away, nor the gateway remember that they are bad; and when it is there they
// are served within two seconds.
func comesBack(t *testing.T, back func(), askers map[string]asker) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	loads := make(map[string]*load)
	for name, a := range askers {
		l := newLoad(a.gateway)
		l.every(ctx, 20*time.Millisecond, func(int) { l.fire(name, a.token) })
		within(t, 5*time.Second, name+" is told to come again", func() bool { return l.countOf(name) >= 5 })
		loads[name] = l
	}
	back()
	returned := time.Now()
	for name, a := range askers {
		within(t, 2*time.Second-time.Since(returned), name+" is served", func() bool {
			return a.do(t, request{path: "/v1/models", token: a.token}).status == http.StatusOK
		})
		t.Logf("%s: served %v after the return at the latest", name, time.Since(returned).Round(time.Millisecond))
	}
	stop()
	for name, l := range loads {
		l.wg.Wait()
		counts := l.count()[name]
		t.Logf("%s: by status %v", name, counts)
		for status, n := range counts {
			if status != http.StatusOK && status != http.StatusServiceUnavailable {
				t.Errorf("%s was answered %d, %d times", name, status, n)
			}
		}
		if counts[http.StatusServiceUnavailable] == 0 {
			t.Errorf("%s did not notice", name)
		}
	}
}

func TestKnownCallersAreServedOnWhileKeycloakIsDown(t *testing.T) {
	const (
		ttl   = time.Second
		stale = 10 * time.Second
	)
	k := ownKeycloak(t)
	strict := guard(t, "introspection.Caddyfile", k.issuer, asStackGateway("CACHE_TTL="+ttl.String())...)
	brief := guard(t, "introspection.Caddyfile", k.issuer,
		asStackGateway("CACHE_TTL="+ttl.String(), "PROVIDER_OPTIONS=stale_if_error "+stale.String())...)
	patient := guard(t, "introspection.Caddyfile", k.issuer,
		asStackGateway("CACHE_TTL="+ttl.String(), "PROVIDER_OPTIONS=stale_if_error 1h")...)
	all := []*guarded{strict, brief, patient}
	short := k.login(t, "short-lived", "alice").Access
	alice := k.login(t, "stack-cli", "alice").Access
	bob := k.login(t, "stack-cli", "bob").Access // whom no gateway has seen
	strict.serves(t, alice, subject(t, alice))
	patient.serves(t, alice, subject(t, alice))
	patient.serves(t, short, subject(t, short))
	before := time.Now()
	brief.serves(t, alice, subject(t, alice))
	asked := time.Now()

	back := k.down(t)
	down := time.Now()
	t.Run("without stale_if_error until cache_ttl", func(t *testing.T) {
		within(t, ttl+slack, "a known caller is told to come again", func() bool {
			a, _ := strict.tries(t, alice)
			if a.status != http.StatusOK {
				wantRefusal(t, a, http.StatusServiceUnavailable, "auth_service_unavailable", alice)
			}
			return a.status != http.StatusOK
		})
	})
	t.Run("whoever is not known is told to come again", func(t *testing.T) {
		for _, g := range all {
			g.refuses(t, bob, http.StatusServiceUnavailable, "auth_service_unavailable")
			g.refuses(t, "", http.StatusUnauthorized, "missing_credential")
		}
	})
	t.Run("with stale_if_error for that long", func(t *testing.T) {
		var lastGood, firstBad time.Time
		within(t, ttl+stale+slack, "the yes is too old", func() bool {
			begin := time.Now()
			a, calls := brief.tries(t, alice)
			if a.status == http.StatusOK {
				calls[0].check(t, alice, subject(t, alice))
				lastGood = begin
				return false
			}
			wantRefusal(t, a, http.StatusServiceUnavailable, "auth_service_unavailable", alice)
			firstBad = time.Now()
			return true
		})
		if end := before.Add(ttl + stale); firstBad.Before(end) {
			t.Errorf("refused %v before its time", end.Sub(firstBad))
		}
		if end := asked.Add(ttl + stale); lastGood.After(end) {
			t.Errorf("served %v beyond its time", lastGood.Sub(end))
		}
		if lastGood.Before(down) {
			t.Error("it was not served while Keycloak was down")
		}
	})
	t.Run("but never beyond exp", func(t *testing.T) {
		within(t, 6*time.Second, "the token is expired", func() bool {
			a, _ := patient.tries(t, short)
			return a.status != http.StatusOK
		})
		// That it is over it says itself, so nobody has to be asked.
		patient.refuses(t, short, http.StatusUnauthorized, "expired_token")
	})
	patient.serves(t, alice, subject(t, alice))

	comesBack(t, back, map[string]asker{"strict": {strict, bob}, "brief": {brief, bob}, "patient": {patient, bob}})
	for _, g := range all {
		g.serves(t, alice, subject(t, alice))
		g.serves(t, bob, subject(t, bob))
	}
}
