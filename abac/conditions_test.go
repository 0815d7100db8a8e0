package abac

import "testing"

var allOperators = []Operator{
	UserWithIn, UserWithNotIn, UserInOwners, UserNotInOwners, UserIsOwner, UserIsNotOwner, UserIsAnonymous, ResourceIsUnowned,
}

// conditionOn returns a condition with the operator.
func conditionOn(op Operator) Condition {
	c := Condition{Op: op}
	switch op {
	case UserWithIn, UserWithNotIn:
		c.Value, c.Attribute = "developer", "roles"
	case UserInOwners, UserNotInOwners:
		c.Attribute = "roles"
	}
	return c
}

func user(principal, tenant string, list ...Attribute) *User {
	return &User{principal, tenant, NewAttributes(list...)}
}

func TestEveryOperatorAsksWhatItSays(t *testing.T) {
	var (
		developer = user("alice", "", Attribute{"roles", []string{"reader", "developer"}})
		reader    = user("bob", "", Attribute{"roles", []string{"reader"}})
		nothing   = user("carol", "")
		misnamed  = user("dave", "", Attribute{"teams", []string{"developer"}}, Attribute{"Roles", []string{"developer"}})
		inCaps    = user("erin", "", Attribute{"roles", []string{"Developer"}})
	)
	const with, without, shared, unshared, owner, notOwner, anonymous, unowned = 1, 2, 4, 8, 16, 32, 64, 128
	bits := map[Operator]int{
		UserWithIn: with, UserWithNotIn: without, UserInOwners: shared, UserNotInOwners: unshared,
		UserIsOwner: owner, UserIsNotOwner: notOwner, UserIsAnonymous: anonymous, ResourceIsUnowned: unowned,
	}
	for _, tc := range []struct {
		name     string
		u, owner *User
		hold     int
	}{
		{"a developer, of a reader's", developer, reader, with | shared | notOwner},
		{"a developer, of their own", developer, developer, with | shared | owner},
		{"a developer, of nobody's", developer, nil, with | unshared | notOwner | unowned},
		{"a developer, of what somebody without attributes owns", developer, nothing, with | unshared | notOwner},
		{"a reader, of a developer's", reader, developer, without | shared | notOwner},
		{"somebody without attributes, of a reader's", nothing, reader, without | unshared | notOwner},
		{"somebody without attributes, of their own", nothing, nothing, without | unshared | owner},
		{"somebody without attributes, of nobody's", nothing, nil, without | unshared | notOwner | unowned},
		{"the value in another attribute", misnamed, developer, without | unshared | notOwner},
		{"the value in another case", inCaps, developer, without | unshared | notOwner},
		{"the same attributes, and somebody else", user("frank", "", Attribute{"roles", []string{"developer"}}), developer, with | shared | notOwner},
	} {
		for _, op := range allOperators {
			resource := NewResource("model", "m", tc.owner)
			for _, effect := range []Effect{Permit, Forbid} {
				// As `when`, and as `unless`, of both effects.
				want := tc.hold&bits[op] != 0
				rule := Rule{Effect: effect, Actions: Actions, When: []Condition{conditionOn(op)}}
				if got := mustPolicy(t, []Rule{rule}, Options{}).Decide(tc.u, Read, resource).Cause == ByRule; got != want {
					t.Errorf("%s: %s when %s applies: %t, want %t", tc.name, effect, conditionOn(op), got, want)
				}
				rule = Rule{Effect: effect, Actions: Actions, Unless: []Condition{conditionOn(op)}}
				if got := mustPolicy(t, []Rule{rule}, Options{}).Decide(tc.u, Read, resource).Cause == ByRule; got == want {
					t.Errorf("%s: %s unless %s applies: %t, want %t", tc.name, effect, conditionOn(op), got, !want)
				}
			}
		}
	}
}

