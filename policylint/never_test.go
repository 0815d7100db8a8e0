package policylint_test

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/policylint"
)

// Whoever takes a rule out because lint says that it never decides must not
// change a decision. So lint's word is held against the engine's: of policies at
// random, with requests at random, no rule decides of which lint says that it
// never does.

var (
	pathPatterns = []string{
		"*", "/", "/*", "/v1", "/v1*", "/v1/*", "/v1/", "/V1/*", "/v1/files", "/v1/files*", "/v1/files/*", "/v1/files/", "/v1/Files",
		"/v1/files/x", "/v1/filesystem", "/vi/*", "/vi", "/k", "/K*", "/1", "/1/*", "/1*", "/é*", "/\u0131", "/\u0131*", "/v\u0130",
		"regex:^/v1/.*", "regex:^/v1/", "regex:^/v1/files$", "regex:/v1/files", "regex:v1", "regex:.*", "regex:^/v1/(files|vi)$", "regex:^/v1/files/$",
		"regex:^/v1/files|/vi$", "regex:^/vi", "regex:^/vi$", "regex:(?i)/v1/files", "regex:^/[^a-z]+$", "regex:^/1", "regex:^/1$", "regex:/v1//files",
		"regex:^/v1/files/[a-z]*", "regex:^/?", "regex:^$", "regex:^/", "regex:(/v1)?/files", "regex:^/k.*$", "regex:^/v1/files%2fx", "regex:x*",
		"regex:/[%;]x", "regex:^/(?:a b|c%d)", "regex:/v1(?: x){2}", "regex:(?:v1|x)", "regex:(?:v1)+/", "regex:[a-z]/x", `regex:\bv1`, "regex:.?v1", "regex:/?v1",
		"regex:[^/]v1", "regex:v{2,3}", "regex:/(?:)v1", "regex:(?:/v1)?$", "regex:/(?: )+", "regex:(?:/v1|/vi)/", "regex:[^a]v1", "regex:^/v1/(?:files|vi)/$", "regex:.v1$",
		"regex:/v1$/.*", "regex:/v1$x", "regex:/v1/^files", `regex:/v1/\.\./x`, `regex:/v1/\./`, `regex:/v1/[^\x00-\x{10FFFF}]`, "regex:(?:/v1$|/vi)/.*", "regex:(?:/v1$|/vi$)/x",
		"regex:/v1(?:^|$)files", "regex:/v1(?:$|/)files", "regex:/v1$/?", "regex:/?^/v1", "regex:(?:/v1$)+", "regex:(?:/v1$){2}", "regex:(?m)/v1$.?", `regex:/v1(?:$|\b)/vi`,
		"regex:^/v1/(?:files|vi)/.*", `regex:(?:/[^\x00-\x{10FFFF}]|/v1$)x`, "regex:(?:x|^)/v1", "regex:(?:/v1|$)^", "regex:(?:$|/v1)$", "regex:/v1(?: x){0,2}", `regex:/v1/\.x`, `regex:/v1/\.\.x`,
	}
	paths = []string{
		"/", "/v1", "/V1", "/v1/files", "/v1/FILES", "/V1/files", "/v1/filesystem", "/v1/files/x", "/v1/files/X", "/v1/files/x/y", "/V1/FILES/x", "/v1/vi", "/v1/models",
		"/vi", "/Vi", "/v\u0130", "/v\u0131", "/VI/x", "/v\u0130/x", "/k", "/K", "/\u212a", "/\u212ax", "/1", "/1/x", "/1x", "/é", "/Éa", "/files", "/v1/files-other", "/~", "/i", "/I", "/\u0131", "/\u0130x", "/v1/.x", "/v1/..x",
	}
	methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "CONNECT"}

	routeConditions = []abac.Condition{
		{Op: abac.UserWithIn, Value: "a", Attribute: "roles"},
		{Op: abac.UserWithNotIn, Value: "a", Attribute: "roles"},
		{Op: abac.UserWithIn, Value: "b", Attribute: "roles"},
		{Op: abac.UserWithNotIn, Value: "b", Attribute: "roles"},
		{Op: abac.UserWithIn, Value: "a", Attribute: "teams"},
		{Op: abac.UserIsAnonymous},
	}
	resourceConditions = append(slices.Clone(routeConditions),
		abac.Condition{Op: abac.UserInOwners, Attribute: "roles"}, abac.Condition{Op: abac.UserNotInOwners, Attribute: "roles"},
		abac.Condition{Op: abac.UserIsOwner}, abac.Condition{Op: abac.UserIsNotOwner}, abac.Condition{Op: abac.ResourceIsUnowned})
)

