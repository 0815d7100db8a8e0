package providers

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testgithub"
)

const ofApp = "application {\nclient_id Iv1.app\nclient_secret s3cret:/+%&=\n}\n"

// withApp registers the app of ofApp.
func withApp(s *testgithub.Server) { s.Apps["Iv1.app"] = "s3cret:/+%&=" }

func appToken(app string) testgithub.Token {
	token := readOrg(newAlice())
	token.App = app
	return token
}

func TestATokenOfTheConfiguredAppIsGood(t *testing.T) {
	s, g := newGitHub(t, ofApp)
	withApp(s)
	s.Issue("gho_alice", appToken("Iv1.app"))
	wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
	received := s.Requests()
	if len(received) != 3 || received[2].Method != http.MethodPost || received[2].Path != "/applications/Iv1.app/token" {
		t.Fatalf("GitHub received %v", received)
	}
	check := received[2]
	if check.Body != `{"access_token":"gho_alice"}` || check.Header.Get("Content-Type") != "application/json" {
		t.Errorf("%s with %s", check.Body, check.Header.Get("Content-Type"))
	}
	if strings.Contains(check.Header.Get("Authorization"), "gho_alice") {
		t.Error("the caller's token is the credential")
	}
	for _, r := range received[:2] {
		if r.Header.Get("Authorization") != "Bearer gho_alice" {
			t.Errorf("%s: Authorization is %q", r.Path, r.Header.Get("Authorization"))
		}
	}
}

// Case 152, the confused deputy: alice signs in to mallory's app, and mallory
// uses the token that the app got.
func TestATokenThatAliceGaveToAnotherAppDoesNotLetItCallAsAlice(t *testing.T) {
	s, g := newGitHub(t, ofApp)
	withApp(s)
	s.Apps["Iv1.mallory"] = "x"
	s.Issue("gho_alice", appToken("Iv1.mallory"))
	wantNo(t, askKind(t, g, "gho_alice"), "GitHub: not a token of the configured application: status 404")
	// A personal token was issued to no app at all.
	s.Issue("ghp_alice", readOrg(newAlice()))
	wantNo(t, askKind(t, g, "ghp_alice"), "GitHub: not a token of the configured application: status 404")
	wantPaths(t, s,
		"GET /user 200", "GET /user/orgs?per_page=100&page=1 200", "POST /applications/Iv1.app/token 404",
		"GET /user 200", "GET /user/orgs?per_page=100&page=1 200", "POST /applications/Iv1.app/token 404")
	// Nobody who asks without the app vouches for one who asks with it.
	open := newKind[*GitHubToken](t, "github_token", "github_api_base_url "+s.URL)
	wantYes(t, askKind(t, open, "gho_alice"), "github:1001")
	g.answers.noes.Purge()
	wantNo(t, askKind(t, g, "gho_alice"), "GitHub: not a token of the configured application: status 404")
}

func TestWhatGitHubSaysOfAnApp(t *testing.T) {
	headed := func(status int, name, value string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set(name, value)
			testgithub.Refuse(w, status, "sorry")
		}
	}
	refused := func(status int) http.HandlerFunc { return headed(status, "X-Nothing", "x") }
	for _, tc := range []struct {
		name     string
		answer   http.HandlerFunc
		no       string
		after    time.Duration
		answered bool
	}{
		{"not of the app", refused(404), "GitHub: not a token of the configured application: status 404", 0, false},
		{"no token at all", refused(422), "GitHub: not a token of the configured application: status 422", 0, false},
		{"of another app", saying(200, `{"app":{"client_id":"Iv1.other"}}`), "GitHub: token was issued to another application", 0, false},
		{"of one that differs in case", saying(200, `{"app":{"client_id":"IV1.APP"}}`), "GitHub: token was issued to another application", 0, false},
		{"our secret is wrong", refused(401), "", 0, true},
		{"our app is blocked", refused(403), "", 0, true},
		// That is the app's limit, and so everybody's who needs it.
		{"our limit is used up", headed(403, "X-Ratelimit-Remaining", "0"), "", time.Second, false},
		{"our limit as 429", headed(429, "Retry-After", "30"), "", 30 * time.Second, false},
		{"an error", refused(500), "", 0, true},
		{"nothing", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, "", 0, true},
		{"nothing new", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, "", 0, true},
		{"no JSON", saying(200, `<html>`), "", 0, true},
		{"a list", saying(200, `[]`), "", 0, true},
		{"no app", saying(200, `{}`), "", 0, true},
		{"an app of null", saying(200, `{"app":null}`), "", 0, true},
		{"an app that is text", saying(200, `{"app":"Iv1.app"}`), "", 0, true},
		{"no client id", saying(200, `{"app":{"name":"Iv1.app"}}`), "", 0, true},
		{"an empty client id", saying(200, `{"app":{"client_id":""}}`), "", 0, true},
		{"a client id in a list", saying(200, `{"app":{"client_id":["Iv1.app"]}}`), "", 0, true},
		{"two client ids", saying(200, `{"app":{"client_id":"Iv1.other","client_id":"Iv1.app"}}`), "", 0, true},
		{"a client id at the top", saying(200, `{"client_id":"Iv1.app"}`), "", 0, true},
		{"an end that is no time", saying(200, `{"app":{"client_id":"Iv1.app"},"expires_at":"soon"}`), "", 0, true},
		{"an end that is a number", saying(200, `{"app":{"client_id":"Iv1.app"},"expires_at":4102444800}`), "", 0, true},
	} {
		t.Run(tc.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s, g := newGitHubInMemory(t, ofApp)
				s.Issue("gho_alice", appToken("Iv1.app"))
				s.Intercept(func(w http.ResponseWriter, r *http.Request) {
					if r.Method == http.MethodPost {
						tc.answer(w, r)
					}
				})
				answer := askKind(t, g, "gho_alice")
				if tc.no != "" {
					wantNo(t, answer, tc.no)
				} else {
					wantRetry(t, answer, tc.after, tc.answered)
				}
				if text := describe(answer); strings.Contains(text, "orry") || strings.Contains(text, "s3cret") {
					t.Errorf("what was sent or received is in %q", text)
				}
				if n := len(s.Requests()); n != 3 {
					t.Errorf("%d requests were made", n)
				}
			})
		})
	}
}

