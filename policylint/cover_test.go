package policylint_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/policylint"
)

// conditionsOf reads words as `when a; unless b` of roles.
func conditionsOf(t testing.TB, text string) (when, unless []abac.Condition) {
	t.Helper()
	for line := range strings.SplitSeq(text, ";") {
		kind, value, found := strings.Cut(strings.TrimSpace(line), " ")
		if !found {
			continue
		}
		c := abac.Condition{Op: abac.UserWithIn, Value: value, Attribute: "roles"}
		if kind == "when" {
			when = append(when, c)
		} else {
			unless = append(unless, c)
		}
	}
	return when, unless
}

// Rules that each leave callers to the others may leave nobody to the last one.
func TestRulesThatAreForEverybodyTogetherLeaveNothingToTheLast(t *testing.T) {
	for name, c := range map[string]struct {
		require []string
		before  []string // permits, of everything
		last    string
		by      string // empty: it may decide
	}{
		"those with and those without":         {nil, []string{"when a", "unless a"}, "", "permit 1 and permit 2"},
		"and one that has nothing to do":       {nil, []string{"when c", "unless a", "when a; when b", "when a"}, "", "permit 2 and permit 4"},
		"three":                                {nil, []string{"when a; when b", "unless a", "unless b"}, "", "permit 1 and permit 2 and permit 3"},
		"one of the three is missing":          {nil, []string{"when a; when b", "unless a"}, "", ""},
		"those with, and those without more":   {nil, []string{"when a", "unless a; unless b"}, "", ""},
		"who is left has what the last is not": {nil, []string{"when a", "unless a; unless b"}, "unless b", "permit 1 and permit 2"},
		"one of what require asks":             {[]string{"a", "b"}, []string{"when a", "when b"}, "", "permit 1 and permit 2"},
		"and more than require asks":           {[]string{"a", "b", "c"}, []string{"when a", "when b"}, "", ""},
		"one alone":                            {nil, []string{"when a", "unless a"}, "when a; when b", "permit 1"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &policylint.Block{}
			if c.require != nil {
				b.Require = []abac.Requirement{{Attribute: "roles", Values: c.require}}
			}
			for _, text := range append(slices.Clone(c.before), c.last) {
				rule := abac.RouteRule{Effect: abac.Permit}
				rule.When, rule.Unless = conditionsOf(t, text)
				b.Rules = append(b.Rules, policylint.RouteRule{RouteRule: rule})
				resources := abac.Rule{Effect: abac.Permit, Actions: abac.Actions, When: rule.When, Unless: rule.Unless}
				b.AccessPolicy = append(b.AccessPolicy, resources)
			}
			for _, list := range []policylint.List{policylint.OfRules, policylint.OfAccessPolicy} {
				by := ""
				for _, f := range lint(t, b) {
					if f.List == list && f.Rule == len(b.Rules) && f.Code == policylint.RuleShadowed {
						by, _, _ = strings.Cut(f.Message, " before it")
					}
				}
				if by != c.by {
					t.Errorf("%s: by %q, want %q", list, by, c.by)
				}
			}
		})
	}
}

// Some apply to one method, and the rest to others.
func TestRulesThatAreForEverybodyTogetherAreSoForEachMethod(t *testing.T) {
	permit := func(text string, methods ...string) policylint.RouteRule {
		rule := abac.RouteRule{Effect: abac.Permit, Methods: methods}
		rule.When, rule.Unless = conditionsOf(t, text)
		return policylint.RouteRule{RouteRule: rule}
	}
	rules := []policylint.RouteRule{permit("when a", "GET"), permit("unless a", "GET", "POST"), permit("when a", "POST"), permit("", "GET", "POST")}
	shadowed := func(rules []policylint.RouteRule) bool {
		return slices.ContainsFunc(lint(t, &policylint.Block{Rules: rules}), func(f policylint.Finding) bool {
			return f.Rule == len(rules) && f.Code == policylint.RuleShadowed
		})
	}
	if !shadowed(rules) {
		t.Error("not found")
	}
	for i := range 3 {
		if fewer := slices.Delete(slices.Clone(rules), i, i+1); shadowed(fewer) {
			t.Errorf("without rule %d: %+v", i+1, fewer)
		}
	}
	rules[3].Methods = append(rules[3].Methods, "DELETE")
	if shadowed(rules) {
		t.Error("of a method that none before it is of")
	}
}

// Cases multiply, and more than are told apart are no reason to say anything, or
// to look for ever.
func TestOfManyRulesWithManyConditionsNothingIsSaid(t *testing.T) {
	b := &policylint.Block{}
	for i := range 40 {
		rule := abac.RouteRule{Effect: abac.Permit}
		for j := range 20 {
			c := abac.Condition{Op: abac.UserWithIn, Value: fmt.Sprint(i/2*20 + j), Attribute: "roles"}
			if i%2 == 0 {
				rule.When = append(rule.When, c)
			} else {
				rule.Unless = append(rule.Unless, c)
			}
		}
		b.Rules = append(b.Rules, policylint.RouteRule{RouteRule: rule})
	}
	b.Rules = append(b.Rules, policylint.RouteRule{RouteRule: abac.RouteRule{Effect: abac.Permit}})
	for _, f := range lint(t, b) {
		if f.Code == policylint.RuleShadowed {
			t.Errorf("%+v", f)
		}
	}
}
