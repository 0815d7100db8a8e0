package stackauth_test

import (
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// show answers with everything that the placeholders say.
const show = `respond "{http.auth.user.id}|{http.auth.user.roles}|{http.stack_auth.principal}|{http.stack_auth.tenant}|{http.stack_auth.attributes}|` +
	`{http.stack_auth.attributes.teams}|{http.stack_auth.provider}|{http.stack_auth.decision}|{http.stack_auth.rule}|{http.stack_auth.resource}|` +
	`{http.stack_auth.action}|{http.stack_auth.error.type}|{http.stack_auth.error.code}|{http.stack_auth.error.message}|` +
	`{http.stack_auth.attributes.nothing}|{http.auth.user.nothing}"`

func TestPlaceholdersSayWhoCallsAndWhatWasDecided(t *testing.T) {
	issuer := testissuer.New(t)
	g := startGateway(t, "stack_auth {\n"+trust(issuer, "idp")+`
			public /public
			allow_anonymous
			errors caddy
			tenancy single acme
		}
		handle /deny {
			stack_auth {
				require teams red
				require roles root
			}
		}
		handle {
			`+show+`
		}
		handle_errors {
			`+show+`
		}
		`)
	alice := bearer(issuer.Token("alice", map[string]any{"roles": []string{"user", "admin"}, "groups": "red blue"}))
	attributes := `{"roles":["user","admin"],"teams":["red","blue"]}`
	known := "alice|user,admin|alice|acme|" + attributes + "|red,blue|idp|"
	for _, c := range []struct {
		name, path string
		headers    []string
		want       string
	}{
		{"after a yes", "/v1/x", []string{alice}, known + "allow||||||||"},
		{"on a public path", "/public", []string{alice}, "|||||||allow||||||||"},
		{"for anonymous", "/v1/x", nil, "|||||||allow||||||||"},
		{"refused for the token", "/v1/x", []string{bearer("a.b.c")}, "|||||||deny||||authentication_error|invalid_token|The token is not valid.||"},
		{"refused for the form", "/v1//x", []string{alice}, "|||||||deny||||invalid_request_error|ambiguous_request|The request could be read in more than one way.||"},
		{"refused by a rule", "/deny", []string{alice}, known + "deny|require 2|||permission_error|insufficient_permissions|The caller is not allowed to do this.||"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a := g.do(t, "GET", c.path, c.headers...); a.body != c.want {
				t.Errorf("got\n%s, want\n%s", a.body, c.want)
			}
		})
	}
}

// basic_auth sets http.auth.user.* too; a caller of ours is nobody of its.
func TestTheUserOfAnotherPluginGivesWay(t *testing.T) {
	issuer := testissuer.New(t)
	g := startGateway(t, `
		basic_auth /both/* bcrypt {
			operator $2a$04$CVzjj1E/dUoJcW98Bj0jx.eyZDH1SS73/cae3pXuZbs0dmoWtLHQy
		}
		@in not path /both/unmatched
		stack_auth @in {
			`+trust(issuer, "")+`
			token_source header X-Token
			public /both/public
			errors caddy
		}
		respond "{http.auth.user.id}|{http.auth.user.roles}"
		handle_errors {
			respond "{http.auth.user.id}|{http.auth.user.roles}"
		}`)
	operator := "Authorization: Basic b3BlcmF0b3I6c2VjcmV0" // operator:secret
	alice := "X-Token: " + issuer.Token("alice", map[string]any{"roles": "user"})
	for _, c := range []struct {
		name, path string
		headers    []string
		want       string
	}{
		{"ours says who", "/both/x", []string{operator, alice}, "alice|user"},
		{"ours says nobody", "/both/x", []string{operator}, "|"},
		{"ours says no", "/both/x", []string{operator, "X-Token: a.b.c"}, "|"},
		{"ours does not ask", "/both/public", []string{operator}, "|"},
		{"ours is not asked", "/both/unmatched", []string{operator}, "operator|{http.auth.user.roles}"},
		{"ours alone", "/x", []string{alice}, "alice|user"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if a := g.do(t, "GET", c.path, c.headers...); a.body != c.want {
				t.Errorf("got %d %s, want %s", a.StatusCode, a.body, c.want)
			}
		})
	}
}

// Caddy's access log takes the user from http.auth.user.id.
func TestTheAccessLogHasTheUser(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, "log {\noutput stack_auth_test\n}\n"+protect(issuer)+proxy(stack))
	g.do(t, "GET", "/one", bearer(issuer.Token("alice", nil))).is(t, 200, "")
	g.do(t, "GET", "/two").is(t, 401, "missing_credential")
	eventually(t, timeout, "two lines of access log", func() bool { return len(logs.lines(t, "http.log.access")) >= 2 })
	for _, line := range logs.lines(t, "http.log.access") {
		want := ""
		if strings.HasSuffix(line["request"].(map[string]any)["uri"].(string), "/one") {
			want = "alice"
		}
		if got := line.text("user_id"); got != want {
			t.Errorf("user is %q, want %q", got, want)
		}
	}
}
