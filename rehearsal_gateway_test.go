package stackauth_test

import (
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// The table of the promise: a rehearsal with made-up callers, one with real
// tokens, and a gateway that runs answer alike, for whoever asks for whatever.
func TestARehearsalAnswersAsTheGatewayDoes(t *testing.T) {
	issuer := testissuer.New(t)
	stack := newStack(t)
	site := `
	@plain path /plain*
	header @plain X-A b
	rewrite /old/* /v1/admin{uri}
	stack_auth {
		` + trust(issuer, "") + `
		public /v1/health
		allow_anonymous
		base_path /llm
		explain_header roles developer admin user
		forbid regex:^/v1/(admin|inspect)/ {
			unless user with admin in roles
		}
		forbid /v1/secret* {
			match {
				not header X-Key open
			}
			unless user with admin in roles
			description "the secret"
		}
		permit /v1/models* /inner/* /lab/* /plain* {
			methods GET
		}
		permit /v1/chat/completions {
			methods POST
			when user with developer in roles
		}
		permit /v1/* {
			when user with admin in roles
			unless user with guests in teams
		}
		permit /v1/anyone {
			when user is anonymous
		}
	}
	handle_path /llm/inner/* {
		stack_auth {
			require roles developer admin
			permit /v1/messages
			forbid
		}
		` + proxy(stack) + `
	}
	handle /llm/lab/* {
		stack_auth {
			shadow
			require teams lab
		}
		` + proxy(stack) + `
	}
	handle /llm/plain* {
		stack_auth /llm/plain/x {
			require teams lab
		}
		` + proxy(stack) + `
	}
	handle /llm/v1/teapot {
		respond 418
	}
	handle {
		` + proxy(stack) + `
	}
`
	g := startGateway(t, site)
	file := writeFile(t, "Caddyfile", g.config("", site))
	users := []struct {
		name  string
		token string
		args  []string
	}{
		{"nobody", "", []string{"--anonymous"}},
		{"user", issuer.Token("uma", map[string]any{"roles": []string{"user"}}), []string{"--principal", "uma", "--attribute", "roles=user"}},
		{"developer", issuer.Token("emil", map[string]any{"roles": []string{"user", "developer"}}), []string{"--principal", "emil", "--attribute", "roles=user,developer"}},
		{"admin", issuer.Token("anna", map[string]any{"roles": []string{"admin"}, "groups": []string{"lab"}}), []string{"--principal", "anna", "--attribute", "roles=admin", "--attribute", "teams=lab"}},
		{"guest", issuer.Token("gus", map[string]any{"roles": []string{"admin"}, "groups": []string{"guests"}}), []string{"--principal", "gus", "--attribute", "roles=admin", "--attribute", "teams=guests"}},
	}
	paths := []string{
		"/llm/v1/health", "/llm/v1/models", "/llm/v1/models/a%2Fb", "/llm/v1/models/", "/llm/v1/chat/completions", "/llm/v1/admin/users",
		"/llm/V1/ADMIN/users", "/llm/v1/secret", "/llm/v1/secret/x", "/llm/v1/anyone", "/llm/v1/teapot", "/llm/inner/v1/messages",
		"/llm/inner/other", "/llm/lab/1", "/llm/plain/x", "/llm/plain/y", "/llm", "/v1/models", "/old/x", "/llm/v1//models",
		"/llm/v1/%2e%2e/x", "/llm/v1/a;b", "/llm/v1/models?q=%zz",
	}
	decided := make(map[string]int)
	for _, method := range []string{"GET", "HEAD", "POST", "DELETE", "OPTIONS", "TRACE"} {
		for _, path := range paths {
			for _, header := range []string{"", "X-Key: open"} {
				for _, u := range users {
					var headers, extra []string
					if header != "" {
						headers, extra = append(headers, header), []string{"--header", header}
					}
					if u.token != "" {
						headers = append(headers, bearer(u.token))
					}
					real := g.do(t, method, path, headers...)
					args := append([]string{"--config", file, "--host", g.Address}, extra...)
					made := explain(t, "", append(append(args, u.args...), method, path)...)
					compare(t, u.name+" "+method+" "+path+" "+header, real, made)
					if u.token != "" && method == "GET" && header == "" {
						byToken := explain(t, u.token, append(args, "--token", "-", method, path)...)
						compare(t, u.name+" by token "+method+" "+path, real, byToken)
					}
					decided[made.Decision]++
				}
			}
		}
	}
	if decided["allow"] < 100 || decided["deny"] < 100 || decided["cannot tell"] != 0 {
		t.Errorf("the table is one-sided: %v", decided)
	}
}

func compare(t *testing.T, what string, real answer, e explained) {
	t.Helper()
	if real.StatusCode != e.Status {
		t.Errorf("%s: the gateway answers %d, explain says %d (%s)", what, real.StatusCode, e.Status, e.Decision)
	}
	reached := e.Answer != nil && e.Answer.Handler == "reverse_proxy"
	if (e.Decision == "allow") != reached || reached != (real.StatusCode == 200) {
		t.Errorf("%s: the gateway answers %d, explain says %s, answer %+v", what, real.StatusCode, e.Decision, e.Answer)
	}
	said := real.Header.Get("X-Stack-Auth-Rule")
	if said == "" {
		return
	}
	rule := "none"
	for _, b := range e.Blocks {
		if b.Rule != "" {
			rule = b.Rule
		}
	}
	if last := e.Blocks[len(e.Blocks)-1]; last.Matched && last.Rule == "" {
		rule = "none"
	}
	if said != rule {
		t.Errorf("%s: the gateway says that %q decided, explain says %q", what, said, rule)
	}
}
