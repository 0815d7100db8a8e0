package abac

import (
	"fmt"
	"testing"
)

// benchUser is a caller as an identity provider describes one.
func benchUser() *User {
	return &User{Principal: "alice", Tenant: "acme", Attributes: NewAttributes(
		Attribute{"roles", []string{"default-roles-stack", "offline_access", "uma_authorization", "user", "developer"}},
		Attribute{"teams", []string{"/ml-team", "/eng"}},
		Attribute{"projects", []string{"chat"}},
	)}
}

// crowdedUser is one of a company that makes a group of everything.
func crowdedUser() *User {
	groups := make([]string, 10_000)
	for i := range groups {
		groups[i] = fmt.Sprint("cn=group-", i, ",ou=groups,dc=example,dc=com")
	}
	return &User{Principal: "alice", Attributes: NewAttributes(Attribute{"teams", groups})}
}

// routeRules are n rules of a kind, of which the last is a permit that applies
// to POST /v1/route-last/x by benchUser, and no other does.
func routeRules(kind string, n int) []RouteRule {
	rules := make([]RouteRule, n)
	for i := range rules {
		rules[i] = routeRule(kind, i)
	}
	rules[n-1] = RouteRule{Effect: Permit, Paths: []string{"/v1/route-last/*"}, Methods: []string{"POST"}}
	if kind == "conditions" {
		rules[n-1] = RouteRule{Effect: Permit, When: []Condition{{Op: UserWithIn, Value: "developer", Attribute: "roles"}}}
	}
	return rules
}

func routeRule(kind string, i int) RouteRule {
	exact, prefix := []string{fmt.Sprintf("/v1/route-%d", i)}, []string{fmt.Sprintf("/v1/prefix-%d/*", i)}
	when := []Condition{{Op: UserWithIn, Value: fmt.Sprint("role-", i), Attribute: "roles"}}
	switch kind {
	case "exact":
		return RouteRule{Effect: Permit, Paths: exact, Methods: []string{"GET", "POST"}}
	case "prefix":
		return RouteRule{Effect: Permit, Paths: prefix}
	case "forbids":
		return RouteRule{Effect: Forbid, Paths: []string{exact[0], prefix[0]}}
	case "conditions":
		return RouteRule{Effect: Permit, When: when}
	}
	// mixed
	switch i % 5 {
	case 0:
		return RouteRule{Effect: Forbid, Paths: prefix, Unless: when}
	case 1:
		return RouteRule{Effect: Permit, Paths: exact, When: when}
	case 2:
		return RouteRule{Effect: Permit, When: when}
	case 3:
		return RouteRule{Effect: Permit, Paths: []string{"/v1/*"}, Methods: []string{"GET"}}
	}
	return RouteRule{Effect: Forbid, Paths: []string{"/v1/*"}, When: when}
}

// realisticRoutes are the rules of a stack for three kinds of callers.
var realisticRoutes = []RouteRule{
	{Effect: Forbid, Paths: []string{"/v1alpha/admin*", "/v1/admin*"}, Unless: []Condition{{Op: UserWithIn, Value: "admin", Attribute: "roles"}}},
	{Effect: Forbid, Paths: []string{"regex:/v1/(inspect|providers)(/|$)"}, Unless: []Condition{{Op: UserWithIn, Value: "operator", Attribute: "roles"}}},
	{Effect: Permit, Paths: []string{"/v1/health", "/v1/version"}, Methods: []string{"GET"}},
	{Effect: Permit, Paths: []string{"/v1/models", "/v1/models/*"}, Methods: []string{"GET"}},
	{Effect: Permit, Paths: []string{"/v1/files", "/v1/files/*", "/v1/vector_stores", "/v1/vector_stores/*"}, When: []Condition{{Op: UserWithIn, Value: "/ml-team", Attribute: "teams"}}},
	{Effect: Permit, Paths: []string{"/v1/chat/completions", "/v1/responses", "/v1/embeddings"}, Methods: []string{"POST"}, When: []Condition{{Op: UserWithIn, Value: "developer", Attribute: "roles"}}},
	{Effect: Permit, When: []Condition{{Op: UserWithIn, Value: "admin", Attribute: "roles"}}},
}

func benchmarkRoutes(b *testing.B, name string, rules []RouteRule, q RouteQuestion) {
	p, err := NewRoutePolicy(rules, CompatNone)
	if err != nil {
		b.Fatal(err)
	}
	b.Run(name, func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			if d := p.Decide(q); !d.Allowed || d.Rule != len(rules)-1 && name != "realistic" {
				b.Fatalf("decision %+v", d)
			}
		}
	})
}

