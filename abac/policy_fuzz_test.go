package abac

import (
	"math/rand/v2"
	"slices"
	"testing"
)

// addDice seeds a fuzzer with throws that make policies of all sizes.
func addDice(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte{1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1})
	random := rand.New(rand.NewPCG(5, 6))
	for range 500 {
		throws := make([]byte, random.IntN(400))
		for i := range throws {
			throws[i] = byte(random.IntN(256))
		}
		f.Add(throws)
	}
}

// The engine has keys, slots, marks and sorted indexes, and the reference has
// none of them: they may make it fast, and never make it decide otherwise.
func FuzzRoutePolicy(f *testing.F) {
	addDice(f)
	f.Fuzz(func(t *testing.T, throws []byte) {
		d := dice(throws)
		compat, q := d.compat(), d.question()
		rules := some(&d, 12, d.routeRule)
		p := mustRoutes(t, rules, compat)
		got, explained := p.Decide(q), p.Explain(q)
		allowed, rule := referenceRoute(rules, compat, q)
		if got.Allowed != allowed || got.Rule != rule || explained.Allowed != allowed || explained.Rule != rule || got.Cause != explained.Cause {
			t.Fatalf("%+v %s\nby %+v (compat %q):\ndecided %+v\nexplained %+v\nreference %t by %d", q, q.User.describe(), rules, compat, got, explained, allowed, rule)
		}
		if rule >= 0 && len(explained.Steps) != rule+1 {
			t.Fatalf("%d steps up to rule %d", len(explained.Steps), rule)
		}

		// A forbid put first never grants.
		first := d.routeRule()
		first.Effect = Forbid
		if !allowed && mustRoutes(t, append([]RouteRule{first}, rules...), compat).Decide(q).Allowed {
			t.Fatalf("%+v put before %+v lets %+v %s pass", first, rules, q, q.User.describe())
		}
		checkAnonymousRoutes(t, &d, rules, compat, q)
		checkMoreAttributesOnRoutes(t, &d, rules, compat, q)
	})
}

// Where no rule says `user is anonymous`, whatever anonymous callers may, every
// user may.
func checkAnonymousRoutes(t *testing.T, d *dice, rules []RouteRule, compat Compat, q RouteQuestion) {
	t.Helper()
	rules = slices.Clone(rules)
	for i := range rules {
		rules[i].When, rules[i].Unless = withoutAnonymous(rules[i].When), withoutAnonymous(rules[i].Unless)
	}
	p, user := mustRoutes(t, rules, compat), d.somebody()
	q.User = nil
	anonymous := p.Decide(q)
	if q.User = user; anonymous.Allowed && !p.Decide(q).Allowed {
		t.Fatalf("%+v: nobody passes %s %s, and %s does not", rules, q.Method, q.Path, user.describe())
	}
}

func withoutAnonymous(list []Condition) []Condition {
	var kept []Condition
	for _, c := range list {
		if c.Op != UserIsAnonymous {
			kept = append(kept, c)
		}
	}
	return kept
}

// Where every forbid comes first and asks only what the caller has, whoever one
// of them refuses is refused with one attribute more, too.
func checkMoreAttributesOnRoutes(t *testing.T, d *dice, rules []RouteRule, compat Compat, q RouteQuestion) {
	t.Helper()
	var forbids, permits []RouteRule
	for _, r := range rules {
		if r.Effect == Permit {
			permits = append(permits, r)
			continue
		}
		r.Unless, r.When = nil, some(d, 2, func() Condition { return d.condition(UserWithIn) })
		forbids = append(forbids, r)
	}
	p := mustRoutes(t, append(forbids, permits...), compat)
	q.User = d.somebody()
	before := p.Decide(q)
	q.User = withMore(q.User, Attribute{d.attribute(), []string{d.value()}})
	if after := p.Decide(q); before.Cause == ByRule && !before.Allowed && (after.Allowed || after.Cause != ByRule) {
		t.Fatalf("%+v and %+v: refused by %d, and with more attributes (%s) %+v", forbids, permits, before.Rule, q.User.describe(), after)
	}
}

