package abac

import (
	"testing"
)

func TestTheFirstRouteRuleThatAppliesDecides(t *testing.T) {
	rules := []RouteRule{
		{Effect: Permit, Paths: []string{"/v1/health"}, Methods: []string{"GET"}},
		{Effect: Forbid, Paths: []string{"/v1/admin*"}, Unless: []Condition{{UserWithIn, "admin", "roles"}}, Description: "admin is for admins"},
		{Effect: Permit, Paths: []string{"/v1/models", "/v1/models/*"}, When: []Condition{{UserWithIn, "developer", "roles"}}},
		{Effect: Forbid, Paths: []string{"/v1/models/secret"}},
		{Effect: Permit, When: []Condition{{UserWithIn, "admin", "roles"}, {UserWithNotIn, "contractors", "teams"}}},
	}
	var (
		admin      = user("ada", "", Attribute{"roles", []string{"admin"}})
		contractor = user("cy", "", Attribute{"roles", []string{"admin"}}, Attribute{"teams", []string{"contractors"}})
		developer  = user("dev", "", Attribute{"roles", []string{"developer"}})
		guest      = user("gus", "")
	)
	for _, tc := range []struct {
		u            *User
		method, path string
		allowed      bool
		rule         int
	}{
		{guest, "GET", "/v1/health", true, 0},
		{nil, "GET", "/v1/health", true, 0},
		{nil, "HEAD", "/v1/health", true, 0},
		{guest, "POST", "/v1/health", false, -1},
		{admin, "POST", "/v1/health", true, 4},
		{contractor, "POST", "/v1/health", false, -1},
		{guest, "GET", "/v1/admin/users", false, 1},
		{nil, "GET", "/v1/admin/users", false, 1},
		{developer, "GET", "/V1/ADMIN", false, 1},
		{admin, "GET", "/v1/admin/users", true, 4},
		{developer, "GET", "/v1/models", true, 2},
		{developer, "GET", "/v1/models/secret", true, 2}, // the permit comes first
		{developer, "GET", "/V1/models", false, -1},
		{admin, "GET", "/v1/models/secret", false, 3},
		{admin, "GET", "/v1/models", true, 4},
		{guest, "GET", "/v1/models/é", false, -1},
		{developer, "GET", "/v1/models/é", true, 2},
	} {
		for _, compat := range []Compat{CompatNone, CompatOGX} {
			p := mustRoutes(t, rules, compat)
			q := RouteQuestion{User: tc.u, Method: tc.method, Path: tc.path}
			cause := ByRule
			if tc.rule < 0 {
				cause = NoRuleApplied
			}
			for name, d := range map[string]Decision{"decided": p.Decide(q), "explained": p.Explain(q)} {
				if d.Allowed != tc.allowed || d.Rule != tc.rule || d.Cause != cause || d.Err != nil {
					t.Errorf("%s %s of %s %s: %+v, want %t by %d", tc.method, tc.path, tc.u.describe(), name, d, tc.allowed, tc.rule)
				}
			}
		}
	}

	p := mustRoutes(t, rules, CompatNone)
	for rule, want := range []string{"permit 1", "admin is for admins", "permit 3", "forbid 4", "permit 5"} {
		if got := p.Name(rule); got != want {
			t.Errorf("rule %d is called %s, want %s", rule, got, want)
		}
	}
	if p.Len() != len(rules) {
		t.Errorf("%d rules", p.Len())
	}
}

