package gitlab_test

import (
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
)

const (
	aliceToken = "glpat-not-a-token-of-alice"
	alice      = `{"id":7,"username":"alice","name":"Alice","state":"active","bot":false,"is_admin":true}`

	// As GitLab makes them today: two dots, like a JWT.
	botToken = "glpat-not-a-token-of-a-bot.01.0w1234567"
	bot      = `{"id":8,"username":"project_3_bot_x","state":"active","bot":true}`
)

// knows is a GitLab with two accounts.
func knows(w http.ResponseWriter, r *http.Request) {
	switch r.Header.Get("Private-Token") {
	case aliceToken:
		says(200, alice)(w, r)
	case botToken:
		says(200, bot)(w, r)
	default:
		says(401, `{"message":"401 Unauthorized"}`)(w, r)
	}
}

func TestAGoodTokenIsWhoseGitLabSaysItIs(t *testing.T) {
	g := startGateway(t)
	g.gitlab.now(knows)
	g.isLetIn(t, aliceToken, "gitlab:7", `{"roles":["user"]}`)
	asked := g.gitlab.asked()
	if len(asked) != 1 {
		t.Fatalf("GitLab was asked %d times", len(asked))
	}
	r := asked[0]
	if r.Method != http.MethodGet || r.RequestURI != "/api/v4/user" || r.Header.Get("Private-Token") != aliceToken ||
		r.Header.Get("Authorization") != "" {
		t.Errorf("GitLab was asked %s %s with %v", r.Method, r.RequestURI, r.Header)
	}
	g.isLetIn(t, botToken, "gitlab:8", `{"roles":["bot"]}`)
	g.logged(t)
}

func TestAGoodTokenIsAskedAboutOnce(t *testing.T) {
	g := startGateway(t)
	g.gitlab.now(knows)
	for range 5 {
		g.isLetIn(t, aliceToken, "gitlab:7", `{"roles":["user"]}`)
	}
	if n := len(g.gitlab.asked()); n != 1 {
		t.Errorf("GitLab was asked %d times", n)
	}
}

func TestABadTokenIsRefused(t *testing.T) {
	for name, answer := range map[string]http.HandlerFunc{
		"unknown":      says(401, `{"message":"401 Unauthorized"}`),
		"revoked":      says(401, `{"error":"invalid_token","error_description":"Token was revoked."}`),
		"scope":        says(403, `{"error":"insufficient_scope","error_description":"more is needed","scope":"api read_user"}`),
		"blocked":      says(403, `{"message":"403 Forbidden - Your account has been blocked."}`),
		"deactivated":  says(200, `{"id":7,"username":"alice","state":"deactivated"}`),
		"bot, blocked": says(200, `{"id":7,"username":"alice","state":"blocked","bot":true}`),
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t)
			g.gitlab.now(answer)
			a := g.isRefused(t, aliceToken, 401, "invalid_token")
			if got := a.header.Get("Www-Authenticate"); !strings.HasPrefix(got, "Bearer ") {
				t.Errorf("challenge is %q", got)
			}
			if !strings.Contains(g.logged(t), "gitlab_token") {
				t.Errorf("the log does not say who refused it:\n%s", g.logged(t))
			}
		})
	}
}

// A secret of somebody else's is not GitLab's to see.
func TestATokenOfAnotherFormIsNotShownToGitLab(t *testing.T) {
	g := startGateway(t)
	g.gitlab.now(says(200, alice))
	g.isRefused(t, "ghp_not-a-token", 401, "invalid_token")
	g.isRefused(t, "a.b.glpat-", 401, "invalid_token")
	g.isRefused(t, "", 401, "missing_credential")
	if n := len(g.gitlab.asked()); n != 0 {
		t.Errorf("GitLab was asked %d times", n)
	}
}

