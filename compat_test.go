package stackauth_test

import (
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// Section 9 of the contract, as far as routes and providers show it: with
// `compat ogx` the marked rows are upstream's, and nothing else changes.
func TestCompatChangesTheMarkedRowsOfRoutesAndNothingElse(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	user := bearer(issuer.Token("uma", map[string]any{"team": "one two", "groups": []any{"ml", 7, nil, "red team"}}))
	for _, c := range []struct {
		row, rules, target, who string
		off, on                 verdict
	}{
		{"permit-whole-path", "permit regex:/v1/models", "/v1/models/llama", user, forbidden, passes},
		{"permit-whole-path, from its start all the same", "permit regex:models", "/v1/models", user, forbidden, forbidden},
		{"permit-whole-path, the whole one", "permit regex:/v1/models", "/v1/models", user, passes, passes},
		{"permit-whole-path, with an end of its own", "permit regex:/v1/models$", "/v1/models/llama", user, forbidden, forbidden},
		{"a permit's case", "permit regex:/v1/models", "/V1/Models", user, forbidden, forbidden},
		{"a forbid from its start", "forbid regex:/v1/adm\npermit", "/v1/admin", user, forbidden, forbidden},
		{"forbid-any-case", "forbid /v1/admin*\npermit", "/V1/ADMIN", user, forbidden, forbidden},
		{"forbid-any-case, of an expression", "forbid regex:/v1/admin\npermit", "/V1/ADMIN", user, forbidden, forbidden},
		{"a prefix", "permit /v1/files/*", "/v1/files", user, forbidden, forbidden},
		{"ambiguous-path", "permit", "/v1/models/../admin", user, twoWays, twoWays},
		{"ambiguous-path, two slashes at the end", "permit", "/v1/models//", user, twoWays, twoWays},
		{"one slash at the end", "permit /v1/models", "/v1/models/", user, passes, passes},
		{"unless-any, so for routes in both", "permit {\nunless user with one in teams\nunless user with x in teams\n}", "/x", user, forbidden, forbidden},
		{"anonymous, a condition", "allow_anonymous\npermit {\nwhen user with a not in roles\n}", "/x", "X-None: x", unknown, unknown},
		{"anonymous, a forbid with a condition", "allow_anonymous\nforbid {\nwhen user with a in roles\n}\npermit", "/x", "X-None: x", unknown, unknown},
		{"anonymous, without rules", "allow_anonymous", "/x", "X-None: x", passes, passes},
		{"public-paths", "public /v1/health\nforbid", "/v1/health", "X-None: x", passes, passes},
		{"public-paths, that are not named", "permit", "/v1/health", "X-None: x", unknown, unknown},
		{"list-values", "require teams ml", "/x", user, passes, passes},
		{"list-values, a number is none", "require teams 7", "/x", user, forbidden, forbidden},
		{"values of a list are unsplit", "require teams red", "/x", user, forbidden, forbidden},
		{"values of a string are split", "require teams two", "/x", user, passes, passes},
		{"identity-not-roles", "require roles uma", "/x", user, forbidden, passes},
	} {
		t.Run(c.row, func(t *testing.T) {
			for compat, want := range map[string]verdict{"": c.off, "compat ogx": c.on} {
				g := startGateway(t, protect(issuer, c.rules, compat)+proxy(stack))
				stack.judged(t, want, func() answer { return g.raw(t, "GET "+c.target+" HTTP/1.1\n"+c.who+"\n\n") })
			}
		})
	}
	t.Run("empty-principal", func(t *testing.T) {
		for _, compat := range []string{"", "compat ogx"} {
			g := startGateway(t, protect(issuer, compat)+proxy(stack))
			stack.isUntouched(t, func() {
				g.do(t, "GET", "/x", bearer(issuer.Token("", nil))).is(t, 401, "invalid_token")
			})
		}
	})
	t.Run("bad-expression, route-owner-condition, and a literal star of a path", func(t *testing.T) {
		for _, rule := range []string{"regex:(", "regex:(?!x)", "/v1/*/x", "{\nwhen user is owner\n}"} {
			for _, compat := range []string{"", "compat ogx\n"} {
				if _, err := adapt(":0 {\n" + protect(issuer, compat+"permit "+rule) + "}\n"); err == nil || !strings.Contains(err.Error(), "Caddyfile:") {
					t.Errorf("%s %s: %v", compat, rule, err)
				}
			}
		}
	})
}

func TestCompatMapsIdentityIntoRoles(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	token := bearer(issuer.Token("admin of sales", map[string]any{
		"username": "root", "groups": []string{"ml", "red team"}, "team": "blue", "scope": "a b", "email": "x y@example.com",
	}))
	for _, c := range []struct{ name, options, compat, attributes string }{
		{"off", "", "", `{"teams":["ml","red team","blue"]}`},
		{"on", "", "compat ogx", `{"roles":["admin","of","sales","root"],"teams":["ml","red team","blue"]}`},
		{"the preset without compat is the same", "claims_mapping ogx", "", `{"roles":["admin","of","sales","root"],"teams":["ml","red team","blue"]}`},
		{"the preset with compat, too", "claims_mapping ogx", "compat ogx", `{"roles":["admin","of","sales","root"],"teams":["ml","red team","blue"]}`},
		{"a mapping of one's own, off", "claims_mapping {\nsub names\nscope scopes\nemail mails\n}", "", `{"mails":["x y@example.com"],"names":["admin of sales"],"scopes":["a","b"]}`},
		{"a mapping of one's own splits identity, on", "claims_mapping {\nsub names\nscope scopes\nemail mails\n}", "compat ogx", `{"mails":["x","y@example.com"],"names":["admin","of","sales"],"scopes":["a","b"]}`},
		{"an empty mapping maps nothing, off", "claims_mapping {\n}", "", `{}`},
		{"an empty mapping maps nothing, on", "claims_mapping {\n}", "compat ogx", `{}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := startGateway(t, "stack_auth {\n"+trust(issuer, "", c.options)+c.compat+"\n}\n"+proxy(stack))
			g.do(t, "GET", "/x", token).is(t, 200, "")
			r := stack.last(t)
			r.identity(t, "admin of sales")
			if got := r.Header.Get("X-Auth-Attributes"); got != c.attributes {
				t.Errorf("attributes are %s, want %s", got, c.attributes)
			}
		})
	}
}

func TestCompatOfTheOuterBlockHoldsFurtherIn(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	inner := func(compat string) string {
		return "handle {\nstack_auth {\npermit regex:/v1/models\n" + compat + "\n}\n" + proxy(stack) + "}\n"
	}
	known := as(issuer, "otto", "user")
	for _, c := range []struct {
		name, outer, inner string
		want               verdict
	}{
		{"neither", "", "", forbidden},
		{"the outer one", "compat ogx", "", passes},
		{"the inner one", "", "compat ogx", passes},
		{"both", "compat ogx", "compat ogx", passes},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := startGateway(t, protect(issuer, c.outer)+inner(c.inner))
			stack.judged(t, c.want, func() answer { return g.do(t, "GET", "/v1/models/llama", known) })
			stack.judged(t, passes, func() answer { return g.do(t, "GET", "/v1/models", known) })
			stack.judged(t, forbidden, func() answer { return g.do(t, "GET", "/v2", known) })
		})
	}
	t.Run("the inner one does not change who the caller is", func(t *testing.T) {
		g := startGateway(t, protect(issuer)+"handle {\nstack_auth {\ncompat ogx\nrequire roles otto\n}\n"+proxy(stack)+"}\n")
		stack.judged(t, forbidden, func() answer { return g.do(t, "GET", "/x", known) })
	})
	t.Run("a block with providers inherits nothing", func(t *testing.T) {
		g := startGateway(t, protect(issuer, "compat ogx")+"handle {\n"+protect(issuer, "permit regex:/v1/models")+proxy(stack)+"}\n")
		stack.judged(t, forbidden, func() answer { return g.do(t, "GET", "/v1/models/llama", known) })
	})
}
