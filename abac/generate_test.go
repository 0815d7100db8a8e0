package abac

import (
	"fmt"
	"slices"
	"testing"
)

// dice make policies, callers and requests of the bytes of a fuzzer.
type dice []byte

// upTo returns a number below n; 0 when there are no bytes left.
func (d *dice) upTo(n int) int {
	if len(*d) == 0 {
		return 0
	}
	b := (*d)[0]
	*d = (*d)[1:]
	return int(b) % n
}

func (d *dice) effect() Effect { return oneOf(d, Permit, Forbid) }

func oneOf[T any](d *dice, list ...T) T { return list[d.upTo(len(list))] }

// some returns up to most of what make makes; nil for none.
func some[T any](d *dice, most int, make func() T) []T {
	var list []T
	for range d.upTo(most + 1) {
		list = append(list, make())
	}
	return list
}

// attribute returns one of more names than a policy has slots for.
func (d *dice) attribute() string {
	return oneOf(d, "roles", "teams", "projects", "namespaces", "region", "a1", "a2", "a3", "a4", "a5", "a6")
}

// value returns one of few values, of which some have the same mark.
func (d *dice) value() string {
	return oneOf(d, "admin", "axxxn", "developer", "ml team", "é", "x\ny", "v17")
}

func (d *dice) attributes() Attributes {
	list := some(d, 4, func() Attribute { return Attribute{d.attribute(), some(d, 3, d.value)} })
	if d.upTo(4) == 3 { // more than are looked through
		many := Attribute{Name: d.attribute()}
		for i := range 20 {
			many.Values = append(many.Values, fmt.Sprint("v", i))
		}
		list = append(list, many)
	}
	return NewAttributes(list...)
}

func (d *dice) principal() string { return oneOf(d, "alice", "bob", "carol") }

func (d *dice) somebody() *User {
	return &User{d.principal(), oneOf(d, "", "acme", "other"), d.attributes()}
}

// anybody is somebody, or nobody.
func (d *dice) anybody() *User { return oneOf(d, d.somebody(), nil) }

func (d *dice) condition(operators ...Operator) Condition {
	c := Condition{Op: oneOf(d, operators...)}
	switch c.Op {
	case UserWithIn, UserWithNotIn:
		c.Value, c.Attribute = d.value(), d.attribute()
	case UserInOwners, UserNotInOwners:
		c.Attribute = d.attribute()
	}
	return c
}

func (d *dice) routeCondition() Condition {
	return d.condition(UserWithIn, UserWithIn, UserWithNotIn, UserIsAnonymous)
}

func (d *dice) resourceCondition() Condition {
	return d.condition(UserWithIn, UserWithNotIn, UserInOwners, UserNotInOwners, UserIsOwner, UserIsNotOwner, ResourceIsUnowned, UserIsAnonymous)
}

var (
	somePatterns = []string{
		"*", "/*", "/v1*", "/v1/models", "/v1/models/*", "/v1/models*", "/v1/Models/x", "/v1/admin", "/v1/admin/kiss*", "/V1/ADMIN*", "/v1/é*",
		"/v1/modelſ*", "/v1/m\u0131x*", "/v1/\u212ae", "/v1/xyzmodels", "regex:/v1/(models|admin)", "regex:^/v1/models/[^a-z]+$", "regex:/v1/.*|/x",
		"regex:(?i)/V1/m", `regex:/v1/\w+/\z`, "regex:$",
	}
	somePaths = []string{
		"/", "/v1", "/x", "/v1/models", "/v1/models/x", "/v1/models/X", "/v1/MODELS/7", "/v1/models/é", "/v1/admin", "/V1/Admin", "/v1/admin/kiss/1",
		"/v1/admin/\u212ai\u017f\u017f", "/v1/adm\u0131n", "/V1/ADM\u0130N", "/v1/É", "/v1/model\u017f/x", "/v1/mix", "/v1/ke", "/v1/xyzmodels", "/v1/xyzmodelt",
	}
	someResources = []string{
		"", "model::llama", "model::llama*", "model::*", "model::l*", "file::*", "model::llama-3", "regex:model::llama", "regex:model::llama$",
		`regex:model::llama\z`, "regex:(?i)MODEL::L.*", "regex:model::(a|llama-3)$|file::x", "regex:(?s)model::.*$",
	}
	someIDs = []string{"llama", "llama-3", "llama-3-secret", "Llama", "llama\n", "llama\nx", "l", "*", "llama*", "::*", "é"}
)

func (d *dice) routeRule() RouteRule {
	return RouteRule{
		Effect:  d.effect(),
		Paths:   some(d, 3, func() string { return oneOf(d, somePatterns...) }),
		Methods: some(d, 2, func() string { return oneOf(d, "GET", "POST", "DELETE") }),
		When:    some(d, 2, d.routeCondition),
		Unless:  some(d, 2, d.routeCondition),
	}
}

func (d *dice) rule() Rule {
	return Rule{
		Effect:    d.effect(),
		Principal: oneOf(d, "", "", Given(d.principal())),
		Actions:   append(some(d, 2, d.action), d.action()),
		Resource:  Given(oneOf(d, someResources...)),
		When:      some(d, 2, d.resourceCondition),
		Unless:    some(d, 3, d.resourceCondition),
	}
}

func (d *dice) action() Action { return oneOf(d, Actions...) }

func (d *dice) compat() Compat { return oneOf(d, CompatNone, CompatOGX) }

func (d *dice) question() RouteQuestion {
	return RouteQuestion{User: d.anybody(), Method: oneOf(d, "GET", "POST", "HEAD", "CONNECT", "DELETE", "PATCH", "get"), Path: oneOf(d, somePaths...)}
}

func (d *dice) resource() Resource {
	return NewResource(oneOf(d, "model", "file"), oneOf(d, someIDs...), d.anybody())
}

func (d *dice) options() Options {
	return Options{
		Compat: d.compat(), OwnerMatch: oneOf(d, "", OwnerMatchAll, OwnerMatchAny),
		Unowned: some(d, 2, func() Unowned {
			return Unowned{some(d, 3, d.action), some(d, 1, func() string { return oneOf(d, "model", "file") })}
		}),
	}
}

func mustRoutes(t testing.TB, rules []RouteRule, compat Compat) *RoutePolicy {
	t.Helper()
	p, err := NewRoutePolicy(rules, compat)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func mustPolicy(t testing.TB, rules []Rule, o Options) *Policy {
	t.Helper()
	p, err := NewPolicy(rules, o)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// withMore returns the user with one attribute value more.
func withMore(u *User, more Attribute) *User {
	list := append(slices.Collect(u.Attributes.All()), more)
	return &User{u.Principal, u.Tenant, NewAttributes(list...)}
}
