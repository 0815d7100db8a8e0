package stackauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// verdict is what becomes of a request.
type verdict string

const (
	passes    verdict = "passes"
	forbidden verdict = "forbidden" // to a known caller
	unknown   verdict = "unknown"   // caller
	twoWays   verdict = "two ways"  // of reading it
)

const (
	scopeChallenge = `Bearer realm="stack", error="insufficient_scope", error_description="The caller is not allowed to do this."`
	scopeBody      = `{"error":{"message":"The caller is not allowed to do this.","type":"permission_error","code":"insufficient_permissions"}}`
	bareBody       = `{"error":{"message":"No credential was presented.","type":"authentication_error","code":"missing_credential"}}`
)

// judged asks, and fails the test unless the answer is the whole answer of the
// verdict, and the stack got what passes and nothing else.
func (s *stack) judged(t testing.TB, want verdict, ask func() answer) answer {
	t.Helper()
	before := s.count()
	a := ask()
	reached := len(s.since(before))
	wantReached, status, challenge, body := 0, 0, "", ""
	switch want {
	case passes:
		wantReached, status = 1, 200
	case forbidden:
		status, challenge, body = 403, scopeChallenge, scopeBody
	case unknown:
		status, challenge, body = 401, bareChallenge, bareBody
	case twoWays:
		status = 400
	}
	if reached != wantReached {
		t.Errorf("%d requests reached the stack, want %d", reached, wantReached)
	}
	if a.StatusCode != status {
		t.Fatalf("got %d %s, want %d", a.StatusCode, a.body, status)
	}
	if a.Request != nil && a.Request.Method == http.MethodHead {
		body = ""
	}
	if body != "" && a.body != body {
		t.Errorf("body is %s", a.body)
	}
	if got := strings.Join(a.Header["Www-Authenticate"], "\n"); got != challenge {
		t.Errorf("challenge is %s", got)
	}
	return a
}

// seen lets the answer show the decision and the rule, of what is refused too.
const seen = `header >X-Seen "{http.stack_auth.decision} {http.stack_auth.rule}"` + "\n"

// as is the header of a caller with these roles.
func as(issuer *testissuer.Issuer, name string, roles ...string) string {
	return bearer(issuer.Token(name, map[string]any{"roles": roles}))
}

func TestTheFirstRuleThatAppliesDecides(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, seen+protect(issuer, `
		forbid /v1/admin* {
			unless user with admin in roles
		}
		permit /v1/chat/completions {
			methods POST
			when user with developer in roles
			unless user with contractor in roles
			description "developers may chat"
		}
		permit /v1/models* {
			methods GET
		}
		forbid /v1/files/secret*
		permit /v1/files* {
			methods GET POST
		}
		permit /v1/admin*
		forbid /v1/admin/never`)+proxy(stack))
	admin, developer := as(issuer, "anna", "admin"), as(issuer, "emil", "developer")
	contractor, nobody := as(issuer, "uma", "developer", "contractor"), as(issuer, "otto")
	for _, c := range []struct {
		name, method, path, who string
		want                    verdict
		seen                    string
	}{
		{"a forbid that comes first", "GET", "/v1/admin", developer, forbidden, "deny forbid 1"},
		{"its unless lets a later permit speak", "GET", "/v1/admin/users", admin, passes, "allow permit 6"},
		{"a forbid behind the permit that applies is never reached", "GET", "/v1/admin/never", admin, passes, "allow permit 6"},
		{"a permit with its when", "POST", "/v1/chat/completions", developer, passes, "allow developers may chat"},
		{"without its when", "POST", "/v1/chat/completions", nobody, forbidden, "deny "},
		{"with its unless", "POST", "/v1/chat/completions", contractor, forbidden, "deny "},
		{"with another method", "GET", "/v1/chat/completions", developer, forbidden, "deny "},
		{"an admin is no developer", "POST", "/v1/chat/completions", admin, forbidden, "deny "},
		{"whoever is known", "GET", "/v1/models/llama", nobody, passes, "allow permit 3"},
		{"and not with another method", "DELETE", "/v1/models/llama", admin, forbidden, "deny "},
		{"a forbid inside of what a later permit permits", "GET", "/v1/files/secret-1", admin, forbidden, "deny forbid 4"},
		{"and beside it", "POST", "/v1/files", nobody, passes, "allow permit 5"},
		{"what no rule names", "GET", "/v1/inspect", admin, forbidden, "deny "},
		{"the root", "GET", "/", admin, forbidden, "deny "},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := stack.judged(t, c.want, func() answer { return g.do(t, c.method, c.path, c.who) })
			if got := a.Header.Get("X-Seen"); got != strings.TrimSpace(c.seen) {
				t.Errorf("decision and rule are %q, want %q", got, c.seen)
			}
		})
	}
	t.Run("without a credential no rule is asked", func(t *testing.T) {
		a := stack.judged(t, unknown, func() answer { return g.do(t, "GET", "/v1/admin") })
		if got := a.Header.Get("X-Seen"); got != "deny" {
			t.Errorf("decision and rule are %q", got)
		}
	})
	t.Run("what passes is told to the stack as it is", func(t *testing.T) {
		g.do(t, "POST", "/v1/chat/completions?stream=1", developer).is(t, 200, "")
		r := stack.last(t)
		r.identity(t, "emil")
		if r.RequestURI != "/v1/chat/completions?stream=1" || r.Method != "POST" {
			t.Errorf("the stack got %s %s", r.Method, r.RequestURI)
		}
	})
}