// In each, the last of the rules is the one that applies.
func BenchmarkRoutePolicy(b *testing.B) {
	q := RouteQuestion{User: benchUser(), Method: "POST", Path: "/v1/route-last/x"}
	for _, kind := range []string{"exact", "prefix", "forbids", "conditions", "mixed"} {
		for _, n := range []int{20, 100, 1000} {
			benchmarkRoutes(b, fmt.Sprint(kind, "-", n), routeRules(kind, n), q)
		}
	}
	chat := RouteQuestion{User: benchUser(), Method: "POST", Path: "/v1/chat/completions"}
	benchmarkRoutes(b, "realistic", realisticRoutes, chat)

	groups := make([]RouteRule, 100)
	for i := range groups {
		groups[i] = RouteRule{Effect: Permit, When: []Condition{{Op: UserWithIn, Value: fmt.Sprintf("cn=project-%d,ou=groups,dc=example,dc=com", i), Attribute: "teams"}}}
	}
	groups[99].When[0].Value = "cn=group-4711,ou=groups,dc=example,dc=com"
	benchmarkRoutes(b, "conditions-100-of-10000-groups", groups, RouteQuestion{User: crowdedUser(), Method: "GET", Path: "/v1/models"})
}

// resourceRules are n rules of a kind, of which the last is a permit that applies
// to reading benchModel by benchUser, and no other does.
func resourceRules(kind string, n int) []Rule {
	rules := make([]Rule, n)
	for i := range rules {
		r := Rule{Effect: Permit, Actions: Actions}
		switch kind {
		case "resource":
			r.Resource = Given(fmt.Sprintf("model::provider-%d/*", i))
			if i%2 == 1 {
				r.Resource = Given(fmt.Sprintf("model::vllm/llama-%d", i))
			}
		case "forbids":
			r.Effect, r.Resource = Forbid, Given(fmt.Sprintf("model::provider-%d/*", i))
		case "conditions":
			r.When = []Condition{{Op: UserWithIn, Value: fmt.Sprint("role-", i), Attribute: "roles"}}
		case "owners":
			r.When = []Condition{{Op: UserInOwners, Attribute: fmt.Sprint("attribute-", i)}}
		}
		rules[i] = r
	}
	rules[n-1] = Rule{Effect: Permit, Actions: []Action{Read}, Resource: "model::vllm/*", When: []Condition{{Op: UserInOwners, Attribute: "teams"}}}
	return rules
}

func benchModel() Resource {
	return NewResource("model", "vllm/llama-last", &User{Principal: "bob", Tenant: "acme", Attributes: NewAttributes(Attribute{"teams", []string{"/hr", "/eng"}})})
}

func BenchmarkPolicy(b *testing.B) {
	user, model := benchUser(), benchModel()
	for _, kind := range []string{"resource", "forbids", "conditions", "owners"} {
		for _, n := range []int{20, 100, 1000} {
			p, err := NewPolicy(resourceRules(kind, n), Options{})
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprint(kind, "-", n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if d := p.Decide(user, Read, model); !d.Allowed || d.Rule != n-1 {
						b.Fatalf("decision %+v", d)
					}
				}
			})
		}
	}
	for _, o := range []Options{{}, {OwnerMatch: OwnerMatchAny}, {Compat: CompatOGX}} {
		p, err := NewPolicy(nil, o)
		if err != nil {
			b.Fatal(err)
		}
		b.Run(fmt.Sprint("default-", o.OwnerMatch, o.Compat), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if !p.Decide(user, Read, model).Allowed {
					b.Fatal("denied")
				}
			}
		})
	}
}

// A caller and an owner with 10,000 groups each, of which they share the last.
func BenchmarkSharedGroups(b *testing.B) {
	user := crowdedUser()
	groups := make([]string, 10_000)
	for i := range groups {
		groups[i] = fmt.Sprint("cn=elsewhere-", i, ",ou=groups,dc=example,dc=com")
	}
	groups[len(groups)-1] = user.Attributes.Values("teams")[9_999]
	resource := NewResource("file", "f", &User{Principal: "bob", Attributes: NewAttributes(Attribute{"teams", groups})})
	p, err := NewPolicy(nil, Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !p.Decide(user, Read, resource).Allowed {
			b.Fatal("denied")
		}
	}
}
