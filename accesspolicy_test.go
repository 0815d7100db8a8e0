package stackauth_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// What only JSON can say: lists that are there and empty, and texts that a
// template has left empty. Each would make a rule for more than was meant.
func TestRulesInJSONThatAreRefused(t *testing.T) {
	for _, c := range []struct{ name, handler, want string }{
		{"no effect", `"rules":[{"paths":["/x"]}]`, `rule 1: effect "": expected permit or forbid`},
		{"an empty effect", `"rules":[{"effect":"permit"},{"effect":"","paths":["/x"]}]`, `rule 2: effect ""`},
		{"an unknown effect", `"rules":[{"effect":"allow"}]`, `rule 1: effect "allow"`},
		{"no path in paths", `"rules":[{"effect":"permit","paths":[]}]`, "rule 1: paths is empty: leave it out for all"},
		{"an empty path", `"rules":[{"effect":"permit","paths":[""]}]`, `path pattern ""`},
		{"no method in methods", `"rules":[{"effect":"forbid","methods":[]}]`, "rule 1: methods is empty: leave it out for all"},
		{"an empty method", `"rules":[{"effect":"permit","methods":[""]}]`, `method ""`},
		{"no condition in when", `"rules":[{"effect":"permit","when":[]}]`, "rule 1: when is empty: leave it out"},
		{"no condition in unless", `"rules":[{"effect":"forbid","unless":[]}]`, "rule 1: unless is empty: leave it out"},
		{"a condition without operator", `"rules":[{"effect":"permit","when":[{"value":"a","attribute":"roles"}]}]`, `when: condition ""`},
		{"an unknown operator", `"rules":[{"effect":"permit","unless":[{"op":"user_has","value":"a","attribute":"roles"}]}]`, `unless: condition "user_has"`},
		{"an operator in the Caddyfile's words", `"rules":[{"effect":"permit","when":[{"op":"user is anonymous"}]}]`, `condition "user is anonymous": expected an operator such as user_with_in`},
		{"a condition without value", `"rules":[{"effect":"permit","when":[{"op":"user_with_in","attribute":"roles"}]}]`, "value is empty"},
		{"a condition without attribute", `"rules":[{"effect":"permit","when":[{"op":"user_with_not_in","value":"a"}]}]`, "attribute"},
		{"a condition with too much", `"rules":[{"effect":"permit","when":[{"op":"user_is_anonymous","value":"a"}]}]`, `value "a"`},
		{"about an attribute that it has no use for", `"rules":[{"effect":"permit","when":[{"op":"user_is_anonymous","attribute":"roles"}]}]`, `unexpected attribute "roles"`},
		{"an owner on a route", `"rules":[{"effect":"forbid","when":[{"op":"user_is_owner"}]}]`, "a route has none"},
		{"no owner on a route", `"rules":[{"effect":"forbid","unless":[{"op":"resource_is_unowned"}]}]`, "a route has none"},
		{"rules that are null", `"rules":null`, "rules is empty, and would allow everything"},
		{"a matcher of the block that says nothing", `"match":[{"path":[""]}]`, "match: path is empty"},
		{"a matcher of the block that is not nothing", `"match":[{"not":[{"client_ip":{}}]}]`, "match: not: match: client_ip is empty"},
		{"no matcher in match", `"rules":[{"effect":"permit","match":[]}]`, "rule 1: match is empty: leave it out for all"},
		{"an empty set in match", `"rules":[{"effect":"permit","match":[{"method":["GET"]},{}]}]`, "rule 1: match is empty"},
		{"an unknown matcher", `"rules":[{"effect":"permit","match":[{"nosuch":{}}]}]`, "http.matchers.nosuch"},
		{"a matcher that does not load", `"rules":[{"effect":"permit","match":[{"stack_auth":{}}]}]`, "rule 1: loading matchers"},
		{"an unknown key of a rule", `"rules":[{"effect":"permit","path":["/x"]}]`, "unknown field"},
		{"an unknown key of a condition", `"rules":[{"effect":"permit","when":[{"operator":"user_is_anonymous"}]}]`, "unknown field"},
		{"a description with a line break", `"rules":[{"effect":"permit","description":"a\nb"}]`, "description"},

		{"a resource rule without effect", `"access_policy":[{"actions":["read"]}]`, `rule 1: effect ""`},
		{"without actions", `"access_policy":[{"effect":"permit"}]`, "rule 1: expected actions"},
		{"no action in actions", `"access_policy":[{"effect":"permit","actions":[]}]`, "expected actions"},
		{"an empty action", `"access_policy":[{"effect":"permit","actions":["read",""]}]`, `action ""`},
		{"an empty principal", `"access_policy":[{"effect":"permit","actions":["read"],"principal":""}]`, "principal or resource is empty"},
		{"an empty resource", `"access_policy":[{"effect":"permit","actions":["read"],"resource":""}]`, "principal or resource is empty"},
		{"a principal that nobody has", `"access_policy":[{"effect":"forbid","actions":["read"],"principal":"a\u0000"}]`, "principal"},
		{"a resource without type", `"access_policy":[{"effect":"forbid","actions":["read"],"resource":"llama"}]`, `resource "llama"`},
		{"no condition in when of a resource", `"access_policy":[{"effect":"permit","actions":["read"],"when":[]}]`, "when is empty"},
		{"no condition in unless of a resource", `"access_policy":[{"effect":"permit","actions":["read"],"unless":[]}]`, "unless is empty"},
		{"an unknown operator of a resource", `"access_policy":[{"effect":"permit","actions":["read"],"when":[{"op":"owner"}]}]`, `condition "owner"`},
		{"an unknown key of a resource rule", `"access_policy":[{"effect":"permit","actions":["read"],"paths":["/x"]}]`, "unknown field"},

		{"owner_match of no kind", `"owner_match":"some"`, `owner_match "some"`},
		{"owner_match with compat", `"owner_match":"all","compat":"ogx"`, "owner_match has no meaning with compat ogx"},
		{"compat with something else", `"compat":"llama"`, `compat "llama": expected ogx`},
		{"compat without rules, with something else", `"compat":"OGX","require":[{"attribute":"roles","values":["a"]}]`, `compat "OGX"`},
		{"explain_header of nothing", `"explain_header":{}`, "explain_header: attribute name"},
		{"explain_header without values", `"explain_header":{"attribute":"roles","values":[]}`, "explain_header: "},
		{"explain_header with an empty value", `"explain_header":{"attribute":"roles","values":[""]}`, "explain_header: "},
		{"explain_header of the principal", `"explain_header":{"attribute":"id","values":["a"]}`, "explain_header: "},
		{"shadow of a kind", `"shadow":"rules"`, "shadow"},
	} {
		for kind, providers := range map[string]string{
			"":                     `"providers":[{"type":"oauth2_token","issuer":"https://id.example","audience":["x"]}],`,
			", without a provider": "",
		} {
			t.Run(c.name+kind, func(t *testing.T) {
				err := validateRoutes(t, `[{"handle":[{"handler":"stack_auth",`+providers+c.handler+`}]}]`)
				if err == nil || !strings.Contains(err.Error(), c.want) {
					t.Errorf("got %v, want something with %q", err, c.want)
				}
			})
		}
	}
}