func TestWithoutARuleWhoeverIsKnownMayAndWithRulesOnlyWhomTheyName(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	known := as(issuer, "otto")
	for _, c := range []struct {
		name, rules  string
		known, admin verdict
	}{
		{"no rule", "", passes, passes},
		{"require alone", "require roles admin", forbidden, passes},
		{"a permit for somewhere else", "permit /elsewhere", forbidden, forbidden},
		{"a forbid for somewhere else, and nothing that permits", "forbid /elsewhere", forbidden, forbidden},
		{"a permit for everything", "permit", passes, passes},
		{"a forbid for everything", "forbid\npermit", forbidden, forbidden},
		{"a permit without a path, and with a condition", "permit {\nwhen user with admin in roles\n}", forbidden, passes},
		{"require beside a rule that permits", "permit\nrequire roles admin", forbidden, passes},
		{"require that holds beside rules that do not permit", "permit /elsewhere\nrequire roles admin", forbidden, forbidden},
		{"require written after the rules", "permit *\nrequire roles admin\nrequire teams ops", forbidden, forbidden},
		{"anybody but", "permit {\nunless user with admin in roles\n}", passes, forbidden},
		{"not in", "permit {\nwhen user with admin not in roles\n}", passes, forbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := startGateway(t, protect(issuer, c.rules)+proxy(stack))
			stack.judged(t, c.known, func() answer { return g.do(t, "GET", "/v1/x", known) })
			stack.judged(t, c.admin, func() answer { return g.do(t, "GET", "/v1/x", as(issuer, "anna", "admin")) })
			stack.judged(t, unknown, func() answer { return g.do(t, "GET", "/v1/x") })
		})
	}
}

func TestWhenLinesAddUpAndAnyUnlessIsEnough(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, `
		permit /permit {
			when user with a in roles
			when user with "b c" in roles
			unless user with x in roles
			unless user with y in teams
		}
		forbid /forbid {
			when user with a in roles
			when user with "b c" in roles
			unless user with x in roles
			unless user with y in teams
		}
		permit /forbid`)+proxy(stack))
	for _, c := range []struct {
		name    string
		roles   []string
		teams   []string
		applies bool
	}{
		{"all of when, none of unless", []string{"a", "b c"}, nil, true},
		{"in another order, among others", []string{"z", "b c", "q", "a"}, []string{"x"}, true},
		{"one of when", []string{"a"}, nil, false},
		{"the other of when", []string{"b c"}, nil, false},
		{"the two halves of a value", []string{"a", "b", "c"}, nil, false},
		{"in another case", []string{"A", "b c"}, nil, false},
		{"with blanks around", []string{" a", "b c"}, nil, false},
		{"composed otherwise", []string{"a\u0301", "b c"}, nil, false},
		{"the first of unless", []string{"a", "b c", "x"}, nil, false},
		{"the second of unless", []string{"a", "b c"}, []string{"y"}, false},
		{"both of unless", []string{"a", "b c", "x"}, []string{"y"}, false},
		{"no attribute at all", nil, nil, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			who := bearer(issuer.Token("u", map[string]any{"roles": c.roles, "groups": c.teams}))
			permit, forbid := forbidden, passes
			if c.applies {
				permit, forbid = passes, forbidden
			}
			stack.judged(t, permit, func() answer { return g.do(t, "GET", "/permit", who) })
			stack.judged(t, forbid, func() answer { return g.do(t, "GET", "/forbid", who) })
		})
	}
}

