//go:build integration

package differential

import "testing"

func askOracle[C any](t *testing.T, kind string, cases []C) []answer {
	t.Helper()
	python, err := interpreter(t.Context(), "../ogx/ogx.sh")
	if err != nil {
		t.Fatal(err)
	}
	o, err := startOracle(t.Context(), python)
	if err != nil {
		t.Fatal(err)
	}
	var answers []answer
	if err := o.ask(kind, cases, &answers); err != nil {
		t.Fatal(err)
	}
	if err := o.stop(); err != nil {
		t.Error(err)
	}
	if len(answers) != len(cases) {
		t.Fatalf("asked %d cases, and got %d answers", len(cases), len(answers))
	}
	return answers
}

// What is written in error we refuse to load, in both readings, and OGX loads:
// the cases that are drawn have none of it. For each, what OGX makes of it.
func TestRouteRulesThatWeRefuseToLoad(t *testing.T) {
	admin := &User{Principal: "alice", Attributes: map[string][]string{"roles": {"admin"}, "1st": {"x"}, "id": {"x"}}}
	routes := []struct {
		why, path string
		permit    any
		when      any
		upstream  string
	}{
		{"no leading slash", "/v1/models", "v1/models", nil, Denied},
		{"an empty path", "/v1/models", "", nil, Denied},
		{"no path at all", "/v1/models", []string{}, nil, Denied},
		{"a star elsewhere", "/v1/a/x", "/v1/*/x", nil, Denied},
		{"an empty segment", "/v1//x", "/v1//x", nil, Allowed},
		{"a dot segment", "/v1/../x", "/v1/../x", nil, Allowed},
		{"an escape", "/v1/A", "/v1/%41", nil, Denied},
		{"a blank", "/v1/a b", "/v1/a b", nil, Allowed},
		{"an empty expression", "/v1/admin", "regex:", nil, Allowed},
		{"a condition without words", "/v1/models", "*", "", Allowed},
		{"an empty list of conditions", "/v1/models", "*", []string{}, Allowed},
		{"an attribute that no mapping can make", "/v1/models", "*", "user with x in 1st", Allowed},
		{"an attribute that is the principal", "/v1/models", "*", "user with x in id", Allowed},
	}
	var routeCases []routeCase
	for _, r := range routes {
		routeCases = append(routeCases, routeCase{
			Path: r.path, User: admin, Rules: []routeRule{{Permit: &routeScope{r.permit}, When: r.when}}, Expressions: []expression{},
		})
	}
	for i, a := range askOracle(t, "routes", routeCases) {
		if got := a.outcome(); got != routes[i].upstream {
			t.Errorf("%s: OGX: %s %s, want %s", routes[i].why, got, a.Refused, routes[i].upstream)
		}
		for _, reading := range readings {
			if got, _ := ourRoute(&routeCases[i], reading.Compat); got != NotLoaded {
				t.Errorf("%s, %s: %s", routes[i].why, reading.Name, got)
			}
		}
	}
}

func TestResourceRulesThatWeRefuseToLoad(t *testing.T) {
	admin := &User{Principal: "alice", Attributes: map[string][]string{"roles": {"admin"}}}
	rules := []struct {
		why      string
		permit   resourceScope
		when     any
		upstream string
		compat   string // what we decide with compat ogx
	}{
		{"no action", resourceScope{Actions: []string{}}, nil, Denied, NotLoaded},
		{"no id", resourceScope{Actions: "read", Resource: "model::"}, nil, Denied, Denied},
		{"no type", resourceScope{Actions: "read", Resource: "::llama"}, nil, Denied, Denied},
		{"neither", resourceScope{Actions: "read", Resource: "llama"}, nil, Denied, Denied},
		{"an empty expression", resourceScope{Actions: "read", Resource: "regex:"}, nil, Allowed, NotLoaded},
		{"a principal that no caller can have", resourceScope{Actions: "read", Principal: " alice"}, nil, Denied, NotLoaded},
		{"an empty list of conditions", resourceScope{Actions: "read"}, []string{}, Allowed, NotLoaded},
		{"an attribute that no mapping can make", resourceScope{Actions: "read"}, "user in owners 1st", Denied, NotLoaded},
	}
	var cases []resourceCase
	for _, r := range rules {
		cases = append(cases, resourceCase{
			Action: "read", Type: "model", ID: "llama", User: admin, Rules: []resourceRule{{Permit: &r.permit, When: r.when}},
			Expressions: []expression{},
		})
	}
	for i, a := range askOracle(t, "resources", cases) {
		if got := a.outcome(); got != rules[i].upstream {
			t.Errorf("%s: OGX: %s %s, want %s", rules[i].why, got, a.Refused, rules[i].upstream)
		}
		for _, reading := range readings {
			want := NotLoaded
			if reading.Compat {
				want = rules[i].compat
			}
			if got, _ := ourResource(&cases[i], reading.Compat); got != want {
				t.Errorf("%s, %s: %s, want %s", rules[i].why, reading.Name, got, want)
			}
		}
	}
}

// The other way round: what we have besides, and OGX does not load. So nothing
// that OGX loads is read as one of these.
func TestWhatUpstreamRefusesToLoadWeHaveBesides(t *testing.T) {
	const condition = "user with admin in roles"
	admin := &User{Principal: "alice", Attributes: map[string][]string{"roles": {"admin"}}}
	cases := []routeCase{
		{Rules: []routeRule{{Permit: &routeScope{"*"}, When: "user is anonymous"}}},
		{Rules: []routeRule{{Permit: &routeScope{"*"}, When: condition, Unless: "user with guest in roles"}}},
		{Rules: []routeRule{{Forbid: &routeScope{"*"}, Unless: []string{condition, "user is anonymous"}}}},
	}
	for i := range cases {
		cases[i].Path, cases[i].User, cases[i].Expressions = "/v1/models", admin, []expression{}
	}
	want := []string{Denied, Allowed, Denied}
	for i, a := range askOracle(t, "routes", cases) {
		if a.Refused == "" {
			t.Errorf("OGX loads %+v", cases[i].Rules)
		}
		for _, reading := range readings {
			if got, _ := ourRoute(&cases[i], reading.Compat); got != want[i] {
				t.Errorf("%+v, %s: %s, want %s", cases[i].Rules, reading.Name, got, want[i])
			}
		}
	}
}
