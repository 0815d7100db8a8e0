package stackauth_test

import (
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// innerRules tell by the rule that decides which path was read.
const innerRules = `stack_auth {
	forbid /v1/admin*
	permit /v1/*
	permit /llm/v1/x*
	permit /
}
`

func TestBasePathIsTakenOffBeforeRulesAreRead(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, seen+protect(issuer, `
		base_path /llm
		public /v1/health
		forbid /v1/admin*
		permit /v1/*
		permit /llm*
		permit /`)+proxy(stack))
	known := as(issuer, "otto")
	for _, c := range []struct {
		target string
		status int
		seen   string
	}{
		{"/llm/v1/models", 200, "allow permit 2"},
		{"/llm/v1/admin", 403, "deny forbid 1"},
		{"/llm/V1/ADMIN", 403, "deny forbid 1"},
		{"/llm%2Fv1%2fadmin", 403, "deny forbid 1"},
		{"/%6Clm/v1/admin", 403, "deny forbid 1"},
		{"/llm", 200, "allow permit 4"},
		{"/llm/", 200, "allow permit 4"},
		{"/llm/llm/v1/admin", 200, "allow permit 3"}, // of another stack's path
		{"/llm/v1/health", 200, "allow"},
		{"/llm/v2/x", 403, "deny"},
		{"/v1/models", 404, "deny"},
		{"/", 404, "deny"},
		{"/llmx/v1/models", 404, "deny"},
		{"/LLM/v1/models", 404, "deny"},
		{"/v1/models?/llm/v1", 404, "deny"},
		{"/llm/../v1/admin", 400, "deny"},
		{"/x/../llm/v1/models", 400, "deny"},
		{"//llm/v1/models", 400, "deny"},
	} {
		t.Run(c.target, func(t *testing.T) {
			before := stack.count()
			a := g.raw(t, "GET "+c.target+" HTTP/1.1\n"+known+"\n\n")
			if a.StatusCode != c.status || a.Header.Get("X-Seen") != c.seen {
				t.Fatalf("got %d, %s", a.StatusCode, a.Header.Get("X-Seen"))
			}
			if got := stack.count() - before; got != map[bool]int{true: 1}[c.status == 200] {
				t.Errorf("%d requests reached the stack", got)
			}
			if c.status == 200 && stack.last(t).RequestURI != c.target {
				t.Errorf("the stack got %s", stack.last(t).RequestURI)
			}
		})
	}
}

// Where an inner block stands, the base of the outer one may have been taken
// off or not, and a caller may write it twice to be read wrongly.
func TestInnerBlocksReadThePathBelowTheBaseOfTheOuterOne(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, seen+protect(issuer, "base_path /llm\npermit")+`
		@left header X-Way left
		handle @left {
			`+innerRules+proxy(stack)+`
		}
		@off header X-Way off
		handle @off {
			handle_path /llm* {
				`+innerRules+proxy(stack)+`
			}
		}
		@twice header X-Way twice
		handle @twice {
			handle_path /llm* {
				handle_path /llm* {
					`+innerRules+proxy(stack)+`
				}
			}
		}
		handle {
			route {
				rewrite /llm/old* /llm/v1/admin/x
				rewrite /llm/away* /v1/admin/x
				rewrite /llm/new* /llm/v1/models
				rewrite /llm/double* /llm/llm/v1/admin
				rewrite /llm/go /llm/v1/{query.to}
				`+innerRules+proxy(stack)+`
			}
		}`)
	known := as(issuer, "otto")
	for _, c := range []struct {
		name, way, target string
		status            int
		seen, reached     string
	}{
		{"the base is still there", "left", "/llm/v1/models", 200, "allow permit 2", "/llm/v1/models"},
		{"and hides nothing", "left", "/llm/v1/admin/x", 403, "deny forbid 1", ""},
		{"written twice, once is taken off", "left", "/llm/llm/v1/x", 200, "allow permit 3", "/llm/llm/v1/x"},
		{"and what is left is another path", "left", "/llm/llm/v1/admin", 403, "deny", ""},
		{"three times", "left", "/llm/llm/llm/v1/x", 403, "deny", ""},
		{"the base alone", "left", "/llm/", 200, "allow permit 4", "/llm/"},

		{"the base is gone", "off", "/llm/v1/models", 200, "allow permit 2", "/v1/models"},
		{"and hides nothing either", "off", "/llm/v1/admin/x", 403, "deny forbid 1", ""},
		{"nor in other letters", "off", "/llm/V1/Admin", 403, "deny forbid 1", ""},
		{"nor with an encoded slash", "off", "/llm%2Fv1%2Fadmin", 403, "deny forbid 1", ""},
		{"written twice, no second one is taken off", "off", "/llm/llm/v1/x", 200, "allow permit 3", "/llm/v1/x"},
		{"so that it opens nothing", "off", "/llm/llm/v1/models", 403, "deny", ""},
		{"nor closes what it does not mean", "off", "/llm/llm/v1/admin", 403, "deny", ""},
		{"three times, of which one is gone", "off", "/llm/llm/llm/v1/x", 403, "deny", ""},
		{"nothing but the base", "off", "/llm", 200, "allow permit 4", "/"},
		{"nothing but the base twice", "off", "/llm/llm", 403, "deny", ""},

		{"taken off twice", "twice", "/llm/llm/v1/models", 200, "allow permit 2", "/v1/models"},
		{"taken off twice, forbidden", "twice", "/llm/llm/v1/admin", 403, "deny forbid 1", ""},
		{"taken off twice, and there again", "twice", "/llm/llm/llm/v1/admin", 400, "deny", ""},
		{"that it is permitted changes nothing", "twice", "/llm/llm/llm/v1/x", 400, "deny", ""},
		{"four times", "twice", "/llm/llm/llm/llm/v1/x", 400, "deny", ""},

		{"rewritten below the base", "", "/llm/new", 200, "allow permit 2", "/llm/v1/models"},
		{"rewritten to what is forbidden", "", "/llm/old", 403, "deny forbid 1", ""},
		{"rewritten to what is forbidden, out of the base", "", "/llm/away", 403, "deny forbid 1", ""},
		{"rewritten to the base twice", "", "/llm/double", 403, "deny", ""},
		{"rewritten to what the caller says", "", "/llm/go?to=models", 200, "allow permit 2", "/llm/v1/models"},
		{"who says what is forbidden", "", "/llm/go?to=admin", 403, "deny forbid 1", ""},
		{"in other letters", "", "/llm/go?to=ADMIN", 403, "deny forbid 1", ""},
		{"who says it by a detour", "", "/llm/go?to=models/../admin", 400, "deny", ""},
		{"that is encoded", "", "/llm/go?to=models%2f%2e%2e%2fadmin", 400, "deny", ""},
		{"encoded twice", "", "/llm/go?to=models%252f..%252fadmin", 400, "deny", ""},
		{"with an empty segment", "", "/llm/go?to=%2fadmin", 400, "deny", ""},
		{"with a parameter", "", "/llm/go?to=admin%3bx", 400, "deny", ""},
	} {
		t.Run(c.way+": "+c.name, func(t *testing.T) {
			before := stack.count()
			a := g.raw(t, "GET "+c.target+" HTTP/1.1\n"+known+"\nX-Way: "+c.way+"\n\n")
			if a.StatusCode != c.status || a.Header.Get("X-Seen") != c.seen {
				t.Fatalf("got %d, %q", a.StatusCode, a.Header.Get("X-Seen"))
			}
			if c.status == 400 {
				a.is(t, 400, "ambiguous_request")
			}
			got := ""
			if stack.count() > before {
				got, _, _ = strings.Cut(stack.last(t).RequestURI, "?")
			}
			if got != c.reached {
				t.Errorf("the stack got %q, want %q", got, c.reached)
			}
		})
	}
}