// Section 5 of what a pattern matches, in a permit and in a forbid.
func TestWhichPathsAPatternIsAbout(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	token := as(issuer, "otto")
	for _, c := range []struct {
		pattern, target string
		permit, forbid  bool // the pattern matches there
	}{
		{"/v1/files", "/v1/files", true, true},
		{"/v1/files", "/v1/files/", true, true},
		{"/v1/files", "/v1/files?a=/b", true, true},
		{"/v1/files", "/v1/%66iles", true, true},
		{"/v1/files", "/v1%2Ffiles", true, true},
		{"/v1/files", "/v1%2ffiles%2f", true, true},
		{"/v1/files", "/v1/filesystem", false, false},
		{"/v1/files", "/v1/files/1", false, false},
		{"/v1/files", "/V1/Files", false, true},
		{"/v1/Files", "/v1/files", false, true},
		{"/v1/files*", "/v1/filesystem", true, true},
		{"/v1/files*", "/v1/FILES/1", false, true},
		{"/v1/files/*", "/v1/files/1", true, true},
		{"/v1/files/*", "/v1/files/a%2Fb", true, true},
		{"/v1/files/*", "/v1/files", false, false},
		{"/v1/files/*", "/v1/files/", false, false},
		{"/v1/models/*", "/v1/models/vllm%2FLlama", true, true},
		{"/v1/ü*", "/v1/%C3%BC1", true, true},
		{"/v1/ü*", "/v1/%C3%9C1", false, true},
		{"*", "/", true, true},
		{"/", "/", true, true},
		{"regex:/v1/files", "/v1/files", true, true},
		{"regex:/v1/files", "/v1/files/1", false, true},
		{"regex:/v1/files", "/v2/v1/files", false, false},
		{"regex:files", "/v1/files", false, false},
		{"regex:.*files", "/v1/files", true, true},
		{"regex:/v1/files", "/V1/FILES", false, true},
		{"regex:/v1/[^a-z]+", "/v1/FILES", true, true},
		{"regex:/v1/a|/v1/b", "/v1/b", true, true},
		{"regex:/v1/a|/v1/b", "/v1/ab", false, true},
		{"regex:^/v1/files/[0-9]+$", "/v1/files/12", true, true},
		{"regex:^/v1/files/[0-9]+$", "/v1/files/12x", false, false},
		{"regex:^/v1/files/[0-9]+$", "/v1/files/12/", true, true},
	} {
		t.Run(c.pattern+" "+c.target, func(t *testing.T) {
			g := startGateway(t, "@forbid header X-Rules forbid\nhandle @forbid {\n"+
				protect(issuer, "forbid "+c.pattern+"\npermit")+proxy(stack)+"}\nhandle {\n"+
				protect(issuer, "permit "+c.pattern)+proxy(stack)+"}\n")
			want := map[bool]verdict{true: passes, false: forbidden}
			ask := func(rules string) func() answer {
				return func() answer {
					return g.raw(t, "GET "+c.target+" HTTP/1.1\n"+token+"\nX-Rules: "+rules+"\n\n")
				}
			}
			stack.judged(t, want[c.permit], ask("permit"))
			stack.judged(t, want[!c.forbid], ask("forbid"))
		})
	}
}
