package providers

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testgithub"
)

func loadGitHub(t *testing.T, log *zap.Logger, config string) error {
	t.Helper()
	_, err := newContext(t, log).LoadModuleByID(Namespace+".github_token", json.RawMessage(config))
	return err
}

// A mistake in JSON, or in what a placeholder gives, is found when the
// configuration is loaded; the error has the placeholder and not the value.
func TestAWrongGitHubProviderDoesNotLoad(t *testing.T) {
	t.Setenv("SECRET", "hunter2 and more")
	t.Setenv("EMPTY", "")
	t.Setenv("HTTP", "http://ghe.example/hunter2")
	t.Setenv("QUERY", "https://ghe.example/hunter2?x")
	for config, want := range map[string]string{
		`{"github_api_base_url":"ghe.example"}`:                                             `github_api_base_url "ghe.example": expected an absolute https URL`,
		`{"github_api_base_url":"http://ghe.example"}`:                                      `github_api_base_url "http://ghe.example": expected https (plain http needs allow_http)`,
		`{"github_api_base_url":"https://ghe.example?x"}`:                                   `github_api_base_url "https://ghe.example?x": expected a URL without a query`,
		`{"github_api_base_url":"https://a:b@ghe.example"}`:                                 `github_api_base_url: expected a URL without credentials and fragment`,
		`{"github_api_base_url":"{http.request.host}"}`:                                     `github_api_base_url: {http.request.host}: expected {env.NAME} or {file./absolute/path}`,
		`{"github_api_base_url":"{env.EMPTY}"}`:                                             `github_api_base_url: {env.EMPTY} is empty, not set, or cannot be read`,
		`{"github_api_base_url":"{env.SECRET}"}`:                                            `github_api_base_url {env.SECRET}: expected it to give an absolute https URL`,
		`{"github_api_base_url":"{env.HTTP}"}`:                                              `github_api_base_url {env.HTTP}: expected it to give an absolute https URL`,
		`{"github_api_base_url":"{env.QUERY}"}`:                                             `github_api_base_url {env.QUERY}: expected it to give a URL without a query`,
		`{"organizations":[]}`:                                                              `organizations: expected at least one`,
		`{"organizations":["acme",""]}`:                                                     `organizations "": expected the login of an organization`,
		`{"organizations":["acme inc"]}`:                                                    `organizations "acme inc": expected the login of an organization`,
		`{"organizations":["{env.EMPTY}"]}`:                                                 `organizations: {env.EMPTY} is empty, not set, or cannot be read`,
		`{"organizations":["{env.SECRET}"]}`:                                                `organizations {env.SECRET}: expected it to give the login of one organization`,
		`{"application":{}}`:                                                                `application: client_id is required`,
		`{"application":{"client_id":"x"}}`:                                                 `application: client_secret is required`,
		`{"application":{"client_secret":"x"}}`:                                             `application: client_id is required`,
		`{"application":{"client_id":"..","client_secret":"x"}}`:                            `application: client_id "..": expected the client id of an OAuth or GitHub App`,
		`{"application":{"client_id":"a/b","client_secret":"x"}}`:                           `application: client_id "a/b": expected the client id of an OAuth or GitHub App`,
		`{"application":{"client_id":"a:b","client_secret":"x"}}`:                           `application: client_id "a:b": expected the client id of an OAuth or GitHub App`,
		`{"application":{"client_id":"{env.SECRET}","client_secret":"x"}}`:                  `application: client_id {env.SECRET}: expected it to give the client id of an OAuth or GitHub App`,
		`{"application":{"client_id":"{env.EMPTY}","client_secret":"x"}}`:                   `application: client_id: {env.EMPTY} is empty, not set, or cannot be read`,
		`{"application":{"client_id":"x","client_secret":"{env.EMPTY}"}}`:                   `application: client_secret: {env.EMPTY} is empty, not set, or cannot be read`,
		`{"application":{"client_id":"x","client_secret":"{http.request.header.X-Token}"}}`: `application: client_secret: {http.request.header.X-Token}: expected {env.NAME} or {file./absolute/path}`,
		`{"tokens":{"form":"jwt"}}`:                                                         `tokens jwt: GitHub's tokens are not JWTs`,
		`{"timeout":-1}`:                                                                    `timeout -1ns: expected more than zero`,
		`{"nonsense":1}`:                                                                    `unknown field "nonsense"`,
	} {
		err := loadGitHub(t, zap.NewNop(), config)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", config, err)
		}
		if err != nil && strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: the error has the secret: %v", config, err)
		}
	}
}

