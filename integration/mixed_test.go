//go:build integration

package integration

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"os/exec"
	"slices"
	"testing"
	"time"
)

// newKey makes an API key as an operator does.
func newKey(t *testing.T) (key, hash string) {
	t.Helper()
	binary, err := caddyBinary()
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), binary, "stack-auth", "hash-key", "--json").Output()
	if err != nil {
		t.Fatal(err)
	}
	var made struct{ Key, Hash string }
	if err := json.Unmarshal(out, &made); err != nil {
		t.Fatal(err)
	}
	remember(made.Key)
	return made.Key, made.Hash
}

// mixed is a gateway for callers of all kinds, with a credential of each.
type mixed struct {
	*guarded
	partner                    *oidcProvider
	jwt, ciKey, aliceKey       string
	opaque, opaqueClient, kube string
}

func startMixed(t *testing.T) *mixed {
	t.Helper()
	m := &mixed{partner: ownOIDC(t)}
	var ciHash, aliceHash string
	m.ciKey, ciHash = newKey(t)
	m.aliceKey, aliceHash = newKey(t)
	m.guarded = guard(t, "mixed.Caddyfile", idp.issuer, asReader("gw-basic",
		"PARTNER_ISSUER="+m.partner.url, "KUBE_URL="+kube.url, "KUBE_CA="+kube.caFile,
		"CI_KEY_HASH="+ciHash, "ALICE_KEY_HASH="+aliceHash)...)
	m.jwt = idp.login(t, "stack-cli", "alice").Access
	m.opaque = m.partner.token(t, "svc-basic", "alice", "opaque")
	m.opaqueClient = m.partner.token(t, "svc-basic", "", "opaque")
	m.kube = kube.token(t, "team-red", "caller")
	return m
}

func TestEachOfManyKindsOfCallersIsWhoTheyAre(t *testing.T) {
	m := startMixed(t)
	for _, tc := range []struct {
		name, token, principal string
		attributes             map[string][]string
	}{
		{"a person", m.jwt, subject(t, m.jwt), map[string][]string{"teams": {"/eng", "/ml-team"}}},
		{"a machine", m.ciKey, "machine:ci-runner", map[string][]string{"teams": {"/ci"}}},
		{"a machine that is called alice", m.aliceKey, "machine:alice", nil},
		{"a partner who is called alice", m.opaque, "partner:alice", map[string][]string{"teams": {"/eng", "/ml-team"}}},
		{"a partner's client", m.opaqueClient, "partner:client_id:svc-basic", nil},
		{"a pod", m.kube, "pod:" + caller, map[string][]string{"namespaces": {"team-red"}}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			for range 2 {
				wantAttributes(t, m.serves(t, tc.token, tc.principal), tc.attributes)
			}
		})
	}
	if n := m.partner.state(t).Counts[oidcIntrospection]; n != 2 {
		t.Errorf("the partner was asked %d times about two tokens of its own", n)
	}
	for _, tc := range []struct {
		name, token string
		asked       int // the partner: only about what may be its own
	}{
		{"a JWT of Keycloak with another signature", m.jwt[:len(m.jwt)-8] + "AAAAAAAA", 0},
		{"a JWT of Keycloak with a key that nobody has", bogusToken(idp.issuer), 0},
		{"a JWT of the partner, whose JWTs are not taken", m.partner.token(t, "svc-basic", "alice", "jwt"), 0},
		{"a pod of another namespace", kube.token(t, "team-blue", "caller"), 0},
		{"a pod's token for another audience", kube.token(t, "team-red", "caller", "other-api"), 0},
		{"a JWT of the cluster with a key that nobody has", bogusToken(kube.url), 0},
		{"a mistyped API key", m.ciKey[:len(m.ciKey)-1], 1},
		{"a token of the partner for another audience", m.partner.token(t, "svc-basic", "alice", "opaque-other"), 1},
		{"the partner's client's secret", oidcSecret("svc-basic"), 1},
		{"the cluster administrator's token", kube.admin, 1},
	} {
		t.Run("nobody: "+tc.name, func(t *testing.T) {
			before := m.partner.state(t).Counts[oidcIntrospection]
			m.refuses(t, tc.token, http.StatusUnauthorized, "invalid_token")
			if n := m.partner.state(t).Counts[oidcIntrospection] - before; n != tc.asked {
				t.Errorf("the partner was shown it %d times, want %d", n, tc.asked)
			}
		})
	}
}

