package providers

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testgithub"
)

// newGitHub returns a stand-in on a real socket, and a provider that asks it.
func newGitHub(t testing.TB, lines string) (*testgithub.Server, *GitHubToken) {
	t.Helper()
	s := testgithub.New(t)
	return s, newKind[*GitHubToken](t, "github_token", "github_api_base_url "+s.URL+"\n"+lines)
}

// newGitHubInMemory is the same without a socket, for synctest bubbles.
func newGitHubInMemory(t testing.TB, lines string) (*testgithub.Server, *GitHubToken) {
	t.Helper()
	s := testgithub.NewUnstarted()
	s.Base = "/api/v3"
	g := newKind[*GitHubToken](t, "github_token", "github_api_base_url https://github.example/api/v3/\n"+lines)
	g.reaches(s)
	return s, g
}

func newAlice() *testgithub.User {
	return &testgithub.User{ID: 1001, Login: "alice", Organizations: []testgithub.Organization{{ID: 7, Login: "Acme"}, {ID: 8, Login: "oss"}}}
}

// readOrg is a usual token: one that may show its user's organizations.
func readOrg(u *testgithub.User) testgithub.Token {
	return testgithub.Token{User: u, Scopes: []string{"read:org"}}
}

func wantPaths(t testing.TB, s *testgithub.Server, want ...string) {
	t.Helper()
	if got := s.Paths(); !slices.Equal(got, want) {
		t.Errorf("GitHub received %q, want %q", got, want)
	}
}

func wantRetry(t testing.TB, a Answer, after time.Duration, answered bool) {
	t.Helper()
	wantCannotTell(t, a)
	if cannot := a.(*CannotTell); cannot.RetryAfter != after || cannot.Answered != answered {
		t.Errorf("retry after %s, answered %t; want %s, %t", cannot.RetryAfter, cannot.Answered, after, answered)
	}
}

func TestAGitHubTokenIsShownToGitHubAndItsUserIsTheCaller(t *testing.T) {
	s, g := newGitHub(t, "")
	s.Issue("gho_alice", readOrg(newAlice()))
	yes := wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
	if got := yes.User.Attributes.JSON(); got != `{"teams":["Acme","oss"]}` {
		t.Errorf("attributes are %s", got)
	}
	received := s.Requests()
	if len(received) != 2 || received[0].Path != "/user" || received[1].Path != "/user/orgs?per_page=100&page=1" {
		t.Fatalf("GitHub received %v", received)
	}
	for _, r := range received {
		for name, want := range map[string]string{
			"Authorization":        "Bearer gho_alice",
			"Accept":               "application/vnd.github+json",
			"X-Github-Api-Version": "2022-11-28",
			"User-Agent":           "caddy-stack-auth",
			"If-None-Match":        "",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s: %s is %q, want %q", r.Path, name, got, want)
			}
		}
	}
	wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
	wantPaths(t, s) // remembered
}

// What another service's token looks like must not be shown to GitHub.
func TestOnlyTokensThatBeginAsGitHubsDoAreShownToIt(t *testing.T) {
	for _, tc := range []struct {
		lines, mine, others string
	}{
		{"", "ghp_x gho_x ghu_x ghs_x ghr_x github_pat_x", "x ghx_x GHP_x xghp_x gh github_pa a.b.c"},
		{"tokens prefix corp_ gho_", "corp_x gho_x", "ghp_x github_pat_x x"},
		{"tokens opaque", "0123456789abcdef0123456789abcdef01234567 ghp_x", "a.b.c"},
	} {
		s, g := newGitHub(t, tc.lines)
		for token := range strings.FieldsSeq(tc.others) {
			wantNotMine(t, askKind(t, g, token))
		}
		wantNotMine(t, askKind(t, g, ""))
		wantPaths(t, s)
		for token := range strings.FieldsSeq(tc.mine) {
			wantNo(t, askKind(t, g, token), "GitHub: status 401")
			wantPaths(t, s, "GET /user 401")
		}
	}
}