func TestPlaceholdersAreExpandedWhereNobodySeesThem(t *testing.T) {
	s := testgithub.New(t)
	s.Base = "/api/v3"
	withApp(s)
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("s3cret:/+%&="), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GHE_URL", s.URL)
	t.Setenv("GHE_ORG", "aCME")
	t.Setenv("GHE_APP", "Iv1.app")
	g := newKind[*GitHubToken](t, "github_token", `
		github_api_base_url {env.GHE_URL}/api/v3/
		organizations {env.GHE_ORG}
		application {
			client_id {env.GHE_APP}
			client_secret {file.`+secret+`}
		}`)
	s.Issue("gho_alice", appToken("Iv1.app"))
	wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
	wantPaths(t, s,
		"GET /api/v3/user 200", "GET /api/v3/user/orgs?per_page=100&page=1 200", "POST /api/v3/applications/Iv1.app/token 200")
	exported, err := json.Marshal(g)
	if err != nil {
		t.Fatal(err)
	}
	for _, value := range []string{s.URL, "s3cret", "aCME", "Iv1.app"} {
		if strings.Contains(string(exported), value) {
			t.Errorf("the configuration shows %s: %s", value, exported)
		}
	}
}

// The default is GitHub itself, where everybody can have an account.
func TestAGateThatIsMissingIsWarnedOfWhereEverybodyHasAnAccount(t *testing.T) {
	for config, warns := range map[string]bool{
		`{}`: true,
		`{"github_api_base_url":"https://api.github.com/"}`: true,
		`{"organizations":["acme"]}`:                        false,
		`{"github_api_base_url":"https://ghe.example/api"}`: false,
	} {
		log, logged := observer.New(zap.WarnLevel)
		if err := loadGitHub(t, zap.New(log), config); err != nil {
			t.Fatal(err)
		}
		if got := logged.Len() > 0; got != warns {
			t.Errorf("%s: warned is %t", config, got)
		}
	}
}

// Loading asks nobody: a GitHub that is down does not keep Caddy from starting.
func TestLoadingAsksGitHubNothing(t *testing.T) {
	s, g := newGitHub(t, ofApp+"organizations acme")
	if g == nil || len(s.Requests()) != 0 {
		t.Error("GitHub was asked")
	}
}

// What shapes an answer keeps the answers apart: other answers would be
// somebody else's decision.
func TestAnswersOfOneGitHubProviderAreNotThoseOfAnother(t *testing.T) {
	shapes := map[shapeKey]string{}
	t.Setenv("ORG", "acme")
	for _, lines := range []string{
		"", "organizations acme", "organizations other", "organizations acme other", "claims_mapping {\n}", "principal_claim login",
		ofApp, strings.Replace(ofApp, "Iv1.app", "Iv1.other", 1), strings.Replace(ofApp, "s3cret", "other", 1),
		"github_api_base_url https://ghe.example/api/v3",
		"transport http {\ntls_insecure_skip_verify\n}",
	} {
		g := newKind[*GitHubToken](t, "github_token", lines)
		if other, taken := shapes[g.shape]; taken {
			t.Errorf("%q and %q share answers", lines, other)
		}
		shapes[g.shape] = lines
	}
	// What says the same in other words may share.
	if g := newKind[*GitHubToken](t, "github_token", "organizations {env.ORG}"); shapes[g.shape] != "organizations acme" {
		t.Errorf("the same gate from a placeholder has another shape")
	}
}
