package stackauth_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// decisionCounts reads what Caddy's own metrics say of decisions.
func (g *gateway) decisionCounts(t testing.TB) map[string]int {
	t.Helper()
	a := g.do(t, "GET", "/metrics")
	a.is(t, 200, "")
	counts := make(map[string]int)
	for line := range strings.Lines(a.body) {
		rest, found := strings.CutPrefix(line, "caddy_stack_auth_decisions_total{")
		if !found {
			continue
		}
		labels, value, _ := strings.Cut(strings.TrimSpace(rest), "} ")
		n, err := strconv.ParseFloat(value, 64)
		if err != nil {
			t.Fatal(err)
		}
		counts[labels] = int(n)
	}
	return counts
}

const (
	allowEnforced = `decision="allow",mode="enforced"`
	denyEnforced  = `decision="deny",mode="enforced"`
	allowShadow   = `decision="allow",mode="shadow"`
	denyShadow    = `decision="deny",mode="shadow"`
)

func TestDecisionsOfRulesAreCounted(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	site := `
		@metrics path /metrics
		` + protect(issuer, "public /public /metrics\nrequire roles user") + `
		handle /enforced* {
			stack_auth {
				permit /enforced
			}
			` + proxy(stack) + `
		}
		handle /shadow* {
			stack_auth {
				shadow
				permit /shadow
			}
			` + proxy(stack) + `
		}
		handle @metrics {
			metrics
		}
		handle /none* {
			stack_auth
			` + proxy(stack) + `
		}
		handle {
			` + proxy(stack) + `
		}`
	g := startGateway(t, site)
	user, other := as(issuer, "uma", "user"), as(issuer, "otto")
	counted := func(t *testing.T, want map[string]int, ask func()) {
		t.Helper()
		before := g.decisionCounts(t)
		if len(before) != 4 {
			t.Errorf("counters are %v, want all four from the start", before)
		}
		ask()
		for labels, n := range g.decisionCounts(t) {
			if n-before[labels] != want[labels] {
				t.Errorf("%s went up by %d, want %d", labels, n-before[labels], want[labels])
			}
		}
	}
	for _, c := range []struct {
		name, method, path, who string
		want                    map[string]int
	}{
		{"allowed", "GET", "/x", user, map[string]int{allowEnforced: 1}},
		{"refused", "GET", "/x", other, map[string]int{denyEnforced: 1}},
		{"allowed by two blocks", "GET", "/enforced", user, map[string]int{allowEnforced: 2}},
		{"refused by the second", "GET", "/enforced/x", user, map[string]int{allowEnforced: 1, denyEnforced: 1}},
		{"allowed in shadow", "GET", "/shadow", user, map[string]int{allowEnforced: 1, allowShadow: 1}},
		{"would be refused", "GET", "/shadow/x", user, map[string]int{allowEnforced: 1, denyShadow: 1}},
		{"a block without rules decides nothing", "GET", "/none", user, map[string]int{allowEnforced: 1}},
		{"nobody", "GET", "/x", "X-None: x", nil},
		{"a bad token", "GET", "/x", "Authorization: Bearer a.b.c", nil},
		{"a path that nobody can read", "GET", "/x/../y", user, nil},
		{"a public path", "GET", "/public", user, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			counted(t, c.want, func() { g.raw(t, c.method+" "+c.path+" HTTP/1.1\n"+c.who+"\n\n") })
		})
	}
	t.Run("a reload counts on", func(t *testing.T) {
		counted(t, map[string]int{allowEnforced: 2, denyEnforced: 1}, func() {
			g.do(t, "GET", "/x", user).is(t, 200, "")
			load(t, g.config("", site+"\nheader X-New 1\n"))
			g.do(t, "GET", "/x", user).is(t, 200, "")
			g.do(t, "GET", "/x", other).is(t, 403, "insufficient_permissions")
		})
	})
	t.Run("so does one that is refused", func(t *testing.T) {
		counted(t, map[string]int{allowEnforced: 1}, func() {
			if err := tryLoad(t, g.config("", site+"\nbind 256.256.256.256\n")); err == nil {
				t.Fatal("accepted")
			}
			g.do(t, "GET", "/x", user).is(t, 200, "")
		})
	})
	t.Run("Caddy's own metrics are beside them", func(t *testing.T) {
		load(t, g.config("metrics", site))
		counted(t, map[string]int{allowEnforced: 1}, func() { g.do(t, "GET", "/x", user).is(t, 200, "") })
		if a := g.do(t, "GET", "/metrics"); !strings.Contains(a.body, "caddy_http_requests_total") {
			t.Error("Caddy's are not there")
		}
	})
}
