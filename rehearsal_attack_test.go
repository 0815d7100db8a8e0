package stackauth_test

import (
	"errors"
	"maps"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// Caddy reads the keys of a configuration in any case. A proxy that stands behind
// one must not be asked by a configuration which is only explained.
func TestAnOddlySpeltConfigurationIsNotRunByARehearsal(t *testing.T) {
	const (
		block = `{"handler":"stack_auth","providers":[{"type":"upstream_header","principal_header":"X-U","trusted_proxies":["127.0.0.1/32"]}]}`
		ask   = `{"handler":"reverse_proxy","upstreams":[{"dial":"ADDRESS"}]}`
		fail  = `{"handle":[{"handler":"error","status_code":500}]}`
	)
	for name, c := range map[string]struct{ routes, more, err string }{
		"as documented":            {`{"handle":[` + block + `,` + ask + `]}`, ``, ""},
		"a route's handlers":       {`{"Handle":[` + block + `,` + ask + `]}`, ``, `key "Handle": expected it to be written handle`},
		"routes of a subroute":     {`{"handle":[` + block + `,{"handler":"subroute","Routes":[{"handle":[` + ask + `]}]}]}`, ``, `key "Routes"`},
		"a route of a subroute":    {`{"handle":[` + block + `,{"handler":"subroute","routes":[{"HANDLE":[` + ask + `]}]}]}`, ``, `key "HANDLE"`},
		"error routes":             {`{"handle":[` + block + `]},` + fail, `,"Errors":{"routes":[{"handle":[` + ask + `]}]}`, `key "Errors"`},
		"routes of error routes":   {`{"handle":[` + block + `]},` + fail, `,"errors":{"Routes":[{"handle":[` + ask + `]}]}`, `key "Routes"`},
		"errors of a subroute":     {`{"handle":[` + block + `,{"handler":"subroute","routes":[` + fail + `],"errorſ":{"routes":[{"handle":[` + ask + `]}]}}]}`, ``, `key "errorſ"`},
		"named routes":             {`{"handle":[` + block + `,{"handler":"invoke","name":"x"}]}`, `,"Named_Routes":{"x":{"handle":[` + ask + `]}}`, `key "Named_Routes"`},
		"a named route's handlers": {`{"handle":[` + block + `,{"handler":"invoke","name":"x"}]}`, `,"named_routes":{"x":{"Handle":[` + ask + `]}}`, `key "Handle"`},
		"what answers mean":        {`{"handle":[` + block + `,{"handler":"reverse_proxy","upstreams":[],"Handle_Response":[]}]}`, ``, `key "Handle_Response"`},
		"names that are no keys":   {`{"handle":[{"handler":"vars","Routes":"x","Handle":"y"},` + block + `,` + ask + `]}`, ``, ""},
	} {
		t.Run(name, func(t *testing.T) {
			address, visits := canary(t)
			file := writeFile(t, "config.json", strings.ReplaceAll(
				`{"apps":{"http":{"servers":{"a":{"listen":[":8080"],"routes":[`+c.routes+`]`+c.more+`}}}}}`, "ADDRESS", address))
			out := run(t, "", "explain", "--config", file, "--principal", "anna", "GET", "/x")
			switch {
			case c.err == "" && out.code() != 0:
				t.Errorf("not explained: %s", out.all())
			case c.err != "" && (out.code() != 2 || !strings.Contains(out.all(), c.err)):
				t.Errorf("got %s, want %s", out.all(), c.err)
			}
			if n := visits.Load(); n != 0 {
				t.Errorf("%d connections", n)
			}
		})
	}
}

func TestShadowIsTakenOffHoweverItIsSpelt(t *testing.T) {
	for _, key := range []string{"shadow", "Shadow"} {
		file := writeFile(t, "config.json", `{"apps":{"http":{"servers":{"a":{"listen":[":8080"],"routes":[{"handle":[`+
			`{"handler":"stack_auth","`+key+`":true,"rules":[{"effect":"forbid"}],"providers":[{"type":"upstream_header","principal_header":"X-U","trusted_proxies":["127.0.0.1/32"]}]}`+
			`]}]}}}}}`)
		cases := writeFile(t, "cases.yaml", "users: {anna: {}}\nroutes:\n- {path: /v1/models, deny: anna}\n")
		if out := run(t, "", "test", "--enforce", "--config", file, cases); out.code() != 0 {
			t.Errorf("%s: %s", key, out.all())
		}
	}
}

// A made-up request in a process that serves is nobody's.
func TestARehearsalIsNotCounted(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	site := protect(issuer, "public /metrics\npermit /v1/models") + "@metrics path /metrics\nmetrics @metrics\n" + proxy(stack)
	g := startGateway(t, site)
	before := g.decisionCounts(t)
	file := writeFile(t, "Caddyfile", "http://localhost:8080 {\n"+site+"}\n")
	for _, path := range []string{"/v1/models", "/v1/files"} {
		explain(t, "", "--config", file, "--principal", "anna", "GET", path)
	}
	if after := g.decisionCounts(t); !maps.Equal(before, after) {
		t.Errorf("counted %v, and before %v", after, before)
	}
	if stack.count() != 0 {
		t.Error("it reached the stack")
	}
}

// tellingMatcher says what it has read: in an error, or a panic.
type tellingMatcher struct {
	Panics bool `json:"panics,omitempty"`
}

func init() { caddy.RegisterModule(new(tellingMatcher)) }

func (*tellingMatcher) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.matchers.stack_auth_test_telling", New: func() caddy.Module { return new(tellingMatcher) }}
}

