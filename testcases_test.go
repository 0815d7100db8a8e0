package stackauth

import (
	"strings"
	"testing"
)

// What is wrong with a file of cases is an error with its line: a test that is
// read differently from how it was meant passes for ever.
func TestFilesOfCasesThatAreRefused(t *testing.T) {
	const users = "users:\n  anna: {}\n"
	for _, c := range []struct{ name, text, want string }{
		{"nothing", "", "no cases"},
		{"a comment", "# later\n", "no cases"},
		{"users alone", users, "no cases"},
		{"empty lists", users + "cases: []\nroutes: []\n", "no cases"},
		{"a text", "cases", "line 1: the file: expected names with values"},
		{"no list", users + "cases: {name: x}\n", "line 3: expected a list"},
		{"two documents", "cases: []\n---\ncases: []\n", "more than one YAML document"},
		{"not YAML", "cases: [\n", "yaml: line"},
		{"an unknown field", "case: []\n", `line 1: the file has no field "case": expected some of cases, config, routes, users`},
		{"a field twice", "cases: []\ncases: []\n", `line 2: the file: "cases" is there twice, first in line 1`},
		{"an unknown field of a case", users + "cases:\n- {user: anna, path: /,\n   expects: allow}\n", `line 5: a case has no field "expects"`},
		{"an unknown field of a route", users + "routes:\n- {path: /, allows: [anna]}\n", `line 4: a route has no field "allows"`},
		{"an unknown field of a user", "users:\n  anna: {role: x}\n", `line 2: user "anna" has no field "role"`},
		{"a field of a case twice", users + "cases:\n- {user: anna, path: /, expect: allow, expect: deny}\n", "line 4: a case: \"expect\" is there twice"},
		{"a user twice", "users:\n  anna: {}\n  anna: {}\n", `line 3: users: "anna" is there twice`},
		{"a user called anonymous", "users:\n  anonymous: {}\n", "line 2: user \"anonymous\""},
		{"a user that cannot be", "users:\n  anna: {principal: \" anna\"}\n", "line 2: user \"anna\": principal begins or ends with a blank"},
		{"a tenant that cannot be", "users:\n  anna: {tenant: \"a/b\"}\n", "tenant"},
		{"an attribute that cannot be", "users:\n  anna: {attributes: {id: [x]}}\n", "attribute"},
		{"an attribute that is a number", "users:\n  anna: {attributes: {roles: [1]}}\n", "line 2: expected a text: put it in quotes"},
		{"an attribute that is nothing", "users:\n  anna: {attributes: {roles: }}\n", "line 2: expected a text"},
		{"no expectation", users + "cases:\n- {user: anna, path: /}\n", "line 4: case without an expectation"},
		{"a route without an expectation", users + "routes:\n- {path: /}\n", "line 4: route without an expectation"},
		{"a route with empty lists", users + "routes:\n- {path: /, allow: [], deny: []}\n", "line 4: route without an expectation"},
		{"another expectation", users + "cases:\n- {user: anna, path: /, expect: yes}\n", `expect "yes": expected allow or deny`},
		{"a status that is a text", users + "cases:\n- {user: anna, path: /, status: forbidden}\n", "expected a whole number"},
		{"no status", users + "cases:\n- {user: anna, path: /, status: 40}\n", "status 40"},
		{"a user who is not there", users + "cases:\n- {user: ana, path: /, expect: deny}\n", `line 4: user "ana" is not among the users`},
		{"a user of a route who is not there", users + "routes:\n- {path: /, deny: [ana]}\n", `line 4: user "ana" is not among the users`},
		{"a user who may and may not", users + "routes:\n- {path: /, allow: anna, deny: anna}\n", `user "anna" is there twice`},
		{"nobody", users + "cases:\n- {path: /, expect: deny}\n", "case without a user"},
		{"somebody anonymous", users + "cases:\n- {user: anna, anonymous: true, path: /, expect: deny}\n", "that is anonymous"},
		{"anonymous: false", users + "cases:\n- {anonymous: false, path: /, expect: deny}\n", "case without a user"},
		{"no path", users + "cases:\n- {user: anna, expect: deny}\n", "expected one with a leading /"},
		{"a path that is none", users + "cases:\n- {user: anna, path: v1, expect: deny}\n", "expected one with a leading /"},
		{"a client without an address", users + "cases:\n- {user: anna, path: /, client_ip: office, expect: deny}\n", "expected an IP address"},
		{"a header of two lines", users + "cases:\n- {user: anna, path: /, headers: {X-A: \"b\\r\\nX-B: c\"}, expect: deny}\n", "in one line"},
		{"a credential", users + "cases:\n- {user: anna, path: /, headers: {authorization: Bearer x}, expect: deny}\n", "no place for secrets"},
		{"a resource without a type", users + "cases:\n- {user: anna, path: /, resource: llama, expect: deny}\n", "expected <type>::<id>"},
		{"another action", users + "cases:\n- {user: anna, path: /, resource: \"model::a\", action: use, expect: deny}\n", `action "use"`},
		{"an action without a resource", users + "cases:\n- {user: anna, path: /, action: read, expect: deny}\n", "about a resource, which is not there"},
		{"an owner without a resource", users + "cases:\n- {user: anna, path: /, owner: anna, expect: deny}\n", "about a resource, which is not there"},
		{"an owner who is not there", users + "cases:\n- {user: anna, path: /, resource: \"model::a\", owner: ana, expect: deny}\n", `owner "ana"`},
		{"an owner without a name", users + "cases:\n- {user: anna, path: /, resource: \"model::a\", owner: {tenant: a}, expect: deny}\n", "principal is empty"},
		{"an alias of nothing", users + "cases: [*x]\n", "yaml"},
		{"a name that is a number", "users:\n  1: {}\n", "a name is not a text"},
		{"a merge key", "users:\n  a: &a {}\n  b: {<<: *a}\n", "a name is not a text"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := parseCases([]byte(c.text))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q in\n%s", err, c.want, c.text)
			}
		})
	}
}

