package stackauth_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// explained returns the header that tells which rule decided, and fails the test
// if it is there twice.
func (a answer) explained(t testing.TB) string {
	t.Helper()
	values := a.Header["X-Stack-Auth-Rule"]
	if len(values) > 1 {
		t.Errorf("the header is there %d times: %q", len(values), values)
	}
	return strings.Join(values, "|")
}

func TestThoseWhomExplainHeaderNamesAreToldTheRule(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	// The stack would say so itself, and is not believed.
	stack.answerWith(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Stack-Auth-Rule", "of the stack")
		w.Header()["x_stack_auth_rule"] = []string{"of the stack"}
		w.Header()["X-STACK-AUTH.RULE"] = []string{"of the stack"}
		w.Header().Set("Trailer", "X-Late")
		w.WriteHeader(200)
		w.Header().Set("X-Late", "1")
		w.Header().Set(http.TrailerPrefix+"X-Stack-Auth-Rule", "of the stack")
		w.Header().Set(http.TrailerPrefix+"x_stack_auth_rule", "of the stack")
	})
	g := startGateway(t, "@out path /out*\n@in not path /out*\nstack_auth @in {\n"+trust(issuer, "")+`
		explain_header roles admin operator
		allow_anonymous
		public /public
		require teams ml
		forbid /v1/admin* {
			description "Größe: 100 % \"geheim\" 模型"
		}
		permit /v1/models
		forbid /v1/files* {
			description "nothing but ~ascii~"
		}
		permit /v1/open {
			when user is anonymous
		}
		}
		`+proxy(stack))
	who := func(teams string, roles ...string) string {
		return bearer(issuer.Token("uma", map[string]any{"roles": roles, "groups": teams}))
	}
	const beyondASCII = `Gr%C3%B6%C3%9Fe: 100 %25 "geheim" %E6%A8%A1%E5%9E%8B`
	for _, c := range []struct {
		name, method, path, who string
		status                  int
		rule                    string
	}{
		{"allowed", "GET", "/v1/models", who("ml", "admin"), 200, "permit 2"},
		{"allowed, with the other value", "GET", "/v1/models", who("ml", "x", "operator"), 200, "permit 2"},
		{"allowed, to a HEAD", "HEAD", "/v1/models", who("ml", "admin"), 200, "permit 2"},
		{"refused by require", "GET", "/v1/models", who("x", "admin"), 403, "require 1"},
		{"refused by a rule", "GET", "/v1/files", who("ml", "admin"), 403, "nothing but ~ascii~"},
		{"refused by a rule, to a HEAD", "HEAD", "/v1/files", who("ml", "admin"), 403, "nothing but ~ascii~"},
		{"with a description that no header can have", "GET", "/v1/admin", who("ml", "admin"), 403, beyondASCII},
		{"refused by none", "GET", "/v1/other", who("ml", "admin"), 403, "none"},
		{"others are told nothing", "GET", "/v1/models", who("ml", "user"), 200, ""},
		{"nor when they are refused", "GET", "/v1/files", who("ml", "user"), 403, ""},
		{"nor whose role only looks like it", "GET", "/v1/files", who("ml", "Admin", "admin operator", "administrator"), 403, ""},
		{"nor anybody anonymous", "GET", "/v1/open", "X-None: x", 401, ""},
		{"nor whose token is bad", "GET", "/v1/models", who("ml", "admin") + "x", 401, ""},
		{"a path that cannot be read is no question of rules", "GET", "/v1//models", who("ml", "admin"), 400, ""},
		{"nor is a public path", "GET", "/public", who("ml", "admin"), 200, ""},
		{"nor what the matcher leaves out", "GET", "/out", who("ml", "admin"), 200, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := g.do(t, c.method, c.path, c.who, "X-Stack-Auth-Rule: of the caller", "X_Stack_Auth_Rule: of the caller")
			if a.StatusCode != c.status {
				t.Fatalf("got %d %s", a.StatusCode, a.body)
			}
			if got := a.explained(t); got != c.rule {
				t.Errorf("rule is %q, want %q", got, c.rule)
			}
			for _, header := range []http.Header{a.Header, a.Trailer} {
				for name, values := range header {
					if strings.Contains(strings.Join(values, " "), "of the stack") {
						t.Errorf("%s of the stack came through", name)
					}
				}
			}
			if c.status == 200 && stack.last(t).asCGI()["x-stack-auth-rule"] != "" {
				t.Error("what the caller wrote reached the stack")
			}
		})
	}
}

// A stack that announces a trailer of the name takes nothing away, and gets
// nothing through.
func TestTheRuleIsToldWhateverTrailersTheStackAnnounces(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	stack.answerWith(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Stack-Auth-Rule, X-Late")
		_, _ = w.Write([]byte("body"))
		w.Header().Set("X-Stack-Auth-Rule", "of the stack")
		w.Header().Set("X-Late", "1")
	})
	// Over HTTP/3 the head of a short answer is sent when the handler is done.
	g := startTLSGateway(t, protect(issuer, "explain_header roles admin\npermit")+proxy(stack))
	for version, transport := range map[string]http.RoundTripper{
		"HTTP/1.1": &http.Transport{TLSClientConfig: g.trust("http/1.1"), DisableKeepAlives: true},
		"HTTP/2.0": g.overHTTP2(t),
		"HTTP/3.0": g.overHTTP3(t),
	} {
		for who, want := range map[string]string{as(issuer, "anna", "admin"): "permit 1", as(issuer, "uma", "user"): ""} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.URL+"/x", http.NoBody)
			if err != nil {
				t.Fatal(err)
			}
			name, value, _ := strings.Cut(who, ": ")
			req.Header.Set(name, value)
			resp, err := transport.RoundTrip(req)
			if err != nil {
				t.Fatal(err)
			}
			a := read(t, resp)
			a.is(t, 200, "")
			if got := a.explained(t); got != want || a.Proto != version {
				t.Errorf("%s: rule is %q, want %q", a.Proto, got, want)
			}
			if got := a.Trailer.Get("X-Stack-Auth-Rule"); got != "" {
				t.Errorf("%s: trailer is %q", version, got)
			}
			if a.Trailer.Get("X-Late") != "1" {
				t.Errorf("%s: trailers are %v", version, a.Trailer)
			}
		}
	}
}