func TestWithoutABaseInnerRulesReadThePathAsItReachesThem(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, seen+protect(issuer, "permit /team-a/*\npermit /llm/*")+`
		handle_path /team-a/* {
			`+innerRules+proxy(stack)+`
		}
		handle {
			`+innerRules+proxy(stack)+`
		}`)
	known := as(issuer, "otto")
	for target, want := range map[string]string{
		"/team-a/v1/models":    "200 allow permit 2",
		"/team-a/v1/admin":     "403 deny forbid 1",
		"/TEAM-A/v1/admin":     "403 deny",
		"/team-a/llm/v1/admin": "403 deny",
		"/team-a/llm/v1/x":     "200 allow permit 3",
		"/llm/v1/x":            "200 allow permit 3",
		"/llm/v1/models":       "403 deny",
	} {
		a := g.do(t, "GET", target, known)
		if got := strings.TrimSpace(itoa(a.StatusCode) + " " + a.Header.Get("X-Seen")); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
}

// Every block that a request passes must let it pass; none says yes for another.
func TestEachBlockOfAChainDecidesByItself(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, seen+protect(issuer, `
		realm outer
		permit /v1/* {
			when user with user in roles
			description outer
		}`)+`
		@writes method POST
		handle {
			stack_auth {
				permit {
					when user with ml in teams
					description middle
				}
			}
			stack_auth @writes {
				permit {
					when user with writer in roles
					description inner
				}
			}
			`+proxy(stack)+`
		}`)
	who := func(teams string, roles ...string) string {
		return bearer(issuer.Token("uma", map[string]any{"roles": roles, "groups": teams}))
	}
	for _, c := range []struct {
		name, method, who string
		status            int
		seen              string
	}{
		{"all of three", "POST", who("ml", "user", "writer"), 200, "allow inner"},
		{"all but the inner one", "POST", who("ml", "user"), 403, "deny"},
		{"the inner one is not for reading", "GET", who("ml", "user"), 200, "allow middle"},
		{"all but the middle one", "POST", who("x", "user", "writer"), 403, "deny"},
		{"all but the outer one", "POST", who("ml", "writer"), 403, "deny"},
	} {
		t.Run(c.name, func(t *testing.T) {
			before := stack.count()
			a := g.do(t, c.method, "/v1/x", c.who)
			if a.StatusCode != c.status || a.Header.Get("X-Seen") != c.seen {
				t.Fatalf("got %d, %q", a.StatusCode, a.Header.Get("X-Seen"))
			}
			if (stack.count() > before) != (c.status == 200) {
				t.Error("the stack got what was refused, or did not get what passed")
			}
			challenge := a.Header.Get("WWW-Authenticate")
			if c.status == 403 && !strings.HasPrefix(challenge, `Bearer realm="outer", error="insufficient_scope"`) {
				t.Errorf("challenge is %s", challenge)
			}
		})
	}
}