func TestAnExplanationSaysOfEachRuleWhyItDidNotApply(t *testing.T) {
	p := mustRoutes(t, []RouteRule{
		{Effect: Permit, Paths: []string{"/v1/health"}},
		{Effect: Permit, Methods: []string{"POST"}},
		{Effect: Permit, When: []Condition{{UserWithIn, "a", "roles"}, {UserWithIn, "ml team", "teams"}}},
		{Effect: Permit, Unless: []Condition{{UserWithIn, "x", "roles"}, {UserWithIn, "a", "roles"}}},
		{Effect: Forbid},
		{Effect: Permit},
	}, CompatNone)
	d := p.Explain(RouteQuestion{User: user("u", "", Attribute{"roles", []string{"a"}}), Method: "GET", Path: "/v1/models"})
	want := []string{
		"path does not match", "method does not match", `does not hold: when user with "ml team" in teams`,
		"holds: unless user with a in roles", "applies",
	}
	if len(d.Steps) != len(want) || d.Rule != 4 || d.Allowed {
		t.Fatalf("%+v", d)
	}
	for i, step := range d.Steps {
		if got := p.Why(i, step); got != want[i] {
			t.Errorf("rule %d: %s, want %s", i+1, got, want[i])
		}
	}
	if d := p.Decide(RouteQuestion{Path: "/"}); d.Steps != nil {
		t.Errorf("a decision for a request has steps: %v", d.Steps)
	}
}

// Case 242. No rules is a choice, and a policy that was never made is none.
func TestWithoutRouteRulesEverybodyMayAndOfThePolicyThatWasNeverMadeNobody(t *testing.T) {
	for _, u := range []*User{nil, user("u", "")} {
		for _, path := range []string{"/", "/é"} {
			q := RouteQuestion{User: u, Method: "GET", Path: path}
			for _, rules := range [][]RouteRule{nil, {}} {
				p := mustRoutes(t, rules, CompatNone)
				for _, d := range []Decision{p.Decide(q), p.Explain(q)} {
					if !d.Allowed || d.Cause != NoRules || d.Rule != -1 || len(d.Steps) != 0 {
						t.Errorf("%+v", d)
					}
				}
			}
			var zero RoutePolicy
			for _, d := range []Decision{zero.Decide(q), zero.Explain(q)} {
				if d.Allowed || d.Cause != Undecided || d.Rule != -1 {
					t.Errorf("zero policy: %+v", d)
				}
			}
		}
	}
}

// A decision is made for every request.
func TestRouteDecisionsThatAllowAllocateNothing(t *testing.T) {
	developer := benchUser()
	for name, tc := range map[string]struct {
		rules []RouteRule
		q     RouteQuestion
	}{
		"exact":       {routeRules("exact", 100), RouteQuestion{developer, "POST", "/v1/route-last/x", nil}},
		"prefix":      {routeRules("prefix", 100), RouteQuestion{developer, "POST", "/v1/route-last/x", nil}},
		"folded":      {routeRules("forbids", 100), RouteQuestion{developer, "POST", "/v1/route-last/x", nil}},
		"in capitals": {append(routeRules("forbids", 100), RouteRule{Effect: Permit}), RouteQuestion{developer, "POST", "/V1/FORBID-7/X", nil}},
		"conditions":  {routeRules("conditions", 100), RouteQuestion{developer, "POST", "/v1/route-last/x", nil}},
		"mixed":       {routeRules("mixed", 100), RouteQuestion{developer, "POST", "/v1/route-last/x", nil}},
		"anonymous":   {routeRules("mixed", 2), RouteQuestion{nil, "POST", "/v1/route-last/x", nil}},
		"non-ASCII":   {append(routeRules("forbids", 100), RouteRule{Effect: Permit, Paths: []string{"/v1/é*"}}), RouteQuestion{developer, "POST", "/v1/éa", nil}},
		"no rules":    {nil, RouteQuestion{developer, "POST", "/v1/route-last/x", nil}},
		"many groups": {[]RouteRule{{Effect: Permit, When: []Condition{{UserWithIn, "cn=group-7,ou=groups,dc=example,dc=com", "teams"}}}}, RouteQuestion{crowdedUser(), "GET", "/", nil}},
	} {
		p := mustRoutes(t, tc.rules, CompatNone)
		if d := p.Decide(tc.q); !d.Allowed {
			t.Errorf("%s: %+v", name, d)
		}
		if n := testing.AllocsPerRun(100, func() {
			if d := p.Decide(tc.q); d.Rule >= 0 && p.Name(d.Rule) == "" {
				t.Error("the rule has no name")
			}
		}); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
