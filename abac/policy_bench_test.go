package abac

import (
	"fmt"
	"testing"
)

func BenchmarkRoutePolicy(b *testing.B) {
	user := &User{Principal: "alice", Attributes: NewAttributes(
		Attribute{"roles", []string{"default-roles-stack", "offline_access", "uma_authorization", "user", "developer"}},
		Attribute{"teams", []string{"/ml-team", "/eng"}},
	)}
	for _, n := range []int{20, 100, 1000} {
		for _, kind := range []string{"paths", "conditions", "forbids"} {
			var rules []RouteRule
			for i := range n {
				r := RouteRule{Effect: Permit, Paths: []string{fmt.Sprintf("/v1/route-%d", i)}, Methods: []string{"GET", "POST"}}
				if i%2 == 1 {
					r.Paths = []string{fmt.Sprintf("/v1/prefix-%d/*", i)}
				}
				if kind == "forbids" {
					r.Effect = Forbid
				}
				if kind == "conditions" {
					r.Paths = nil
					r.When = []Condition{{Op: UserWithIn, Value: fmt.Sprintf("role-%d", i), Attribute: "roles"}}
				}
				rules = append(rules, r)
			}
			rules[n-1].Effect = Permit
			q := RouteQuestion{User: user, Method: "POST", Path: fmt.Sprintf("/v1/prefix-%d/x", n-1)}
			if kind == "conditions" {
				rules[n-1].When[0].Value = "developer"
			}
			p, err := NewRoutePolicy(rules, CompatNone)
			if err != nil {
				b.Fatal(err)
			}
			b.Run(fmt.Sprint(kind, "-", n), func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					if !p.Decide(q).Allowed {
						b.Fatal("denied")
					}
				}
			})
		}
	}
}
