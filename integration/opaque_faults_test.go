//go:build integration

package integration

import (
	"net/http"
	"sync"
	"testing"
	"time"
)

func TestFaultsOfAnIntrospectionServiceLetNobodyIn(t *testing.T) {
	const (
		timeout = 500 * time.Millisecond
		tries   = 12
	)
	o := ownOIDC(t)
	g := guardOpaque(t, o, "PROVIDER_OPTIONS=timeout "+timeout.String())
	known := o.token(t, "svc-basic", "bob", "opaque")
	for _, tc := range []struct {
		name   string
		fault  fault
		silent bool // the breaker spares it: it is not asked each time
	}{
		{"it is out of service", fault{status: http.StatusServiceUnavailable}, true},
		{"a gateway before it does not find it", fault{status: http.StatusBadGateway}, true},
		{"it is slower than the timeout", fault{delay: 4 * timeout}, true},
		{"it closes the connection", fault{status: -1}, true},
		{"it fails", fault{status: http.StatusInternalServerError}, false},
		{"it says 200 and nothing of use", fault{status: http.StatusOK}, false},
		{"it has forgotten the gateway", fault{status: http.StatusUnauthorized}, false},
		{"it forbids the gateway to ask", fault{status: http.StatusForbidden}, false},
		{"it has had too many questions", fault{status: http.StatusTooManyRequests}, false},
		{"it points elsewhere", fault{status: http.StatusTemporaryRedirect}, false},
		{"it is not there", fault{status: http.StatusNotFound}, false},
	} {
		t.Run(tc.name, func(t *testing.T) {
			alice := o.token(t, "svc-basic", "alice", "opaque")
			g.serves(t, known, "bob")
			before := o.state(t).Counts[oidcIntrospection]
			o.breaks(t, oidcIntrospection, tc.fault)
			for range tries {
				begin := time.Now()
				g.refuses(t, alice, http.StatusServiceUnavailable, "auth_service_unavailable")
				if took := time.Since(begin); took > timeout+slack {
					t.Errorf("the answer took %v", took)
				}
				g.serves(t, known, "bob") // from memory
			}
			asked := o.state(t).Counts[oidcIntrospection] - before
			if tc.silent == (asked == tries) || asked == 0 {
				t.Errorf("it was asked %d times in %d tries", asked, tries)
			}
			o.heal(t)
			took := g.recovers(t, 2*time.Second, alice, "alice")
			t.Logf("asked %d times in %d tries; served %v after it was healed", asked, tries, took.Round(time.Millisecond))
		})
	}
}

// Whoever revokes a stolen token, and whose service then fails, must not have
// the thief back.
func TestFaultsDoNotBringRevokedTokensBack(t *testing.T) {
	o := ownOIDC(t)
	g := guardOpaque(t, o, "CACHE_TTL=1s", "PROVIDER_OPTIONS=stale_if_error 1h")
	stolen := o.token(t, "svc-basic", "alice", "opaque")
	known := o.token(t, "svc-basic", "alice", "opaque")
	g.serves(t, stolen, "alice")
	g.serves(t, known, "alice")
	o.revoke(t, "svc-basic", stolen)
	g.turnsAway(t, time.Second+slack, stolen)
	refused := time.Now()
	o.breaks(t, oidcIntrospection, fault{status: http.StatusServiceUnavailable})
	// a no is remembered for ten seconds; then nobody can tell any more
	within(t, 10*time.Second+slack, "the no is forgotten", func() bool {
		a, _ := g.tries(t, stolen)
		switch a.status {
		case http.StatusUnauthorized:
		case http.StatusServiceUnavailable:
			return true
		default:
			t.Fatalf("%v after it was refused the answer is %d %s", time.Since(refused), a.status, a.body)
		}
		return false
	})
	for range 3 {
		g.refuses(t, stolen, http.StatusServiceUnavailable, "auth_service_unavailable")
		g.serves(t, known, "alice")
	}
	o.heal(t)
	g.recovers(t, 2*time.Second, o.token(t, "svc-basic", "bob", "opaque"), "bob")
	g.refuses(t, stolen, http.StatusUnauthorized, "invalid_token")
}

func TestIntrospectionEndpointIsFoundWhenDiscoveryIsBack(t *testing.T) {
	o := ownOIDC(t)
	alice := o.token(t, "svc-basic", "alice", "opaque")
	o.breaks(t, oidcDiscovery, fault{status: http.StatusServiceUnavailable})
	g := guardOpaque(t, o)
	for range 8 {
		g.refuses(t, alice, http.StatusServiceUnavailable, "auth_service_unavailable")
	}
	if n := o.state(t).Counts[oidcIntrospection]; n != 0 {
		t.Errorf("a token was shown %d times to an endpoint that was not found", n)
	}
	o.heal(t)
	took := g.recovers(t, 2*time.Second, alice, "alice")
	t.Logf("served %v after it was healed", took.Round(time.Millisecond))

	// and then is not looked up again
	o.breaks(t, oidcDiscovery, fault{status: http.StatusServiceUnavailable})
	g.serves(t, o.token(t, "svc-basic", "bob", "opaque"), "bob")
}

func TestManyFirstUsesOfATokenAreOneQuestion(t *testing.T) {
	const callers = 100
	for name, tc := range map[string]struct {
		env  string
		want int
	}{
		"remembered": {"CACHE_TTL=30s", 1},
		// an answer to a question from before the request may be from before a revocation
		"with cache_ttl 0 each is one of its own": {"CACHE_TTL=0", callers},
	} {
		t.Run(name, func(t *testing.T) {
			o := ownOIDC(t)
			g := guardOpaque(t, o, tc.env)
			g.serves(t, o.token(t, "svc-basic", "bob", "opaque"), "bob") // the endpoint is known from here on
			alice := o.token(t, "svc-basic", "alice", "opaque")
			// slow enough for all of them to be there before the answer is
			o.breaks(t, oidcIntrospection, fault{delay: 300 * time.Millisecond})
			asked, passed := o.state(t).Counts[oidcIntrospection], g.stack.count()

			answers := make([]answer, callers)
			errs := make([]error, callers)
			var wg sync.WaitGroup
			for i := range callers {
				wg.Go(func() {
					answers[i], errs[i] = g.try(t.Context(), request{path: "/v1/models", token: alice})
				})
			}
			wg.Wait()
			for i, a := range answers {
				if errs[i] != nil || a.status != http.StatusOK {
					t.Errorf("caller %d: %d %s %v", i, a.status, a.body, errs[i])
				}
			}
			if n := o.state(t).Counts[oidcIntrospection] - asked; n != tc.want {
				t.Errorf("%d callers were %d questions, want %d", callers, n, tc.want)
			}
			calls := g.stack.since(passed)
			if len(calls) != callers {
				t.Errorf("%d requests reached the stack", len(calls))
			}
			for _, c := range calls {
				c.check(t, alice, "alice")
			}
		})
	}
}