// An app that has used up its limit is nothing to those who do without one.
func TestTheAppsRateLimitShutsNobodyOutWhoNeedsNoApp(t *testing.T) {
	s, g := newGitHub(t, ofApp+"cache_ttl 0s")
	open := newKind[*GitHubToken](t, "github_token", "github_api_base_url "+s.URL)
	s.Issue("gho_alice", appToken("Iv1.app"))
	s.Intercept(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			testgithub.Refuse(w, http.StatusTooManyRequests, "sorry")
		}
	})
	for range breakerLimit {
		wantRetry(t, askKind(t, g, "gho_alice"), time.Minute, false)
	}
	s.Requests()
	wantCannotTell(t, askKind(t, g, "gho_alice"))
	wantPaths(t, s) // GitHub is left alone
	wantYes(t, askKind(t, open, "gho_alice"), "github:1001")
}

func TestAnAppsTokenEndsWhenItsGrantSays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g := newGitHubInMemory(t, ofApp+"cache_ttl 1h")
		withApp(s)
		token := appToken("Iv1.app")
		token.Expires = time.Now().Add(10 * time.Minute)
		s.Issue("ghu_alice", token)
		if yes := wantYes(t, askKind(t, g, "ghu_alice"), "github:1001"); !yes.Expires.Equal(token.Expires) {
			t.Errorf("expires at %s, want %s", yes.Expires, token.Expires)
		}
		time.Sleep(10 * time.Minute)
		wantNo(t, askKind(t, g, "ghu_alice"), "GitHub: status 401")
	})
}

// GitHub may go on saying yes to a token whose time it says is over.
func TestAnAppsTokenWhoseTimeIsOverHasExpired(t *testing.T) {
	s, g := newGitHub(t, ofApp)
	s.Issue("ghu_alice", appToken("Iv1.app"))
	s.Intercept(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			saying(200, `{"app":{"client_id":"Iv1.app"},"expires_at":"2020-01-01T00:00:00Z"}`)(w, r)
		}
	})
	wantNo(t, askKind(t, g, "ghu_alice"), reasonExpired)
}

func TestTheEarlierOfTwoEndsCounts(t *testing.T) {
	first, second := time.Unix(1, 0), time.Unix(2, 0)
	for _, tc := range [][3]time.Time{
		{first, second, first}, {second, first, first}, {{}, first, first}, {first, {}, first}, {{}, {}, {}},
	} {
		if got := earlier(tc[0], tc[1]); !got.Equal(tc[2]) {
			t.Errorf("of %s and %s: %s", tc[0], tc[1], got)
		}
	}
}

// The refresh of an app's token asks about the app each time: GitHub has no
// entity tag there. What is the user's own costs nothing.
func TestTheRefreshOfAnAppsTokenCostsTheAppOneRequest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g := newGitHubInMemory(t, ofApp)
		withApp(s)
		s.Issue("gho_alice", appToken("Iv1.app"))
		for range 3 {
			wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
			time.Sleep(defaultCacheTTL)
		}
		if n := s.Spent("gho_alice"); n != 2 {
			t.Errorf("the user paid %d requests, want 2", n)
		}
		posts := slices.DeleteFunc(s.Requests(), func(r testgithub.Request) bool { return r.Method != http.MethodPost })
		if len(posts) != 3 {
			t.Errorf("the app paid %d requests, want 3", len(posts))
		}
	})
}

// The app's rate limit is one for all callers. Made-up tokens do not use it up.
func TestMadeUpTokensCostTheAppNothing(t *testing.T) {
	s, g := newGitHub(t, ofApp)
	withApp(s)
	s.Issue("gho_alice", appToken("Iv1.app"))
	for i := range 20 {
		wantNo(t, askKind(t, g, fmt.Sprint("gho_made_up_", i)), "GitHub: status 401")
	}
	for _, r := range s.Requests() {
		if r.Method == http.MethodPost {
			t.Fatal("the app was asked about a made-up token")
		}
	}
	wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
}