func TestRulesInJSONThatLoad(t *testing.T) {
	for name, handler := range map[string]string{
		"no rules":                  `"access_policy":[]`,
		"null":                      `"access_policy":null,"explain_header":null`,
		"matchers that are options": `"rules":[{"effect":"forbid","match":[{"method":["GET"]},{"path":["/x"]}]}]`,
		"a resource rule":           `"access_policy":[{"effect":"permit","actions":["read","read"],"principal":"a","resource":"model::*","when":[{"op":"user_is_owner"}]}]`,
		"a literal star":            `"compat":"ogx","access_policy":[{"effect":"permit","actions":["read"],"resource":"*"}]`,
	} {
		t.Run(name, func(t *testing.T) {
			if err := validateRoutes(t, `[{"handle":[{"handler":"stack_auth",`+handler+`}]}]`); err != nil {
				t.Error(err)
			}
		})
	}
}

// Matchers that are options of one rule: any of them will do.
func TestMatchersOfARuleInJSONMayBeOptions(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	site := protect(issuer, "permit {\nmatch {\nheader X-A 1\n}\n}") + proxy(stack)
	g := startGateway(t, site)
	one, err := adapt(g.config("", site))
	if err != nil {
		t.Fatal(err)
	}
	const a, b = `{"header":{"X-A":["1"]}}`, `{"header":{"X-B":["1"]}}`
	two := bytes.Replace(one, []byte(a), []byte(a+","+b), 1)
	if bytes.Equal(one, two) {
		t.Fatalf("no matcher to put another beside: %s", one)
	}
	if err := caddy.Load(two, true); err != nil {
		t.Fatal(err)
	}
	known := as(issuer, "otto")
	stack.judged(t, passes, func() answer { return g.do(t, "GET", "/x", known, "X-A: 1") })
	stack.judged(t, passes, func() answer { return g.do(t, "GET", "/x", known, "X-B: 1") })
	stack.judged(t, forbidden, func() answer { return g.do(t, "GET", "/x", known) })
}

// An access_policy is for `explain` and `test`; who takes it for a lock must be
// told at load.
func TestAnAccessPolicyIsNotEnforcedAndSaysSo(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	const notEnforced = "access_policy is not enforced by the gateway"
	const compatOpens = "compat ogx: with its default policy, anybody does anything with what nobody owns"
	warnings := func() string {
		var all strings.Builder
		for _, line := range logs.lines(t, "http.handlers.stack_auth.policy") {
			if line.text("level") == "warn" {
				all.WriteString(line.text("msg") + "\n")
			}
		}
		return all.String()
	}
	for _, c := range []struct {
		name, options string
		enforced      bool
		compat        bool
	}{
		{"a policy", "access_policy {\nforbid {\nactions create read update delete\n}\n}", true, false},
		{"how the default one is read", "owner_match any", true, false},
		{"an empty policy", "access_policy {\n}", false, false},
		{"compat", "compat ogx", false, true},
		{"route rules alone", "permit", false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			g := startGateway(t, protect(issuer, c.options)+proxy(stack))
			got := warnings()
			if strings.Contains(got, notEnforced) != c.enforced || strings.Contains(got, compatOpens) != c.compat {
				t.Errorf("warnings are %s", got)
			}
			stack.judged(t, passes, func() answer { return g.do(t, "GET", "/v1/models/x", as(issuer, "otto")) })
			stack.judged(t, passes, func() answer { return g.do(t, "DELETE", "/v1/files/x", as(issuer, "otto")) })
		})
	}
	t.Run("in a block without provider, too", func(t *testing.T) {
		startGateway(t, protect(issuer)+"stack_auth {\naccess_policy {\nforbid {\nactions read\n}\n}\n}\n"+proxy(stack))
		if !strings.Contains(warnings(), notEnforced) {
			t.Errorf("warnings are %s", warnings())
		}
	})
}