func some[T any](r *rand.Rand, most int, from []T) []T {
	var list []T
	for range r.IntN(most + 1) {
		list = append(list, from[r.IntN(len(from))])
	}
	return list
}

func reversed[T any](list []T) []T {
	list = slices.Clone(list)
	slices.Reverse(list)
	return list
}

func either[T any](r *rand.Rand, a, b T) T {
	if r.IntN(2) == 0 {
		return a
	}
	return b
}

func anybody(r *rand.Rand) *abac.User {
	return &abac.User{
		Principal: either(r, "alice", "bob"),
		Attributes: abac.NewAttributes(
			abac.Attribute{Name: "roles", Values: some(r, 2, []string{"a", "b", "c"})},
			abac.Attribute{Name: "teams", Values: some(r, 2, []string{"a", "b"})},
		),
	}
}

// routesAtRandom makes a block of few different rules, so that they get into each
// other's way.
func routesAtRandom(r *rand.Rand) *policylint.Block {
	b := &policylint.Block{Number: 1, AllowAnonymous: r.IntN(2) == 0, TenancyMulti: r.IntN(4) == 0, Compat: either(r, abac.CompatNone, abac.CompatOGX)}
	for range 1 + r.IntN(5) {
		rule := policylint.RouteRule{RouteRule: abac.RouteRule{
			Effect: either(r, abac.Permit, abac.Forbid), Paths: some(r, 3, either(r, pathPatterns, pathPatterns[:12])), Methods: some(r, 2, []string{"GET", "POST", "DELETE"}),
			When: some(r, r.IntN(3), routeConditions), Unless: some(r, r.IntN(3), routeConditions),
		}}
		if r.IntN(5) == 0 {
			rule.Matched, rule.Guard = true, func(any, abac.Effect) (bool, error) { return r.IntN(2) == 0, nil }
		}
		b.Rules = append(b.Rules, rule)
		if r.IntN(8) == 0 {
			rule.Paths, rule.When = reversed(rule.Paths), reversed(rule.When)
			b.Rules = append(b.Rules, rule)
		}
	}
	if r.IntN(3) == 0 {
		b.Require = []abac.Requirement{{Attribute: "roles", Values: either(r, []string{"a"}, []string{"a", "b"})}}
	}
	return b
}

func lint(t testing.TB, b *policylint.Block) []policylint.Finding {
	t.Helper()
	findings, err := policylint.Lint(b)
	if err != nil {
		t.Fatalf("%+v: %v", b, err)
	}
	return findings
}

var neverDecides = []policylint.Code{policylint.RuleNeverApplies, policylint.RuleShadowed, policylint.DuplicateRule}

// neverDeciding returns the rules of a list of which lint says that they never
// decide.
func neverDeciding(findings []policylint.Finding, list policylint.List, counts map[policylint.Code]int) map[int]bool {
	never := make(map[int]bool)
	for _, f := range findings {
		if f.List == list && slices.Contains(neverDecides, f.Code) {
			never[f.Rule-1] = true
			counts[f.Code]++
		}
	}
	return never
}

func TestNoRequestIsDecidedByARouteRuleThatLintSaysNeverDecides(t *testing.T) {
	counts := make(map[policylint.Code]int)
	for seed := range uint64(2000) {
		tryRoutes(t, rand.New(rand.NewPCG(seed, 1)), counts)
	}
	for _, code := range append(slices.Clone(neverDecides), policylint.PathShadowed) {
		if counts[code] < 50 {
			t.Errorf("%s was found %d times only: nothing is tested", code, counts[code])
		}
	}
}

