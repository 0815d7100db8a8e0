package stackauth_test

import (
	"encoding/json"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"

	stackauth "github.com/caddy-stack-auth/caddy-stack-auth"
	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

func TestTheMatcherHoldsForCallersWithTheAttributes(t *testing.T) {
	issuer := testissuer.New(t)
	g := startGateway(t, `
		@header stack_auth roles user
		header @header X-Early yes
		`+protect(issuer, "public /public", "allow_anonymous")+`
		@both {
			stack_auth roles admin operator
			stack_auth teams ml
		}
		@not not stack_auth roles admin operator user
		@cel expression stack_auth({'roles': ['guest', 'visitor'], 'teams': ['ml']})
		@celOr `+"`stack_auth({'projects': ['p']}) || path('/never')`"+`
		handle @both {
			respond both
		}
		handle @cel {
			respond cel
		}
		handle @celOr {
			respond celOr
		}
		handle @not {
			respond not
		}
		handle {
			respond none
		}`)
	for _, c := range []struct {
		name, path string
		claims     map[string]any
		want       string
	}{
		{"all of the requirements, any of the values", "/x", map[string]any{"roles": "operator", "groups": "ml"}, "both"},
		{"one requirement missing", "/x", map[string]any{"roles": "operator", "groups": "red"}, "none"},
		{"values are compared byte for byte", "/x", map[string]any{"roles": "Operator", "groups": "ml"}, "not"},
		{"CEL", "/x", map[string]any{"roles": []string{"x", "visitor"}, "groups": []string{"ml"}}, "cel"},
		{"CEL misses one", "/x", map[string]any{"roles": "visitor"}, "not"},
		{"CEL beside something else", "/x", map[string]any{"project": "p"}, "celOr"},
		{"anonymous", "/x", nil, "not"},
		{"a public path knows nobody", "/public", map[string]any{"roles": "operator", "groups": "ml"}, "not"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var headers []string
			if c.claims != nil {
				headers = append(headers, bearer(issuer.Token("alice", c.claims)))
			}
			a := g.do(t, "GET", c.path, headers...)
			if a.StatusCode != 200 || a.body != c.want {
				t.Errorf("got %d %s, want %s", a.StatusCode, a.body, c.want)
			}
			if a.Header.Get("X-Early") != "" {
				t.Error("the matcher held before stack_auth ran")
			}
		})
	}
}

func TestAMatcherThatSaysNothingIsRefusedAtLoad(t *testing.T) {
	for name, config := range map[string]string{
		"no requirement":       `{}`,
		"no value":             `{"require":[{"attribute":"roles"}]}`,
		"an empty value":       `{"require":[{"attribute":"roles","values":[""]}]}`,
		"a bad attribute":      `{"require":[{"attribute":"id","values":["alice"]}]}`,
		"an unknown key":       `{"requires":[]}`,
		"CEL with a list":      `"stack_auth(['admin'])"`,
		"CEL with nothing":     `"stack_auth({})"`,
		"CEL without a value":  `"stack_auth({'roles': []})"`,
		"CEL with a bad name":  `"stack_auth({'id': ['alice']})"`,
		"CEL with two of them": `"stack_auth({'roles': ['a']}, {'roles': ['b']})"`,
	} {
		matcher := `"stack_auth":` + config
		if config[0] == '"' {
			matcher = `"expression":` + config
		}
		if err := validateRoutes(t, `[{"match":[{`+matcher+`}]}]`); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
	if err := validateRoutes(t, `[{"match":[{"stack_auth":{"require":[{"attribute":"roles","values":["a"]}]}}]}]`); err != nil {
		t.Error(err)
	}
}

// Without a stack_auth in front nobody is known.
func TestTheMatcherWithoutAHandlerNeverHolds(t *testing.T) {
	m := &stackauth.MatchStackAuth{Require: []abac.Requirement{{Attribute: "roles", Values: []string{"admin"}}}}
	if m.Match(httptest.NewRequest("GET", "/", nil)) {
		t.Error("it holds")
	}
}

// validateRoutes loads the routes as `caddy validate` does.
func validateRoutes(t *testing.T, routes string) error {
	t.Helper()
	config := `{"admin":{"disabled":true},"logging":{"logs":{"default":{"writer":{"output":"discard"}}}},"apps":{"http":{"servers":{"s":{"listen":["127.0.0.1:0"],"routes":` + routes + `}}}}}`
	var cfg caddy.Config
	if err := json.Unmarshal([]byte(config), &cfg); err != nil {
		t.Fatalf("%v: %s", err, config)
	}
	return caddy.Validate(&cfg)
}
