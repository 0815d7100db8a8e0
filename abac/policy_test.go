package abac

import "testing"

// Before any rule, and whatever it says: what a tenant owns is out of reach of
// every other, and of whoever has none.
func TestTenantsAreKeptApartBeforeAnyRule(t *testing.T) {
	all := []Rule{{Effect: Permit, Actions: Actions}}
	for _, tc := range []struct {
		name          string
		u             *User
		owner         *User
		reached       bool
		reachedCompat bool
	}{
		{"the same tenant", user("bob", "acme"), user("alice", "acme"), true, true},
		{"another tenant", user("bob", "other"), user("alice", "acme"), false, false},
		{"the owner's principal in another tenant", user("alice", "other"), user("alice", "acme"), false, false},
		{"a caller without a tenant", user("bob", ""), user("alice", "acme"), false, true},
		{"the owner's principal without a tenant", user("alice", ""), user("alice", "acme"), false, true},
		{"an owner without a tenant", user("bob", "acme"), user("alice", ""), true, true},
		{"no tenants", user("bob", ""), user("alice", ""), true, true},
		{"no owner", user("bob", "acme"), nil, true, true},
		{"nobody, of a tenant's", nil, user("alice", "acme"), false, false},
		{"somebody without a principal, of a tenant's", user("", "acme"), user("alice", "acme"), false, false},
		{"nobody, of nobody's tenant", nil, user("alice", ""), true, true},
		{"nobody, of nobody's", nil, nil, true, true},
	} {
		for compat, want := range map[Compat]bool{CompatNone: tc.reached, CompatOGX: tc.reachedCompat} {
			for _, rules := range [][]Rule{all, nil} {
				p := mustPolicy(t, rules, Options{Compat: compat})
				for _, action := range Actions {
					resource := NewResource("model", "m", tc.owner)
					for name, d := range map[string]Decision{"decided": p.Decide(tc.u, action, resource), "explained": p.Explain(tc.u, action, resource)} {
						if reached := d.Cause != OtherTenant; reached != want || !reached && (d.Allowed || d.Rule != -1) || rules != nil && d.Allowed != want {
							t.Errorf("%s: %s with %d rules (compat %q) %s: %+v, want it within reach: %t", tc.name, action, len(rules), compat, name, d, want)
						}
					}
				}
			}
		}
	}
}

func TestTheFirstRuleThatAppliesDecides(t *testing.T) {
	rules := []Rule{
		{Effect: Forbid, Actions: []Action{Delete}, Resource: "model::*", Unless: []Condition{{UserWithIn, "admin", "roles"}}, Description: "models stay"},
		{Effect: Permit, Principal: "ada", Actions: Actions},
		{Effect: Permit, Actions: []Action{Read, Update}, When: []Condition{{Op: UserInOwners, Attribute: "teams"}}},
		{Effect: Permit, Actions: Actions, When: []Condition{{Op: UserIsOwner}}},
		{Effect: Permit, Actions: []Action{Read}, Resource: "model::llama-*"},
	}
	var (
		red   = Attribute{"teams", []string{"red"}}
		ada   = user("ada", "", Attribute{"roles", []string{"admin"}})
		alice = user("alice", "", red)
		bob   = user("bob", "", red)
		carol = user("carol", "")
	)
	for _, tc := range []struct {
		u        *User
		action   Action
		resource Resource
		allowed  bool
		rule     int
	}{
		{ada, Delete, NewResource("model", "m", nil), true, 1},
		{alice, Delete, NewResource("model", "m", alice), false, 0},
		{nil, Delete, NewResource("model", "m", nil), false, 0},
		{alice, Delete, NewResource("file", "f", alice), true, 3},
		{bob, Read, NewResource("file", "f", alice), true, 2},
		{bob, Delete, NewResource("file", "f", alice), false, -1},
		{carol, Read, NewResource("file", "f", alice), false, -1},
		{carol, Create, NewResource("file", "f", nil), false, -1}, // there are rules, so none of the default policy
		{carol, Read, NewResource("model", "llama-3", alice), true, 4},
		{nil, Read, NewResource("model", "llama-3", nil), true, 4},
		{nil, Read, NewResource("model", "mistral", nil), false, -1},
	} {
		p := mustPolicy(t, rules, Options{})
		cause := ByRule
		if tc.rule < 0 {
			cause = NoRuleApplied
		}
		for name, d := range map[string]Decision{"decided": p.Decide(tc.u, tc.action, tc.resource), "explained": p.Explain(tc.u, tc.action, tc.resource)} {
			if d.Allowed != tc.allowed || d.Rule != tc.rule || d.Cause != cause {
				t.Errorf("%s %s %s %s: %+v, want %t by %d", tc.u.describe(), tc.action, tc.resource, name, d, tc.allowed, tc.rule)
			}
		}
	}

	p := mustPolicy(t, rules, Options{})
	if p.Len() != 5 || p.Name(0) != "models stay" || p.Name(1) != "permit 2" {
		t.Errorf("%d rules, the first are %s and %s", p.Len(), p.Name(0), p.Name(1))
	}
	d := p.Explain(carol, Read, NewResource("model", "mistral", alice))
	want := []string{
		"is for other actions", "is for another principal", "does not hold: when user in owners teams", "does not hold: when user is owner", "resource does not match",
	}
	if len(d.Steps) != len(want) {
		t.Fatalf("steps %+v", d.Steps)
	}
	for i, step := range d.Steps {
		if got := p.Why(i, step); got != want[i] {
			t.Errorf("rule %d: %s, want %s", i+1, got, want[i])
		}
	}
	if got := p.Why(0, p.Explain(ada, Delete, NewResource("model", "m", nil)).Steps[0]); got != "holds: unless user with admin in roles" {
		t.Error(got)
	}
}