// shadowedPaths returns the paths of a rule of which lint says that they never
// decide.
func shadowedPaths(findings []policylint.Finding, rule int) []string {
	for _, f := range findings {
		if f.Code != policylint.PathShadowed || f.Rule != rule+1 {
			continue
		}
		list := f.Message[:strings.LastIndex(f.Message, "`")]
		return strings.FieldsFunc(strings.TrimPrefix(list, "`"), func(c rune) bool { return c == '`' })
	}
	return nil
}

func tryRoutes(t testing.TB, r *rand.Rand, counts map[policylint.Code]int) {
	t.Helper()
	b := routesAtRandom(r)
	findings := lint(t, b)
	never := neverDeciding(findings, policylint.OfRules, counts)
	rules := make([]abac.RouteRule, 0, len(b.Rules))
	for _, rule := range b.Rules {
		rules = append(rules, rule.RouteRule)
	}
	policy, err := abac.NewRoutePolicy(rules, b.Compat)
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		q := abac.RouteQuestion{User: anybody(r), Method: methods[r.IntN(len(methods))], Path: paths[r.IntN(len(paths))]}
		if b.AllowAnonymous && !b.TenancyMulti && r.IntN(3) == 0 {
			q.User = nil
		}
		if slices.ContainsFunc(b.Require, func(line abac.Requirement) bool { return !line.Holds(q.User) }) {
			continue
		}
		d := policy.Explain(q)
		if never[d.Rule] {
			t.Fatalf("%+v is decided by rule %d of %+v\n%+v", q, d.Rule+1, rules, findings)
		}
		if shadowed := shadowedPaths(findings, d.Rule); shadowed != nil {
			counts[policylint.PathShadowed]++
			rule := rules[d.Rule]
			rule.Paths = slices.DeleteFunc(slices.Clone(rule.Paths), func(p string) bool { return slices.Contains(shadowed, p) })
			without, _ := abac.NewRoutePolicy([]abac.RouteRule{{Effect: rule.Effect, Paths: rule.Paths}}, b.Compat)
			if without.Decide(q).Cause != abac.ByRule {
				t.Fatalf("%+v is decided by a path in %v of rule %d of %+v", q, shadowed, d.Rule+1, rules)
			}
		}
	}
}

func TestNoPathIsMatchedByAPatternThatLintSaysMatchesNothing(t *testing.T) {
	found := 0
	for _, pattern := range pathPatterns {
		for _, effect := range []abac.Effect{abac.Permit, abac.Forbid} {
			for _, compat := range []abac.Compat{abac.CompatNone, abac.CompatOGX} {
				rule := abac.RouteRule{Effect: effect, Paths: []string{pattern}}
				findings := lint(t, &policylint.Block{Compat: compat, Rules: []policylint.RouteRule{{RouteRule: rule}}})
				if !slices.ContainsFunc(findings, func(f policylint.Finding) bool { return f.Code == policylint.PatternNeverMatches }) {
					continue
				}
				found++
				policy, _ := abac.NewRoutePolicy([]abac.RouteRule{rule}, compat)
				for _, path := range paths {
					if policy.Decide(abac.RouteQuestion{Method: "GET", Path: path}).Cause == abac.ByRule {
						t.Errorf("%s %s matches %s", effect, pattern, path)
					}
				}
			}
		}
	}
	if found < 20 {
		t.Errorf("%d patterns match nothing: nothing is tested", found)
	}
}

func TestNoRequestIsDecidedByAResourceRuleThatLintSaysNeverDecides(t *testing.T) {
	counts := make(map[policylint.Code]int)
	for seed := range uint64(2000) {
		tryResources(t, rand.New(rand.NewPCG(seed, 2)), counts)
	}
	for _, code := range neverDecides {
		if counts[code] < 50 {
			t.Errorf("%s was found %d times only: nothing is tested", code, counts[code])
		}
	}
}