func FuzzPolicy(f *testing.F) {
	addDice(f)
	f.Fuzz(func(t *testing.T, throws []byte) {
		d := dice(throws)
		o, user, action, resource := d.options(), d.anybody(), d.action(), d.resource()
		rules := append([]Rule{d.rule()}, some(&d, 10, d.rule)...)
		p := mustPolicy(t, rules, o)
		got, explained := p.Decide(user, action, resource), p.Explain(user, action, resource)
		allowed, rule := referencePolicy(rules, o.Compat, user, action, resource)
		if got.Allowed != allowed || got.Rule != rule || explained.Allowed != allowed || explained.Rule != rule || got.Cause != explained.Cause {
			t.Fatalf("%s %s %q of %s\nby %+v (compat %q):\ndecided %+v\nexplained %+v\nreference %t by %d",
				user.describe(), action, resource, resource.Owner().describe(), rules, o.Compat, got, explained, allowed, rule)
		}

		// A forbid put first never grants.
		first := d.rule()
		first.Effect = Forbid
		if !allowed && mustPolicy(t, append([]Rule{first}, rules...), o).Decide(user, action, resource).Allowed {
			t.Fatalf("%+v put before %+v lets %s %s %q", first, rules, user.describe(), action, resource)
		}
		checkAnonymousResources(t, &d, rules, o, action, resource)
		checkMoreAttributesOnResources(t, &d, rules, o, action, resource)
	})
}

// Where no rule says `user is anonymous`, whatever anonymous callers may, every
// user may whom the owner's tenant does not keep out; by the default policy, too.
func checkAnonymousResources(t *testing.T, d *dice, rules []Rule, o Options, action Action, resource Resource) {
	t.Helper()
	rules = slices.Clone(rules)
	for i := range rules {
		rules[i].When, rules[i].Unless = withoutAnonymous(rules[i].When), withoutAnonymous(rules[i].Unless)
	}
	for _, p := range []*Policy{mustPolicy(t, rules, o), mustPolicy(t, nil, o)} {
		user := d.somebody()
		if p.Decide(nil, action, resource).Allowed && !p.Decide(user, action, resource).Allowed {
			t.Fatalf("%+v (%+v): nobody may %s %q, and %s may not", p.rules, o, action, resource, user.describe())
		}
		if got, explained := p.Decide(user, action, resource), p.Explain(user, action, resource); got.Allowed != explained.Allowed || got.Cause != explained.Cause {
			t.Fatalf("%+v: decided %+v, explained %+v", o, got, explained)
		}
	}
}

// Where every forbid comes first and asks only what the caller has, whoever one
// of them refuses is refused with one attribute more, too. The others are left
// out: what is not permitted is a refusal of another kind.
func checkMoreAttributesOnResources(t *testing.T, d *dice, rules []Rule, o Options, action Action, resource Resource) {
	t.Helper()
	var forbids, permits []Rule
	for _, r := range rules {
		if r.Effect == Permit {
			permits = append(permits, r)
			continue
		}
		r.Unless, r.When = nil, some(d, 2, func() Condition { return d.condition(UserWithIn, UserInOwners) })
		forbids = append(forbids, r)
	}
	if len(forbids) == 0 {
		return
	}
	p := mustPolicy(t, append(forbids, permits...), o)
	user := d.somebody()
	before := p.Decide(user, action, resource)
	after := p.Decide(withMore(user, Attribute{d.attribute(), []string{d.value()}}), action, resource)
	if before.Cause == ByRule && !before.Allowed && (after.Allowed || after.Cause != ByRule) {
		t.Fatalf("%+v and %+v: refused by %d, and with more attributes %+v", forbids, permits, before.Rule, after)
	}
}

func (u *User) describe() string {
	if u == nil {
		return "nobody"
	}
	return u.Principal + "@" + u.Tenant + " " + u.Attributes.JSON()
}
