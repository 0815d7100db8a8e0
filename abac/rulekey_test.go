package abac

import (
	"fmt"
	"math/rand/v2"
	"testing"
)

// Keys leave out what cannot apply. Each case has a rule that would be left out
// by a key that is wrong in one way.
func TestKeysNeverLeaveOutARuleThatApplies(t *testing.T) {
	developer := user("alice", "", Attribute{"roles", []string{"user", "developer"}})
	crowded := user("alice", "", Attribute{"roles", append(numbered("group-", 100), "developer")})
	is := []Condition{{UserWithIn, "developer", "roles"}}
	for _, tc := range []struct {
		name string
		rule RouteRule
		q    RouteQuestion
	}{
		{"exact", RouteRule{Paths: []string{"/v1/models"}}, RouteQuestion{Path: "/v1/models"}},
		{"of eight bytes", RouteRule{Paths: []string{"/v1/file"}}, RouteQuestion{Path: "/v1/file"}},
		{"of seven bytes", RouteRule{Paths: []string{"/v1/fil"}}, RouteQuestion{Path: "/v1/fil"}},
		{"a prefix of eight bytes", RouteRule{Paths: []string{"/v1/file*"}}, RouteQuestion{Path: "/v1/files/x"}},
		{"a prefix of seven bytes", RouteRule{Paths: []string{"/v1/fil*"}}, RouteQuestion{Path: "/v1/files/x"}},
		{"a prefix that is all", RouteRule{Paths: []string{"/v1/models*"}}, RouteQuestion{Path: "/v1/models"}},
		{"the root", RouteRule{Paths: []string{"/"}}, RouteQuestion{Path: "/"}},
		{"a star", RouteRule{Paths: []string{"*"}}, RouteQuestion{Path: "/"}},
		{"the second of two paths", RouteRule{Paths: []string{"/v1/models/x", "/v1/files/x"}}, RouteQuestion{Path: "/v1/files/x"}},
		{"a short one behind a long one", RouteRule{Paths: []string{"/v1/models/x", "/v1"}}, RouteQuestion{Path: "/v1"}},
		{"an expression behind a path", RouteRule{Paths: []string{"/v1/models/x", "regex:/.*"}}, RouteQuestion{Path: "/x"}},
		{"letters beyond ASCII in the path", RouteRule{Paths: []string{"/v1/models/*"}}, RouteQuestion{Path: "/v1/models/é"}},
		{"letters beyond ASCII in the pattern", RouteRule{Paths: []string{"/v1/models/é*"}}, RouteQuestion{Path: "/v1/models/éa"}},
		{"a method of two", RouteRule{Methods: []string{"GET", "POST"}}, RouteQuestion{Method: "POST", Path: "/"}},
		{"HEAD", RouteRule{Methods: []string{"GET"}}, RouteQuestion{Method: "HEAD", Path: "/"}},
		{"a method that is none", RouteRule{}, RouteQuestion{Method: "BREW", Path: "/"}},
		{"when", RouteRule{When: is}, RouteQuestion{User: developer, Path: "/"}},
		{"when, of one with many groups", RouteRule{When: is}, RouteQuestion{User: crowded, Path: "/"}},
		{"when, as the second", RouteRule{When: []Condition{{UserWithNotIn, "x", "roles"}, is[0]}}, RouteQuestion{User: developer, Path: "/"}},
		{"when user is anonymous", RouteRule{When: []Condition{{Op: UserIsAnonymous}}}, RouteQuestion{Path: "/"}},
	} {
		tc.rule.Effect = Permit
		// Others around it, so that it is not the first and not the last.
		other := RouteRule{Effect: Forbid, Paths: []string{"/other/than/that"}}
		p := mustRoutes(t, []RouteRule{other, tc.rule, other}, CompatNone)
		if d := p.Decide(tc.q); !d.Allowed || d.Rule != 1 {
			t.Errorf("%s: %+v", tc.name, d)
		}
	}

	// A forbid of anonymous callers, whatever it asks for; and in any case.
	for _, path := range []string{"/v1/admin/users", "/V1/ADMIN/USERS", "/v1/adm\u0130n/users"} {
		p := mustRoutes(t, []RouteRule{{Effect: Forbid, Paths: []string{"/v1/admin/*"}, When: is}, {Effect: Permit}}, CompatNone)
		if d := p.Decide(RouteQuestion{Path: path}); d.Allowed || d.Rule != 0 {
			t.Errorf("%s: %+v", path, d)
		}
	}
}