var resourcePatterns = []abac.Given{
	"", "", "model::*", "model::a", "model::a*", "model::ab", "file::*", "model::a\n",
	"regex:^model::.*", "regex:^model::", "regex:^model::a$", "regex:model::a", "regex:.*", "regex:(?s).*", "regex:model::.*$", "regex:^(model|file)::a",
}

func tryResources(t testing.TB, r *rand.Rand, counts map[policylint.Code]int) {
	t.Helper()
	b := &policylint.Block{AllowAnonymous: r.IntN(2) == 0, TenancyMulti: r.IntN(4) == 0, Compat: either(r, abac.CompatNone, abac.CompatOGX)}
	for range 1 + r.IntN(5) {
		b.AccessPolicy = append(b.AccessPolicy, abac.Rule{
			Effect: either(r, abac.Permit, abac.Forbid), Principal: either(r, "", either[abac.Given](r, "alice", "bob")),
			Actions:  append(some(r, 2, abac.Actions), abac.Read),
			Resource: resourcePatterns[r.IntN(len(resourcePatterns))],
			When:     some(r, 2, resourceConditions), Unless: some(r, 2, resourceConditions),
		})
		if r.IntN(8) == 0 {
			b.AccessPolicy = append(b.AccessPolicy, b.AccessPolicy[r.IntN(len(b.AccessPolicy))])
		}
	}
	findings := lint(t, b)
	never := neverDeciding(findings, policylint.OfAccessPolicy, counts)
	policy, err := abac.NewPolicy(b.AccessPolicy, abac.Options{Compat: b.Compat})
	if err != nil {
		t.Fatal(err)
	}
	for range 300 {
		var who, owner *abac.User
		if !b.AllowAnonymous || b.TenancyMulti || r.IntN(3) > 0 {
			who = anybody(r)
		}
		if r.IntN(3) > 0 {
			owner = anybody(r)
		}
		ids := []string{"a", "ab", "a\n", "b", "*", "a*", ""}
		resource := abac.NewResource(either(r, "model", "file"), ids[r.IntN(len(ids))], owner)
		action := abac.Actions[r.IntN(len(abac.Actions))]
		if d := policy.Explain(who, action, resource); never[d.Rule] {
			t.Fatalf("%+v, %s of %q, owner %+v, is decided by rule %d of %+v\n%+v", who, action, resource, owner, d.Rule+1, b.AccessPolicy, findings)
		}
	}
}

func TestRulesThatNoConfigurationHasAreAnError(t *testing.T) {
	for name, b := range map[string]*policylint.Block{
		"a path":         {Rules: []policylint.RouteRule{{RouteRule: abac.RouteRule{Effect: abac.Permit, Paths: []string{"v1"}}}}},
		"an effect":      {Rules: []policylint.RouteRule{{}}},
		"a resource":     {AccessPolicy: []abac.Rule{{Effect: abac.Permit, Actions: abac.Actions, Resource: "model"}}},
		"no actions":     {AccessPolicy: []abac.Rule{{Effect: abac.Permit}}},
		"an expression":  {Rules: []policylint.RouteRule{{RouteRule: abac.RouteRule{Effect: abac.Permit, Paths: []string{"regex:("}}}}},
		"an owner match": {OwnerMatch: "some"},
	} {
		if findings, err := policylint.Lint(b); err == nil || findings != nil {
			t.Errorf("%s: %v, %+v", name, err, findings)
		}
	}
}

func FuzzRouteRulesThatNeverDecide(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		tryRoutes(t, rand.New(rand.NewPCG(a, b)), make(map[policylint.Code]int))
	})
}

func FuzzResourceRulesThatNeverDecide(f *testing.F) {
	f.Add(uint64(1), uint64(2))
	f.Fuzz(func(t *testing.T, a, b uint64) {
		tryResources(t, rand.New(rand.NewPCG(a, b)), make(map[policylint.Code]int))
	})
}