// Case 243, and section 5: of somebody who does not say who they are, every
// condition but `user is anonymous` counts against them, whatever is asked, in
// whichever form, with and without a scope.
func TestEveryConditionCountsAgainstAnonymousCallers(t *testing.T) {
	for _, nobody := range []*User{nil, {}, {Attributes: NewAttributes(Attribute{"roles", []string{"developer"}})}} {
		for _, op := range allOperators {
			for _, effect := range []Effect{Permit, Forbid} {
				for _, unless := range []bool{false, true} {
					for _, principal := range []Given{"", "alice"} {
						for _, compat := range []Compat{CompatNone, CompatOGX} {
							checkAnonymous(t, nobody, conditionOn(op), effect, unless, principal, compat)
						}
					}
				}
			}
		}
	}
}

func checkAnonymous(t *testing.T, nobody *User, c Condition, effect Effect, unless bool, principal Given, compat Compat) {
	t.Helper()
	// A permit must not apply, and a forbid must.
	applies := effect == Forbid
	if c.Op == UserIsAnonymous {
		applies = !unless
	}
	if principal != "" && effect == Permit {
		applies = false
	}
	when, except := []Condition{c}, []Condition(nil)
	if unless {
		when, except = nil, when
	}
	for _, owner := range []*User{nil, user("bob", "", Attribute{"roles", []string{"developer"}})} {
		rule := Rule{Effect: effect, Principal: principal, Actions: Actions, When: when, Unless: except}
		p := mustPolicy(t, []Rule{rule}, Options{Compat: compat})
		for name, d := range map[string]Decision{
			"decided":   p.Decide(nobody, Read, NewResource("model", "m", owner)),
			"explained": p.Explain(nobody, Read, NewResource("model", "m", owner)),
		} {
			if applied := d.Cause == ByRule; applied != applies || d.Allowed != (applied && effect == Permit) {
				t.Errorf("%s (unless: %t) %s, principal %q, compat %q, of %s: %s %+v, want it to apply: %t",
					effect, unless, c, principal, compat, owner.describe(), name, d, applies)
			}
		}
	}
	if c.AboutOwners() || principal != "" {
		return
	}
	d := mustRoutes(t, []RouteRule{{Effect: effect, When: when, Unless: except}}, compat).Decide(RouteQuestion{User: nobody, Method: "GET", Path: "/"})
	if applied := d.Cause == ByRule; applied != applies || d.Allowed != (applied && effect == Permit) {
		t.Errorf("route: %s (unless: %t) %s: %+v, want it to apply: %t", effect, unless, c, d, applies)
	}
}