func TestWhileGitLabCannotTellNobodyNewIsLetIn(t *testing.T) {
	for name, c := range map[string]struct {
		answer     http.HandlerFunc
		retryAfter string
	}{
		"503": {says(503, "<html>GitLab is not responding</html>"), "1"},
		"503, and when to come back": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "40")
			says(503, "")(w, r)
		}, "40"},
		"429, until a date far away": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "Fri, 01 Jan 2100 00:00:00 GMT")
			says(429, "Retry later\n")(w, r)
		}, "3600"},
		"429": {func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Retry-After", "20")
			says(429, "Retry later\n")(w, r)
		}, "20"},
		"500":                   {says(500, `{"message":"500 Internal Server Error"}`), "1"},
		"an address is banned":  {says(403, "Forbidden\n"), "1"},
		"a redirect":            {says(302, ""), "1"},
		"a login page":          {says(200, "<html>Sign in</html>"), "1"},
		"null":                  {says(200, "null"), "1"},
		"a list":                {says(200, "["+alice+"]"), "1"},
		"bytes behind":          {says(200, alice+"{}"), "1"},
		"a member twice":        {says(200, `{"id":8,"id":7,"username":"alice","state":"active"}`), "1"},
		"one escaped":           {says(200, `{"id":8,"\u0069d":7,"username":"alice","state":"active"}`), "1"},
		"not UTF-8":             {says(200, "{\"id\":7,\"username\":\"ali\xffce\",\"state\":\"active\"}"), "1"},
		"a 403 with one twice":  {says(403, `{"message":"x","message":"y"}`), "1"},
		"no id":                 {says(200, `{"username":"alice","state":"active"}`), "1"},
		"an id of another form": {says(200, `{"id":7.5,"ID":7,"username":"alice","state":"active"}`), "1"},
		"the id 0":              {says(200, `{"id":0,"username":"alice","state":"active"}`), "1"},
		"no state":              {says(200, `{"id":7,"username":"alice"}`), "1"},
		"2 MiB":                 {says(200, strings.Repeat(" ", 2<<20)+alice), "1"},
		"it hangs up": {func(w http.ResponseWriter, _ *http.Request) {
			if conn, _, err := http.NewResponseController(w).Hijack(); err == nil {
				conn.Close()
			}
		}, "1"},
		"it speaks something else": {func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				return
			}
			defer conn.Close()
			_, _ = conn.Write([]byte("you sent " + r.Header.Get("Private-Token")))
		}, "1"},
	} {
		t.Run(name, func(t *testing.T) {
			g := startGateway(t)
			g.gitlab.now(c.answer)
			a := g.isRefused(t, aliceToken, 503, "auth_service_unavailable")
			if got := a.header.Get("Retry-After"); got != c.retryAfter {
				t.Errorf("Retry-After is %q, want %q", got, c.retryAfter)
			}
			g.logged(t)
			// Nothing of it is remembered.
			g.gitlab.now(knows)
			g.isLetIn(t, aliceToken, "gitlab:7", `{"roles":["user"]}`)
		})
	}
}

// A GitLab that takes the question and never answers is not waited for.
func TestAGitLabThatHangsIsGivenUp(t *testing.T) {
	t.Setenv("GITLAB_TIMEOUT", "100ms")
	g := startGateway(t)
	released := make(chan struct{})
	g.gitlab.now(func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		close(released)
	})
	g.isRefused(t, aliceToken, 503, "auth_service_unavailable")
	<-released // the call has ended with the option timeout, and not only the waiting for it
	if !strings.Contains(g.logged(t), "no answer in time") {
		t.Errorf("the log does not say what is wrong:\n%s", g.logged(t))
	}
}

func TestAGitLabThatIsDownKeepsNoGatewayFromStarting(t *testing.T) {
	g := startGatewayAt(t, "http://"+freeAddress(t))
	g.isRefused(t, aliceToken, 503, "auth_service_unavailable")
	if !strings.Contains(g.logged(t), "connection refused") {
		t.Errorf("the log does not say what is wrong:\n%s", g.logged(t))
	}
}

var located = regexp.MustCompile(`Caddyfile:[3-6]`)

// Mistakes are found when the Caddyfile is adapted, with their line.
func TestMistakesAreFoundEarly(t *testing.T) {
	for block, want := range map[string]string{
		"gitlab_token":                                                              "gitlab_url is required",
		"gitlab_token {\n gitlab_url gitlab\n}":                                     "expected an absolute https URL",
		"gitlab_token {\n gitlab_url http://gitlab.test\n}":                         "expected https (plain http needs allow_http)",
		"gitlab_token {\n gitlab_url https://u:p@gitlab.test\n}":                    "without credentials and fragment",
		"gitlab_token {\n gitlab_url https://gitlab.test/?x\n}":                     "without a query",
		"gitlab_token {\n gitlab_url {http.request.host}\n}":                        "expected {env.NAME} or {file./absolute/path}",
		"gitlab_token {\n gitlab_url https://a.test\n gitlab_url https://b.test\n}": "gitlab_url is there twice",
		"gitlab_token {\n gitlab_url\n}":                                            "wrong argument count",
		"gitlab_token {\n gitlab_url https://a.test\n groups x\n}":                  `unrecognized option "groups"`,
		"gitlab_token {\n gitlab_url https://a.test\n cache_ttl soon\n}":            "expected a duration such as 30s",
		"gitlab_token A {\n gitlab_url https://a.test\n}":                           `provider name "A"`,
	} {
		_, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte("http:// {\nstack_auth {\nprovider "+block+"\n}\n}\n"), nil)
		if err == nil || !strings.Contains(err.Error(), want) || !located.MatchString(err.Error()) {
			t.Errorf("%s\ngot %v, want %s", block, err, want)
		}
	}
	// What is behind a placeholder is known when the configuration is loaded.
	t.Setenv("GITLAB_TEST_ADDRESS", "http://s3cret.example")
	config := []byte(`{"apps":{"http":{"servers":{"x":{"routes":[{"handle":[{"handler":"stack_auth","providers":[` +
		`{"type":"gitlab_token","gitlab_url":"{env.GITLAB_TEST_ADDRESS}"}]}]}]}}}}}`)
	var parsed caddy.Config
	if err := caddy.StrictUnmarshalJSON(config, &parsed); err != nil {
		t.Fatal(err)
	}
	err := caddy.Validate(&parsed)
	const want = "gitlab_url {env.GITLAB_TEST_ADDRESS}: expected it to give an absolute https URL"
	if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("got %v", err)
	}
}
