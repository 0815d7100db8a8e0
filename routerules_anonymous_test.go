package stackauth_test

import (
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// Section 5: any condition but `user is anonymous` counts against somebody
// anonymous, so that nobody gets further by leaving the credential away.
func TestBeingAnonymousCountsAgainstTheCaller(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	a, other := as(issuer, "uma", "a"), as(issuer, "otto", "b")
	for _, c := range []struct {
		condition           string
		anonymous, a, other bool // a permit with it lets pass
		forbids             [3]bool
	}{
		{"", true, true, true, [3]bool{true, true, true}},
		{"when user with a in roles", false, true, false, [3]bool{true, true, false}},
		{"when user with a not in roles", false, false, true, [3]bool{true, false, true}},
		{"when user is anonymous", true, false, false, [3]bool{true, false, false}},
		{"unless user with a in roles", false, false, true, [3]bool{true, false, true}},
		{"unless user with a not in roles", false, true, false, [3]bool{true, true, false}},
		{"unless user is anonymous", false, true, true, [3]bool{false, true, true}},
		{"when user is anonymous\nwhen user with a in roles", false, false, false, [3]bool{true, false, false}},
		{"when user is anonymous\nunless user with a in roles", false, false, false, [3]bool{true, false, false}},
		{"unless user is anonymous\nunless user with a in roles", false, false, true, [3]bool{false, false, true}},
		{"when user with a in roles\nunless user with b in roles", false, true, false, [3]bool{true, true, false}},
	} {
		t.Run(c.condition, func(t *testing.T) {
			g := startGateway(t, protect(issuer, `
				allow_anonymous
				permit /permit {
					`+c.condition+`
				}
				forbid /forbid {
					`+c.condition+`
				}
				permit /forbid`)+proxy(stack))
			for i, who := range []struct {
				header string
				permit bool
				no     verdict
			}{
				{"X-None: x", c.anonymous, unknown},
				{a, c.a, forbidden},
				{other, c.other, forbidden},
			} {
				permit, forbid := who.no, passes
				if who.permit {
					permit = passes
				}
				if c.forbids[i] {
					forbid = who.no
				}
				stack.judged(t, permit, func() answer { return g.do(t, "GET", "/permit", who.header) })
				stack.judged(t, forbid, func() answer { return g.do(t, "GET", "/forbid", who.header) })
			}
		})
	}
}

func TestAnonymousCallersGetNoFurtherThanTheirRules(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	const forged = "X-Auth-User-Id: admin"
	known := as(issuer, "uma", "user")
	for _, c := range []struct {
		name, rules      string
		anonymous, known verdict
	}{
		{"without rules they pass", "", passes, passes},
		{"require is not for them", "require roles user", unknown, passes},
		{"nor beside a rule that permits", "require roles user\npermit", unknown, passes},
		{"no rule that applies", "permit /elsewhere", unknown, forbidden},
		{"a matcher is no condition", "permit {\nmatch {\nclient_ip private_ranges\n}\n}", passes, passes},
		{"a matcher that asks who they are", "permit {\nmatch {\nstack_auth roles user\n}\n}", unknown, passes},
		{"models for all, the rest for those we know", "permit /x {\nmethods GET\n}\npermit {\nunless user is anonymous\n}", passes, passes},
		{"nothing for those we do not know", "forbid {\nwhen user is anonymous\n}\npermit", unknown, passes},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := startGateway(t, protect(issuer, "allow_anonymous\n"+c.rules)+proxy(stack))
			stack.judged(t, c.anonymous, func() answer { return g.do(t, "GET", "/x", forged) })
			if c.anonymous == passes {
				stack.last(t).identity(t, "")
			}
			stack.judged(t, c.known, func() answer { return g.do(t, "GET", "/x", known, forged) })
			if c.known == passes {
				stack.last(t).identity(t, "uma")
			}
			stack.isUntouched(t, func() {
				g.do(t, "GET", "/x", "Authorization: Bearer a.b.c", forged).is(t, 401, "invalid_token")
			})
		})
	}
	t.Run("without allow_anonymous a rule for them is for nobody", func(t *testing.T) {
		g := startGateway(t, protect(issuer, "permit {\nwhen user is anonymous\n}")+proxy(stack))
		stack.judged(t, unknown, func() answer { return g.do(t, "GET", "/x") })
		stack.judged(t, forbidden, func() answer { return g.do(t, "GET", "/x", known) })
	})
}

func TestAnonymousCallersOfAnInnerBlock(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "allow_anonymous\nrealm outer\npublic /public*")+`
		handle /open* {
			stack_auth {
				permit {
					methods GET
					when user is anonymous
				}
				permit {
					unless user is anonymous
				}
			}
			`+proxy(stack)+`
		}
		handle {
			stack_auth {
				forbid /public* {
					when user is anonymous
				}
				permit {
					when user with user in roles
				}
			}
			`+proxy(stack)+`
		}`)
	known := as(issuer, "uma", "user")
	for _, c := range []struct {
		method, path, who string
		status            int
	}{
		{"GET", "/open", "X-None: x", 200},
		{"POST", "/open", "X-None: x", 401},
		{"POST", "/open", known, 200},
		{"GET", "/x", "X-None: x", 401},
		{"GET", "/x", known, 200},
		{"GET", "/x", as(issuer, "otto"), 403},
		// On a public path the outer block asks nobody, and the inner one finds nobody.
		{"GET", "/public", known, 401},
	} {
		t.Run(c.method+c.path+itoa(c.status), func(t *testing.T) {
			before := stack.count()
			a := g.do(t, c.method, c.path, c.who)
			if a.StatusCode != c.status || stack.count()-before != map[bool]int{true: 1}[c.status == 200] {
				t.Fatalf("got %d %s, and %d reached the stack", a.StatusCode, a.body, stack.count()-before)
			}
			if c.status == 401 && a.Header.Get("WWW-Authenticate") != `Bearer realm="outer"` {
				t.Errorf("challenge is %s", a.Header.Get("WWW-Authenticate"))
			}
		})
	}
}