func TestTheRuleIsToldWithAnErrorRouteToo(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "errors caddy\nexplain_header roles admin\npermit /v1/models\nforbid /v1/files {\ndescription files\n}")+`
		handle_errors {
			respond "{err.status_code} {http.stack_auth.rule}" {err.status_code}
		}
		`+proxy(stack))
	for _, c := range []struct{ path, who, rule, body string }{
		{"/v1/files", as(issuer, "anna", "admin"), "files", "403 files"},
		{"/v1/other", as(issuer, "anna", "admin"), "none", "403 "},
		{"/v1/files", as(issuer, "uma", "user"), "", "403 files"},
	} {
		stack.isUntouched(t, func() {
			a := g.do(t, "GET", c.path, c.who)
			if a.StatusCode != 403 || a.body != c.body || a.explained(t) != c.rule {
				t.Errorf("%s: got %d %q, and the rule %q", c.path, a.StatusCode, a.body, a.explained(t))
			}
		})
	}
}

func TestInnerBlocksInheritWhoIsToldTheRule(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "explain_header roles admin\npermit {\ndescription outer\n}")+`
		handle /inherits* {
			stack_auth {
				permit /inherits/yes
			}
			`+proxy(stack)+`
		}
		handle /own* {
			stack_auth {
				explain_header roles operator
				permit /own/yes
			}
			`+proxy(stack)+`
		}
		handle /silent {
			stack_auth
			`+proxy(stack)+`
		}
		handle /afresh {
			stack_auth {
				`+trust(issuer, "")+`
				permit
			}
			`+proxy(stack)+`
		}
		handle /rewritten {
			rewrite * /x/../y
			stack_auth {
				permit
			}
			`+proxy(stack)+`
		}`)
	admin, operator := as(issuer, "anna", "admin"), as(issuer, "otto", "operator")
	both, user := as(issuer, "emil", "admin", "operator"), as(issuer, "uma", "user")
	for _, c := range []struct {
		name, path, who string
		status          int
		rule            string
	}{
		{"the inner one decides", "/inherits/yes", admin, 200, "permit 1"},
		{"the inner one refuses", "/inherits/no", admin, 403, "none"},
		{"whom the outer one does not name", "/inherits/yes", user, 200, ""},
		{"a list of its own", "/own/yes", operator, 200, "permit 1"},
		{"a list of its own, refused", "/own/no", operator, 403, "none"},
		{"a list of its own takes the outer one's place", "/own/yes", admin, 200, ""},
		{"also where it refuses", "/own/no", admin, 403, ""},
		{"in both lists", "/own/yes", both, 200, "permit 1"},
		{"without rules the outer one has decided", "/silent", admin, 200, "outer"},
		{"a block with providers inherits nothing", "/afresh", admin, 200, ""},
		{"a path that became ambiguous is no question of rules", "/rewritten", admin, 400, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := g.do(t, "GET", c.path, c.who)
			if a.StatusCode != c.status || a.explained(t) != c.rule {
				t.Errorf("got %d, and the rule %q, want %d and %q", a.StatusCode, a.explained(t), c.status, c.rule)
			}
		})
	}
}

func TestInShadowTheRuleIsToldThatWouldHaveRefused(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "shadow\nexplain_header roles admin\nforbid /v1/files\npermit /v1/*")+
		"handle /v1/files {\nstack_auth {\npermit\n}\n"+proxy(stack)+"}\nhandle {\n"+proxy(stack)+"}\n")
	admin := as(issuer, "anna", "admin")
	for path, want := range map[string]string{"/v1/models": "permit 2", "/v1/files": "forbid 1", "/other": "none"} {
		a := stack.judged(t, passes, func() answer { return g.do(t, "GET", path, admin) })
		if got := a.explained(t); got != want {
			t.Errorf("%s: rule is %q, want %q", path, got, want)
		}
	}
}

func TestTheRuleIsToldWhenAWebSocketOpens(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	stack.answerWith(echoSocket)
	g := startGateway(t, protect(issuer, "explain_header roles admin\npermit")+proxy(stack))
	_, _, resp := g.dialSocket(t, "/v1/realtime", as(issuer, "anna", "admin")+"\n")
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.Header.Get("X-Stack-Auth-Rule") != "permit 1" {
		t.Errorf("got %d %v", resp.StatusCode, resp.Header)
	}
}

func TestWhereThereAreNoRulesNoneDecided(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "explain_header roles admin")+`
		handle /inner {
			stack_auth {
				permit {
					description "inner"
				}
			}
			`+proxy(stack)+`
		}
		`+proxy(stack))
	admin := bearer(issuer.Token("anna", map[string]any{"roles": "admin"}))
	for path, want := range map[string]string{"/v1/models": "none", "/inner": "inner"} {
		a := g.do(t, "GET", path, admin)
		if a.is(t, 200, ""); a.explained(t) != want {
			t.Errorf("%s: rule is %q, want %q", path, a.explained(t), want)
		}
		if got := g.do(t, "GET", path, bearer(issuer.Token("uma", nil))).explained(t); got != "" {
			t.Errorf("%s: others are told %q", path, got)
		}
	}
}