func TestFilesOfCasesAreReadAsTheyAreWritten(t *testing.T) {
	f, err := parseCases([]byte(`{"config": "x", "cases": [
		{"user": "anna", "path": "/a?b", "status": 403},
		{"anonymous": true, "path": "/a", "rule": "none"},
		{"user": "anonymous", "path": "/a", "expect": "deny"},
		{"user": "anna", "path": "/a", "resource": "file::f::g", "owner": "emil", "expect": "allow", "headers": {"X-A": ["b", "c"]}}],
		"users": {"anna": {"principal": "anna@example.com", "attributes": {"roles": "x", "teams": ["a, b", "c"]}}, "emil": {"tenant": "ACME"}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if f.config != "x" || len(f.cases) != 4 {
		t.Fatalf("got %+v", f)
	}
	c := f.cases
	if c[0].user.Principal != "anna@example.com" || c[0].want != (expectation{status: 403}) || c[0].name != "anna GET /a" ||
		c[0].request.Path != "/a?b" || c[0].line != 2 || c[0].user.Attributes.JSON() != `{"roles":["x"],"teams":["a, b","c"]}` {
		t.Errorf("first case: %+v", c[0])
	}
	if c[1].user != nil || c[1].want.rule != "none" || c[1].name != "anonymous GET /a" || c[2].name != "anonymous GET /a#01" {
		t.Errorf("anonymous: %+v", c[1:3])
	}
	q := c[3].resource
	if q.Type != "file" || q.ID != "f::g" || q.Action != "read" || q.Owner.Principal != "emil" || q.Owner.Tenant != "acme" {
		t.Errorf("resource: %+v", q)
	}
	if got := strings.Join(c[3].request.Headers, "|"); got != "X-A: b|X-A: c" {
		t.Errorf("headers: %s", got)
	}
}

// An attribute's comma separates values, unless a backslash is before it.
func TestAttributesOfMadeUpCallers(t *testing.T) {
	for _, c := range []struct {
		lines []string
		want  string
	}{
		{[]string{"roles=a,b", "roles=c"}, "roles=a|b|c"},
		{[]string{`teams=a\,b,c\\`}, `teams=a,b|c\`},
		{[]string{"teams=a=b"}, "teams=a=b"},
		{[]string{"roles"}, "error"},
		{[]string{"roles="}, "error"},
		{[]string{"=x"}, "error"},
		{[]string{`roles=a\b`}, "error"},
		{[]string{`roles=a\`}, "error"},
	} {
		got, err := parseAttributes(c.lines)
		text := "error"
		if err == nil {
			for name, values := range got {
				text = name + "=" + strings.Join(values, "|")
			}
		}
		if text != c.want {
			t.Errorf("%q: got %s, want %s", c.lines, text, c.want)
		}
	}
}

// Whatever a file of cases has: it is refused, or each of its cases has a name
// of its own, something to compare, and a request that a client could send.
func FuzzCases(f *testing.F) {
	f.Add([]byte("users: {a: {attributes: {r: [x, y]}}}\ncases:\n- {user: a, path: /v1, expect: allow, status: 200, rule: permit 1}\n"))
	f.Add([]byte("users: {a: &a {tenant: t}, b: *a}\nroutes:\n- {path: /, method: POST, allow: [a], deny: [b, anonymous], headers: {X: [y]}}\n- {path: /, allow: a}\n"))
	f.Add([]byte(`{"cases": [{"anonymous": true, "path": "/", "resource": "m::i", "action": "read", "owner": {"principal": "o"}, "expect": "deny"}]}`))
	f.Add([]byte("cases: &c [*c]\n"))
	f.Add([]byte("users: {a: {}}\ncases: [{name: x#01, user: a, path: /, status: 200}, {name: x, user: a, path: /, status: 200}, {name: x, user: a, path: /, status: 200}]"))
	f.Fuzz(func(t *testing.T, content []byte) {
		file, err := parseCases(content)
		if err != nil {
			return
		}
		names := make(map[string]bool)
		for _, c := range file.cases {
			if c.name == "" || names[c.name] {
				t.Errorf("name %q is empty, or there twice", c.name)
			}
			names[c.name] = true
			if c.want == (expectation{}) || c.line < 1 {
				t.Errorf("case %q expects nothing", c.name)
			}
			if err := c.request.check(); err != nil {
				t.Errorf("case %q: %v", c.name, err)
			}
			if c.user != nil && c.user.Principal == "" {
				t.Errorf("case %q is of nobody", c.name)
			}
		}
		if len(names) == 0 {
			t.Error("no cases, and no error")
		}
	})
}