func numbered(prefix string, n int) []string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprint(prefix, i)
	}
	return list
}

func TestKeysNeverLeaveOutAResourceRuleThatApplies(t *testing.T) {
	for _, tc := range []struct {
		name     string
		rule     Rule
		u        *User
		resource Resource
	}{
		{"exact", Rule{Resource: "model::llama"}, nil, NewResource("model", "llama", nil)},
		{"of six bytes", Rule{Resource: "m::abc"}, nil, NewResource("m", "abc", nil)},
		{"a prefix", Rule{Resource: "model::*"}, nil, NewResource("model", "", nil)},
		{"a prefix of seven bytes", Rule{Resource: "model::*"}, nil, NewResource("model", "l", nil)},
		{"beyond ASCII", Rule{Resource: "model::é*"}, nil, NewResource("model", "éa", nil)},
		{"bytes that are no text", Rule{Resource: "model::a*"}, nil, NewResource("model", "a\xff", nil)},
		{"an expression", Rule{Resource: "regex:model::a+"}, nil, NewResource("model", "aaaaaaaaaaaa", nil)},
		{"when", Rule{When: []Condition{{UserWithIn, "v7", "a"}}}, user("u", "", Attribute{"a", numbered("v", 20)}), NewResource("m", "x", nil)},
	} {
		tc.rule.Effect, tc.rule.Actions = Permit, []Action{Delete}
		other := Rule{Effect: Forbid, Actions: []Action{Create, Read, Update}}
		p := mustPolicy(t, []Rule{other, tc.rule, other}, Options{})
		if d := p.Decide(tc.u, Delete, tc.resource); !d.Allowed || d.Rule != 1 {
			t.Errorf("%s: %+v", tc.name, d)
		}
	}
}

// A thousand rules that differ little, and every path that they are about, and
// those around them: Explain knows no keys.
func TestLongListsOfRulesDecideWithKeysAsWithout(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	pick := func(list ...string) string { return list[random.IntN(len(list))] }
	path := func() string {
		return "/v1/" + pick("m", "models", "Models", "files", "é", "xmodels") + pick("", "/", "/1", "/é", "/xmodels", "/MODELS", "/@`[{")
	}
	rules := make([]RouteRule, 1000)
	for i := range rules {
		r := &rules[i]
		r.Effect = Effect(pick("permit", "forbid"))
		for range 1 + random.IntN(3) {
			r.Paths = append(r.Paths, path()+pick("", "", "*"))
		}
		if random.IntN(2) == 0 {
			r.Methods = []string{pick("GET", "POST", "PUT")}
		}
		for range 1 + random.IntN(2) {
			r.When = append(r.When, Condition{UserWithIn, fmt.Sprint("v", random.IntN(400)), fmt.Sprint("a", random.IntN(12))})
		}
	}
	p := mustRoutes(t, rules, CompatNone)
	var allowed, denied, none int
	for range 6_000 {
		var list []Attribute
		for i := range 12 {
			list = append(list, Attribute{fmt.Sprint("a", i), numbered("v", random.IntN(20))})
		}
		q := RouteQuestion{User: user("u", "", list...), Method: pick("GET", "POST", "HEAD", "PATCH"), Path: path()}
		if random.IntN(10) == 0 {
			q.User = nil
		}
		got, want := p.Decide(q), p.Explain(q)
		if got.Allowed != want.Allowed || got.Cause != want.Cause || got.Rule != want.Rule {
			t.Fatalf("%s %s by %s: decided %+v, explained %+v", q.Method, q.Path, q.User.describe(), got, want)
		}
		switch {
		case got.Allowed:
			allowed++
		case got.Cause == ByRule:
			denied++
		default:
			none++
		}
	}
	if min(allowed, denied, none) < 300 {
		t.Errorf("%d allowed, %d forbidden and %d of no rule: that proves little", allowed, denied, none)
	}
}
