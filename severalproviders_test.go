package stackauth_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// introspecting is a provider that asks the endpoint.
func introspecting(name, url string, options ...string) string {
	return "provider oauth2_token " + name + " {\nskip_issuer_check\nskip_audience_check\nintrospection {\nurl " + url +
		"\nclient_id gw\nclient_secret gw-test-only\n}\n" + strings.Join(options, "\n") + "\n}\n"
}

func hashedKey(principal, key string) string {
	return fmt.Sprintf("key sha256:%x %s {\nattribute roles robot\n}\n", sha256.Sum256([]byte(key)), principal)
}

// A block as a real one is: keys, JWTs, opaque tokens, and an endpoint for the
// rest. Each is shown its own credentials, and nobody else's.
func TestEachCredentialIsShownToItsOwnJudge(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	opaque := newJudgeCounter(t, func(w http.ResponseWriter, r *http.Request) {
		says(200, fmt.Sprintf(`{"active":%t,"sub":"bob"}`, r.FormValue("token") == "op_good"))(w, r)
	})
	custom := newJudgeCounter(t, says(200, `{"principal":"carol"}`))
	g := startGateway(t, "stack_auth {\n"+
		"provider api_key {\n"+hashedKey("robot", "example-key-not-a-secret")+"principal_prefix key:\n}\n"+
		trust(issuer, "people")+
		introspecting("opaque", opaque.URL, "tokens prefix op_", "principal_prefix partner:")+
		"provider custom {\nendpoint "+custom.URL+"\nprincipal_prefix custom:\ntokens opaque\n}\n"+
		"}\n"+proxy(stack))
	stranger := testissuer.NewUnstarted("https://stranger.example")
	for _, c := range []struct {
		token, who, code string
		opaque, custom   int64
	}{
		{"example-key-not-a-secret", "key:robot", "", 0, 0},
		{issuer.Token("alice", nil), "alice", "", 0, 0},
		{"op_good", "partner:bob", "", 1, 0},
		{"op_bad", "", "invalid_token", 1, 0},
		{"whatever-else", "custom:carol", "", 0, 1},
		{issuer.Token("alice", map[string]any{"aud": "other"}), "", "invalid_token", 0, 0},
		{stranger.Token("alice", nil), "", "invalid_token", 0, 0},
	} {
		before := [2]int64{opaque.calls.Load(), custom.calls.Load()}
		a := g.do(t, "GET", "/v1/models", bearer(c.token))
		if c.code == "" {
			a.is(t, 200, "")
			stack.last(t).identity(t, c.who)
		} else {
			a.is(t, 401, c.code)
		}
		if got := [2]int64{opaque.calls.Load() - before[0], custom.calls.Load() - before[1]}; got != [2]int64{c.opaque, c.custom} {
			t.Errorf("%s: the judges were asked %v times", c.who, got)
		}
	}
}

// Which of several turned a caller away is for the operator: in the log and in
// a placeholder, and never in the answer.
func TestEachProvidersReasonIsNamedToTheOperator(t *testing.T) {
	stack := newStack(t)
	first, second := newJudgeCounter(t, says(200, `{"active":false}`)), newJudgeCounter(t, says(500, ``))
	g := startGateway(t, "header X-Reason {http.stack_auth.error.reason}\nstack_auth {\nerrors caddy\n"+
		introspecting("first", first.URL, "fallthrough")+
		"provider custom second {\nendpoint "+second.URL+"\nprincipal_prefix c:\n}\n}\n"+proxy(stack)+
		"handle_errors {\nrespond \"{http.error.message}|{http.stack_auth.error.message}|{http.stack_auth.error.reason}\"\n}\n")
	const want = "first: introspection: token is not active; second: endpoint: status 500"
	a := g.do(t, "GET", "/v1/models", bearer("nobodys-token-0123456789"))
	public, rest, _ := strings.Cut(a.body, "|")
	if _, reason, _ := strings.Cut(rest, "|"); a.StatusCode != 503 || reason != want {
		t.Errorf("got %d %s", a.StatusCode, a.body)
	}
	if strings.Contains(public, "first") || strings.Contains(public, "500") {
		t.Errorf("the caller is told %q", public)
	}
	lines := refusals(t)
	if len(lines) != 1 || lines[0].text("reason") != want {
		t.Errorf("the log has %v", lines)
	}
}

// After fallthrough's no, the next one's yes counts; without a yes, cannot tell
// goes before no, whoever said which.
func TestFallthroughAsksTheNext(t *testing.T) {
	yes, no, broken := says(200, `{"active":true,"sub":"alice","principal":"alice"}`), says(200, `{"active":false}`), says(503, ``)
	for _, c := range []struct {
		first, second  http.HandlerFunc
		with, without  int
		secondNotAsked bool
		principalWith  string
	}{
		{first: no, second: yes, with: 200, without: 401, principalWith: "c:alice"},
		{first: broken, second: yes, with: 200, without: 503, principalWith: "c:alice"},
		{first: no, second: says(403, ``), with: 401, without: 401},
		{first: no, second: broken, with: 503, without: 401},
		{first: broken, second: says(403, ``), with: 503, without: 503},
		{first: yes, second: says(403, ``), with: 200, without: 200, principalWith: "alice", secondNotAsked: true},
	} {
		for _, falls := range []bool{true, false} {
			stack := newStack(t)
			first, second := newJudgeCounter(t, c.first), newJudgeCounter(t, c.second)
			options, want := "tokens prefix nobodys-", c.without
			if falls {
				options, want = "fallthrough", c.with
			}
			g := startGateway(t, "stack_auth {\n"+introspecting("first", first.URL, options)+
				"provider custom second {\nendpoint "+second.URL+"\nprincipal_prefix c:\n}\n}\n"+proxy(stack))
			if !falls {
				// Without it the configuration with both would not load at all.
				if err := tryLoad(t, g.config("", "stack_auth {\n"+introspecting("first", first.URL)+"provider custom second {\nendpoint "+second.URL+"\nprincipal_prefix c:\n}\n}\n")); err == nil ||
					!strings.Contains(err.Error(), "never be asked") {
					t.Errorf("error is %v", err)
				}
			}
			a := g.do(t, "GET", "/v1/models", bearer("nobodys-token-0123456789"))
			if a.StatusCode != want {
				t.Errorf("fallthrough is %t: got %d %s, want %d", falls, a.StatusCode, a.body, want)
			}
			if want == 200 && falls {
				stack.last(t).identity(t, c.principalWith)
			}
			if asked := second.calls.Load() > 0; asked && (!falls || c.secondNotAsked) {
				t.Error("the second judge was shown the token")
			}
		}
	}
}