func TestTheScopeIsThePrefixesOrWhatTokensSays(t *testing.T) {
	for lines, want := range map[string]Scope{
		"":                         {Opaque: true, Prefixes: githubPrefixes},
		"tokens opaque":            {Opaque: true},
		"tokens prefix gho_ corp_": {Opaque: true, Prefixes: []string{"gho_", "corp_"}},
	} {
		_, g := newGitHub(t, lines)
		got := g.Scope()
		if got.JWT != want.JWT || got.Opaque != want.Opaque || !slices.Equal(got.Prefixes, want.Prefixes) || got.Issuer != "" || got.Listed {
			t.Errorf("%q: scope is %+v, want %+v", lines, got, want)
		}
	}
}

// A provider for every opaque token behind GitHub's is asked for the others;
// in front of it, it would be shown GitHub's.
func TestAProviderForOpaqueTokensGoesBehindGitHubs(t *testing.T) {
	_, g := newGitHub(t, "principal_prefix gh-")
	other, err := loadKind(t, newContext(t, zap.NewNop()), "oauth2_token", `
		issuer https://idp.example
		audience x
		introspection {
			client_id x
			client_secret y
		}`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := NewChain([]Provider{g, other}, false); err != nil {
		t.Errorf("behind GitHub's: %v", err)
	}
	if _, err := NewChain([]Provider{other, g}, false); err == nil {
		t.Error("in front of GitHub's: no error")
	}
}

// Every answer to GET /user that is not a user. The texts go to the log: they
// have nothing of what was received.
func TestWhatGitHubSaysOfAToken(t *testing.T) {
	now := time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC) // of synctest
	in := func(d time.Duration) string { return strconv.FormatInt(now.Add(d).Unix(), 10) }
	limited := func(status int, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			testgithub.Refuse(w, status, "sorry")
		}
	}
	refused := func(status int, message string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { testgithub.Refuse(w, status, message) }
	}
	const used, reset = "X-RateLimit-Remaining", "X-RateLimit-Reset"
	for _, tc := range []struct {
		name     string
		answer   http.HandlerFunc
		no       string
		after    time.Duration
		answered bool
	}{
		{"a bad token", refused(401, "Bad credentials"), "GitHub: status 401", 0, false},
		{"the token of an installation", refused(403, "Resource not accessible by integration"), "GitHub: status 403", 0, false},
		{"a missing permission", refused(403, "Resource not accessible by personal access token"), "GitHub: status 403", 0, false},
		{"a suspended account", refused(403, "Sorry. Your account was suspended"), "GitHub: status 403", 0, false},
		{"an organization that wants single sign-on", limited(403, "X-GitHub-SSO", "required; url=https://github.com/x"), "GitHub: status 403", 0, false},
		{"403 with requests left", limited(403, used, "17", reset, in(time.Hour)), "GitHub: status 403", 0, false},
		{"403 without a body", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(403) }, "GitHub: status 403", 0, false},
		{"403 with a list", saying(403, `["rate limit"]`), "GitHub: status 403", 0, false},

		{"the hour's requests are used up", limited(403, used, "0", reset, in(90*time.Second)), "", 90 * time.Second, true},
		{"the same as 429", limited(429, used, "0", reset, in(90*time.Second)), "", 90 * time.Second, true},
		{"the reset is over", limited(403, used, "0", reset, in(-time.Hour)), "", time.Second, true},
		{"the reset is now", limited(403, used, "0", reset, in(0)), "", time.Second, true},
		{"the reset is far away", limited(403, used, "0", reset, "99999999999999"), "", time.Hour, true},
		{"the reset is beyond time", limited(403, used, "0", reset, "9223372036854775807"), "", time.Hour, true},
		{"no reset", limited(403, used, "0"), "", time.Second, true},
		{"a reset that is no number", limited(403, used, "0", reset, "soon"), "", time.Second, true},
		{"a secondary limit that says until when", limited(403, "Retry-After", "30"), "", 30 * time.Second, true},
		{"Retry-After goes before the reset", limited(403, "Retry-After", "30", used, "0", reset, in(time.Hour)), "", 30 * time.Second, true},
		{"Retry-After of now", limited(429, "Retry-After", "0"), "", time.Second, true},
		{"Retry-After of a year", limited(429, "Retry-After", "31536000"), "", time.Hour, true},
		{"Retry-After of nonsense", limited(403, "Retry-After", "-1"), "", time.Second, true},
		{"429 and nothing else", limited(429), "", time.Minute, true},
		{"a secondary limit", refused(403, "You have exceeded a secondary rate limit. Please wait"), "", time.Minute, true},
		{"its older words", refused(403, "You have triggered an abuse detection mechanism."), "", time.Minute, true},
		// Somebody's bad tokens must not make others drop their good ones.
		{"the lock after failed logins", refused(403, "Maximum number of login attempts exceeded. Please try again later."), "", time.Minute, true},

		{"an error", refused(500, "Server Error"), "", 0, true},
		{"a gateway in front", saying(502, "<html>"), "", 0, false},
		{"maintenance", limited(503, "Retry-After", "120"), "", 2 * time.Minute, false},
		{"another address", refused(404, "Not Found"), "", 0, true},
		{"an unknown version", refused(400, "not supported"), "", 0, true},
		{"nothing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "", 0, true},
		{"accepted", saying(202, `{"id":1,"login":"alice"}`), "", 0, true},
		{"nothing new, without having asked that", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, "", 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, g := newGitHubInMemory(t, "")
				s.Issue("gho_alice", readOrg(newAlice()))
				s.Intercept(tc.answer)
				answer := askKind(t, g, "gho_alice")
				if tc.no != "" {
					wantNo(t, answer, tc.no)
				} else {
					wantRetry(t, answer, tc.after, tc.answered)
				}
				if text := describe(answer); strings.Contains(text, "orry") || strings.Contains(text, "alice") {
					t.Errorf("what was sent or received is in %q", text)
				}
				if len(s.Requests()) != 1 {
					t.Error("GitHub was asked more than once")
				}
				// What nobody can tell is not remembered.
				s.Intercept(nil)
				if tc.no == "" {
					wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
				}
			})
		})
	}
}

