package policylint_test

import (
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/policylint"
)

// Expressions are taken apart here and matched by the engine: what lint says that
// one never matches, or that another matches before it, holds for every path.
func FuzzExpressionsAreReadAsTheyAreMatched(f *testing.F) {
	for i, pattern := range pathPatterns {
		source, found := strings.CutPrefix(pattern, "regex:")
		if !found {
			continue
		}
		f.Add(source, "^/v1/files", paths[i%len(paths)], uint8(i))
		f.Add("^/v1/.*", source, paths[i*7%len(paths)], uint8(i+1))
	}
	f.Add("(?i)/a|(^/b$)", "/(a|b){2}[^/]+$", "/ab", uint8(0))
	f.Add(`(?m)^/a$`, `\b/a\B`, "/a", uint8(7))
	f.Fuzz(func(t *testing.T, first, second, path string, kind uint8) {
		canonical, err := abac.CanonicalPath(path)
		if err != nil {
			return // no rule reads it
		}
		effects := []abac.Effect{abac.Permit, abac.Forbid}
		compat := []abac.Compat{abac.CompatNone, abac.CompatOGX}[kind>>2&1]
		var rules []abac.RouteRule
		for i, source := range []string{first, second} {
			rules = append(rules, abac.RouteRule{Effect: effects[kind>>i&1], Paths: []string{"regex:" + source}})
		}
		if kind&8 != 0 {
			rules[0].Paths[0] = strings.TrimPrefix(rules[0].Paths[0], "regex:")
		}
		policy, err := abac.NewRoutePolicy(rules, compat)
		if err != nil {
			return // nobody can load it
		}
		b := &policylint.Block{Compat: compat}
		for _, rule := range rules {
			b.Rules = append(b.Rules, policylint.RouteRule{RouteRule: rule})
		}
		d := policy.Explain(abac.RouteQuestion{User: &abac.User{Principal: "alice"}, Method: "GET", Path: canonical})
		for _, finding := range lint(t, b) {
			if finding.Rule != d.Rule+1 || d.Rule < 0 {
				continue
			}
			switch finding.Code {
			case policylint.PatternNeverMatches, policylint.RuleShadowed, policylint.DuplicateRule, policylint.RuleNeverApplies:
				t.Errorf("%q is decided by %+v\n%+v", canonical, rules[d.Rule], finding)
			}
		}
	})
}