func (m *tellingMatcher) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() {
		m.Panics = d.NextArg()
	}
	return nil
}

func (m *tellingMatcher) MatchWithError(r *http.Request) (bool, error) {
	original := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	text := "read " + r.Header.Get("Authorization") + original.RequestURI
	if m.Panics {
		panic(text)
	}
	return false, errors.New(text)
}

func TestTheTokenIsNotShownByWhatModulesSay(t *testing.T) {
	issuer := testissuer.New(t)
	token := issuer.Token("anna", nil)
	const odd = "example+token/not=a~secret" // is escaped in a query
	source := "token_source query access_token"
	for name, config := range map[string]string{
		"a matcher of a block that fails":   "@m stack_auth_test_telling\nstack_auth @m {\n" + trust(issuer, "") + "}\n",
		"a matcher of a block that panics":  "@m stack_auth_test_telling panics\nstack_auth @m {\n" + trust(issuer, "") + "}\n",
		"a matcher of a rule that fails":    protect(issuer, source, "permit {\nmatch {\nstack_auth_test_telling\n}\n}"),
		"a matcher of a rule that panics":   protect(issuer, source, "permit {\nmatch {\nstack_auth_test_telling panics\n}\n}"),
		"a matcher of a site that panics":   protect(issuer, source) + "@m stack_auth_test_telling panics\nrespond @m no\n",
		"a matcher that fails in the query": "@m stack_auth_test_telling\nstack_auth @m {\n" + source + "\n" + trust(issuer, "") + "}\n",
	} {
		t.Run(name, func(t *testing.T) {
			file := writeFile(t, "Caddyfile", "http://localhost:8080 {\n"+config+"respond ok\n}\n")
			for _, secret := range []string{token, odd} {
				for _, json := range []string{"--json", "--json=false"} {
					out := run(t, secret+"\n", "explain", json, "--config", file, "--token", "-", "GET", "/")
					if shown := out.all(); strings.Contains(shown, secret) || strings.Contains(shown, "not%3Da") {
						t.Errorf("shown: %s", shown)
					}
					if secret == token && !strings.Contains(out.all(), "[token]") {
						t.Errorf("nothing was to be hidden: %s", out.all())
					}
				}
			}
		})
	}
	t.Run("a made-up caller has none", func(t *testing.T) {
		file := writeFile(t, "Caddyfile", "http://localhost:8080 {\n@m stack_auth_test_telling\nstack_auth @m {\n"+trust(issuer, "")+"}\nrespond ok\n}\n")
		if out := run(t, "", "explain", "--config", file, "--principal", "anna", "GET", "/?a=b"); !strings.Contains(out.all(), "read /?a=b") {
			t.Errorf("got %s", out.all())
		}
	})
}

var (
	_ caddyhttp.RequestMatcherWithError = (*tellingMatcher)(nil)
	_ caddyfile.Unmarshaler             = (*tellingMatcher)(nil)
)