// Creating is not a question of owners; sharing is that of OwnerMatch, and what
// nobody owns that of Unowned, see there.
func TestWithoutRulesTheDefaultPolicyDecides(t *testing.T) {
	alice, bob := user("alice", "acme"), user("bob", "acme")
	for _, tc := range []struct {
		name     string
		u        *User
		action   Action
		owner    *User
		want     Decision
		inCompat Decision
	}{
		{"the owner reads", alice, Read, alice, Decision{Allowed: true, Cause: ByOwner}, Decision{Allowed: true, Cause: ByOwner}},
		{"the owner deletes", alice, Delete, alice, Decision{Allowed: true, Cause: ByOwner}, Decision{Allowed: true, Cause: ByOwner}},
		{"somebody else", bob, Read, alice, Decision{Cause: NothingShared}, Decision{Cause: NothingShared}},
		{"nobody", nil, Read, user("alice", ""), Decision{Cause: NothingShared}, Decision{Cause: NothingShared}},
		{"nobody, of what nobody in particular owns", nil, Read, user("", ""), Decision{Cause: NothingShared}, Decision{Cause: NothingShared}},
		{"creating", bob, Create, nil, Decision{Allowed: true, Cause: ByCreating}, Decision{Allowed: true, Cause: ByNobody}},
		{"creating over what somebody owns", bob, Create, alice, Decision{Allowed: true, Cause: ByCreating}, Decision{Cause: NothingShared}},
		{"creating anonymously", nil, Create, nil, Decision{Cause: CreatingAnonymously}, Decision{Cause: CreatingAnonymously}},
		{"creating without a principal", user("", ""), Create, nil, Decision{Cause: CreatingAnonymously}, Decision{Cause: CreatingAnonymously}},
		{"reading what nobody owns", bob, Read, nil, Decision{Allowed: true, Cause: ByNobody}, Decision{Allowed: true, Cause: ByNobody}},
		{"deleting what nobody owns", bob, Delete, nil, Decision{Cause: OwnedByNobody}, Decision{Allowed: true, Cause: ByNobody}},
	} {
		for compat, want := range map[Compat]Decision{CompatNone: tc.want, CompatOGX: tc.inCompat} {
			for _, rules := range [][]Rule{nil, {}} {
				p := mustPolicy(t, rules, Options{Compat: compat})
				resource := NewResource("model", "m", tc.owner)
				for _, d := range []Decision{p.Decide(tc.u, tc.action, resource), p.Explain(tc.u, tc.action, resource)} {
					if d.Allowed != want.Allowed || d.Cause != want.Cause || d.Rule != -1 || d.Steps != nil {
						t.Errorf("%s (compat %q): %+v, want %+v", tc.name, compat, d, want)
					}
				}
			}
		}
	}
}

func TestOfThePolicyThatWasNeverMadeNobodyMayAnything(t *testing.T) {
	alice := user("alice", "")
	var zero Policy
	for _, action := range Actions {
		for _, owner := range []*User{nil, alice} {
			for _, d := range []Decision{zero.Decide(alice, action, NewResource("model", "m", owner)), zero.Explain(alice, action, NewResource("model", "m", owner))} {
				if d.Allowed || d.Cause != Undecided || d.Rule != -1 {
					t.Errorf("%s: %+v", action, d)
				}
			}
		}
	}
}

// A decision is made for every request.
func TestDecisionsThatAllowAllocateNothing(t *testing.T) {
	for name, tc := range map[string]struct {
		rules    []Rule
		o        Options
		resource Resource
	}{
		"exact and prefix": {resourceRules("resource", 100), Options{}, benchModel()},
		"forbids":          {resourceRules("forbids", 100), Options{}, benchModel()},
		"conditions":       {resourceRules("conditions", 100), Options{}, benchModel()},
		"owners":           {resourceRules("owners", 100), Options{}, benchModel()},
		"in compat":        {resourceRules("conditions", 100)[:99], Options{Compat: CompatOGX}, benchModel()},
		"by default":       {nil, Options{}, benchModel()},
		"by default, any":  {nil, Options{OwnerMatch: OwnerMatchAny}, benchModel()},
		"unowned":          {nil, Options{}, NewResource("model", "m", nil)},
	} {
		if name == "in compat" {
			tc.rules = append(tc.rules, Rule{Effect: Permit, Actions: Actions, Resource: "model::*"})
		}
		p, u := mustPolicy(t, tc.rules, tc.o), benchUser()
		if d := p.Decide(u, Read, tc.resource); !d.Allowed {
			t.Errorf("%s: %+v", name, d)
		}
		if n := testing.AllocsPerRun(100, func() { p.Decide(u, Read, tc.resource) }); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}