// A judge that hangs must cost those nothing whom it does not judge.
func TestHungServiceCostsOnlyThoseWhomItJudges(t *testing.T) {
	const (
		during  = 2500 * time.Millisecond
		timeout = 4 * time.Second // of testdata/mixed.Caddyfile
		limit   = 250 * time.Millisecond
		waiting = "waiting"
	)
	for _, tc := range []struct {
		name    string
		delay   time.Duration
		callers int
		token   func(*testing.T, *mixed) string
		status  int
	}{
		{
			"slow, with as many good partners as may ask at once", 3 * time.Second, 60,
			func(t *testing.T, m *mixed) string { return m.partner.token(t, "svc-basic", "", "opaque") }, http.StatusOK,
		},
		{
			"hung, with a crowd of strangers", time.Minute, 300,
			func(*testing.T, *mixed) string { return "stranger-" + rand.Text() }, http.StatusServiceUnavailable,
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			m := startMixed(t)
			others := map[string]string{"people": m.jwt, "machines": m.ciKey, "pods": m.kube}
			for _, token := range others {
				wantStatus(t, m.do(t, request{path: "/v1/models", token: token}), http.StatusOK)
			}
			m.serves(t, m.opaque, "partner:alice")
			crowd := make([]string, tc.callers)
			for i := range crowd {
				crowd[i] = tc.token(t, m)
				remember(crowd[i])
			}
			m.partner.breaks(t, oidcIntrospection, fault{delay: tc.delay})

			l := newLoad(m.gateway)
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			for _, token := range crowd {
				l.wg.Go(func() { l.fire(waiting, token) })
			}
			for kind, token := range others {
				l.every(ctx, 10*time.Millisecond, func(int) { l.fire(kind, token) })
			}
			begin := time.Now()
			within(t, during+slack, "the load has run", func() bool { return time.Since(begin) > during })
			stillWaiting := tc.callers - l.countOf(waiting)
			stop()
			l.wg.Wait()

			took := make(map[string][]time.Duration)
			for _, s := range l.shots {
				took[s.kind] = append(took[s.kind], s.end.Sub(s.begin))
				want := http.StatusOK
				if s.kind == waiting {
					want = tc.status
				}
				if s.status != want {
					t.Errorf("%s: %d, want %d", s.kind, s.status, want)
				}
			}
			for kind, all := range took {
				slices.Sort(all)
				p99 := all[len(all)*99/100]
				t.Logf("%s: %d requests, median %v, 99 %% within %v", kind, len(all),
					all[len(all)/2].Round(time.Millisecond/10), p99.Round(time.Millisecond/10))
				switch {
				case kind == waiting:
					if longest := all[len(all)-1]; longest > timeout+slack {
						t.Errorf("one waited for %v", longest)
					}
				case p99 >= limit:
					t.Errorf("%s: 99 %% within %v, want less than %v", kind, p99, limit)
				case len(all) < 100:
					t.Errorf("%s: only %d requests", kind, len(all))
				}
			}
			if stillWaiting < 60 {
				t.Errorf("only %d of %d were waiting while the others were measured", stillWaiting, tc.callers)
			}
			m.serves(t, m.opaque, "partner:alice") // who is known
			m.partner.heal(t)
			served := m.recovers(t, 2*time.Second, m.partner.token(t, "svc-basic", "bob", "opaque"), "partner:bob")
			t.Logf("partners are served %v after it was healed", served.Round(time.Millisecond))
		})
	}
}