func TestAUserThatCannotBeReadIsNobody(t *testing.T) {
	for _, body := range []string{
		``, `null`, `[]`, `"x"`, `{}`, `<html>`, `{"id":1,"login":"alice"}x`, `{"id":1,"login":"alice"`,
		`{"login":"alice"}`, `{"id":null,"login":"alice"}`, `{"id":"1","login":"alice"}`, `{"id":0,"login":"alice"}`,
		`{"id":-1,"login":"alice"}`, `{"id":1.0,"login":"alice"}`, `{"id":1e3,"login":"alice"}`, `{"id":1.5,"login":"alice"}`,
		`{"id":9223372036854775808,"login":"alice"}`, `{"id":true,"login":"alice"}`, `{"id":[1],"login":"alice"}`,
		`{"id":1}`, `{"id":1,"login":null}`, `{"id":1,"login":""}`, `{"id":1,"login":5}`, `{"id":1,"login":["alice"]}`,
		`{"ID":1,"login":"alice"}`, `{"id":1,"Login":"alice"}`,
		// Which of two would be believed is a matter of who reads it.
		`{"id":1,"id":2,"login":"alice"}`, `{"id":1,"login":"alice","login":"admin"}`, `{"id":1,"login":"alice","x":{"a":1,"a":2}}`,
		"{\"id\":1,\"login\":\"ali\xffce\"}", `{"id":1,"login":"\ud800"}`, "\ufeff" + `{"id":1,"login":"alice"}`,
		`{"id":1,"login":"alice","x":"` + strings.Repeat("x", 1<<20) + `"}`,
	} {
		s, g := newGitHub(t, "claims_mapping {\n}")
		s.Intercept(saying(200, body))
		answer := askKind(t, g, "gho_alice")
		wantCannotTell(t, answer)
		if text := describe(answer); strings.Contains(text, "alice") || strings.Contains(text, "admin") {
			t.Errorf("%.60s: what was received is in %q", body, text)
		}
	}
}

func TestASuspendedAccountIsRefused(t *testing.T) {
	s, g := newGitHub(t, "")
	alice := newAlice()
	alice.More = map[string]any{"suspended_at": "2026-01-01T00:00:00Z"}
	s.Issue("gho_alice", readOrg(alice))
	wantNo(t, askKind(t, g, "gho_alice"), "GitHub: the account is suspended")
}