// Case 244. Upstream reads several `unless` of a resource rule the other way
// round than those of a route rule.
func TestSeveralConditions(t *testing.T) {
	a, b := Condition{UserWithIn, "a", "roles"}, Condition{UserWithIn, "b", "roles"}
	anonymous := Condition{Op: UserIsAnonymous}
	for _, tc := range []struct {
		name         string
		u            *User
		when, unless []Condition
		any, all     bool // applies, as unless is read by us, and by upstream for resources
	}{
		{"no conditions", user("u", ""), nil, nil, true, true},
		{"when, none of two", user("u", ""), []Condition{a, b}, nil, false, false},
		{"when, one of two", user("u", "", Attribute{"roles", []string{"a"}}), []Condition{a, b}, nil, false, false},
		{"when, the other of two", user("u", "", Attribute{"roles", []string{"b"}}), []Condition{a, b}, nil, false, false},
		{"when, both", user("u", "", Attribute{"roles", []string{"a", "b"}}), []Condition{a, b}, nil, true, true},
		{"unless, none of two", user("u", ""), nil, []Condition{a, b}, true, true},
		{"unless, one of two", user("u", "", Attribute{"roles", []string{"a"}}), nil, []Condition{a, b}, false, true},
		{"unless, the other of two", user("u", "", Attribute{"roles", []string{"b"}}), nil, []Condition{a, b}, false, true},
		{"unless, both", user("u", "", Attribute{"roles", []string{"a", "b"}}), nil, []Condition{a, b}, false, false},
		{"unless, the same twice", user("u", "", Attribute{"roles", []string{"a"}}), nil, []Condition{a, a}, false, false},
		{"when and unless, only when", user("u", "", Attribute{"roles", []string{"a"}}), []Condition{a}, []Condition{b}, true, true},
		{"when and unless, both", user("u", "", Attribute{"roles", []string{"a", "b"}}), []Condition{a}, []Condition{b}, false, false},
		{"when and unless, only unless", user("u", "", Attribute{"roles", []string{"b"}}), []Condition{a}, []Condition{b}, false, false},
	} {
		for _, effect := range []Effect{Permit, Forbid} {
			for compat, want := range map[Compat]bool{CompatNone: tc.any, CompatOGX: tc.all} {
				p := mustPolicy(t, []Rule{{Effect: effect, Actions: Actions, When: tc.when, Unless: tc.unless}}, Options{Compat: compat})
				if got := p.Decide(tc.u, Read, NewResource("model", "m", nil)).Cause == ByRule; got != want {
					t.Errorf("%s: %s on a resource (compat %q) applies: %t, want %t", tc.name, effect, compat, got, want)
				}
				routes := mustRoutes(t, []RouteRule{{Effect: effect, When: tc.when, Unless: tc.unless}}, compat)
				if got := routes.Decide(RouteQuestion{User: tc.u, Path: "/"}).Cause == ByRule; got != tc.any {
					t.Errorf("%s: %s on a route (compat %q) applies: %t, want %t", tc.name, effect, compat, got, tc.any)
				}
			}
		}
	}

	// Of anonymous callers, what counts against them does so one by one.
	for _, tc := range []struct {
		effect       Effect
		when, unless []Condition
		any, all     bool
	}{
		{Permit, []Condition{anonymous, a}, nil, false, false},
		{Permit, []Condition{anonymous, anonymous}, nil, true, true},
		{Permit, []Condition{anonymous}, []Condition{a}, false, false},
		{Permit, nil, []Condition{a, b}, false, false},
		{Permit, nil, []Condition{a, anonymous}, false, false},
		{Forbid, []Condition{anonymous, a}, nil, true, true},
		{Forbid, []Condition{a, b}, nil, true, true},
		{Forbid, nil, []Condition{a, b}, true, true},
		{Forbid, nil, []Condition{a, anonymous}, false, true},
		{Forbid, nil, []Condition{anonymous, anonymous}, false, false},
		{Forbid, []Condition{a}, []Condition{anonymous}, false, false},
	} {
		for compat, want := range map[Compat]bool{CompatNone: tc.any, CompatOGX: tc.all} {
			p := mustPolicy(t, []Rule{{Effect: tc.effect, Actions: Actions, When: tc.when, Unless: tc.unless}}, Options{Compat: compat})
			if got := p.Decide(nil, Read, NewResource("model", "m", nil)).Cause == ByRule; got != want {
				t.Errorf("%s when %v unless %v (compat %q) applies to nobody: %t, want %t", tc.effect, tc.when, tc.unless, compat, got, want)
			}
		}
	}
}

func TestEmptyListsOfConditionsAreErrors(t *testing.T) {
	for _, effect := range []Effect{Permit, Forbid} {
		for _, tc := range []struct {
			when, unless []Condition
			want         string
		}{
			{[]Condition{}, nil, "when is empty: leave it out"},
			{nil, []Condition{}, "unless is empty: leave it out"},
			{[]Condition{}, []Condition{}, "when is empty: leave it out"},
			{[]Condition{{}}, []Condition{{}}, `when: condition "": expected an operator such as user_with_in`},
			{nil, []Condition{{Op: UserIsAnonymous}, {Op: "x"}}, `unless: condition "x": expected an operator such as user_with_in`},
		} {
			rule := Rule{Effect: effect, Actions: Actions, When: tc.when, Unless: tc.unless}
			checkError(t, "rule", rule.Check(CompatNone), tc.want)
			route := RouteRule{Effect: effect, When: tc.when, Unless: tc.unless}
			checkError(t, "route rule", route.Check(), tc.want)
		}
	}
}
