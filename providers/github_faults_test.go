package providers

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testgithub"
)

// Case 134, and the stolen token: revoked, it is good for cache_ttl and no longer.
func TestARevokedTokenIsRefusedWhenItsTimeInTheCacheIsOver(t *testing.T) {
	for lines, ttl := range map[string]time.Duration{"": 30 * time.Second, "cache_ttl 5s": 5 * time.Second, "cache_ttl 0s": 0} {
		synctest.Test(t, func(t *testing.T) {
			s, g := newGitHubInMemory(t, lines)
			s.Issue("gho_alice", readOrg(newAlice()))
			wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
			s.Revoke("gho_alice")
			if ttl > 0 {
				time.Sleep(ttl - time.Nanosecond)
				wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
				time.Sleep(time.Nanosecond)
			}
			wantNo(t, askKind(t, g, "gho_alice"), "GitHub: status 401")
		})
	}
}

// GitHub says when a token ends. Nothing serves it beyond that, the patience
// with a GitHub that is down included.
func TestATokenEndsWhenGitHubSaysThatItDoes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g := newGitHubInMemory(t, "cache_ttl 1h\nstale_if_error 1h")
		token := readOrg(newAlice())
		token.Expires = time.Now().Add(time.Minute)
		s.Issue("gho_alice", token)
		wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
		s.Intercept(saying(500, ""))
		time.Sleep(time.Minute - time.Nanosecond)
		wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
		time.Sleep(time.Nanosecond)
		wantCannotTell(t, askKind(t, g, "gho_alice"))
		s.Intercept(nil)
		wantNo(t, askKind(t, g, "gho_alice"), "GitHub: status 401")
	})
}

func TestTheEndOfATokenIsReadInEveryFormThatGitHubHasForIt(t *testing.T) {
	end := time.Date(2027, 3, 1, 12, 30, 0, 0, time.UTC)
	for value, want := range map[string]time.Time{
		"2027-03-01 12:30:00 UTC":   end,
		"2027-03-01 12:30:00 +0000": end,
		"2027-03-01 14:30:00 +0200": end,
		"2027-03-01 04:30:00 PST":   {}, // Go would take it for UTC
		"":                          {},
		"never":                     {},
		"2027-13-01 12:30:00 UTC":   {},
	} {
		got := tokenExpiration(http.Header{"Github-Authentication-Token-Expiration": {value}})
		if !got.Equal(want) {
			t.Errorf("%q: %s, want %s", value, got, want)
		}
	}
}

// A redirect would show the token to whomever it names (case 106, 124), and what
// comes back from there would be somebody else's answer.
func TestRedirectsAreNotFollowed(t *testing.T) {
	canary := newJudgeServer(t, saying(200, `{"id":1,"login":"admin"}`))
	for _, status := range []int{301, 302, 303, 307, 308} {
		for _, path := range []string{"/user", "/user/orgs", "/applications/app/token"} {
			for _, same := range []bool{true, false} {
				s, g := newGitHub(t, "application {\nclient_id app\nclient_secret s3cret\n}")
				s.Apps["app"] = "s3cret"
				token := readOrg(newAlice())
				token.App = "app"
				s.Issue("gho_alice", token)
				target := canary.URL
				if same {
					target = s.URL
				}
				s.Intercept(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Path == path {
						http.Redirect(w, r, target+"/canary", status)
					}
				})
				wantCannotTell(t, askKind(t, g, "gho_alice"))
				for _, r := range s.Requests() {
					if r.Path == "/canary" {
						t.Errorf("%d of %s to the same host was followed", status, path)
					}
				}
			}
		}
	}
	if n := canary.calls.Load(); n != 0 {
		t.Errorf("%d redirects to another host were followed", n)
	}
}

// One judgement has one timeout, however many calls it makes.
func TestAllCallsOfAJudgementShareOneTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g := newGitHubInMemory(t, "timeout 5s")
		s.Issue("gho_alice", readOrg(newAlice()))
		s.Intercept(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/v3/user" {
				time.Sleep(3 * time.Second)
				return
			}
			<-r.Context().Done()
			w.WriteHeader(http.StatusGatewayTimeout)
		})
		started := time.Now()
		wantCannotTell(t, askKind(t, g, "gho_alice"))
		if took := time.Since(started); took != 5*time.Second {
			t.Errorf("it took %s, want 5s", took)
		}
		wantPaths(t, s, "GET /api/v3/user 200", "GET /api/v3/user/orgs?per_page=100&page=1 504")
	})
}

func TestAGitHubThatIsDownIsNotAskedByEverybody(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // on a busy machine a second may go by, and one may ask again
		_, g := newGitHubInMemory(t, "")
		asked := 0
		g.client.Transport = roundTripper(func(*http.Request) (*http.Response, error) {
			asked++
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: syscall.ECONNREFUSED}
		})
		for range breakerLimit {
			wantRetry(t, askKind(t, g, "gho_alice"), 0, false)
		}
		if text := describe(askKind(t, g, "gho_alice")); text != "cannot tell: "+errDown.Error() || asked != breakerLimit {
			t.Errorf("%s, asked %d times", text, asked)
		}
	})
}

// One caller who has used up a rate limit must not shut the others out.
func TestTheRateLimitOfOneCallerIsNotEverybodys(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g := newGitHubInMemory(t, "cache_ttl 0s")
		s.Issue("gho_alice", readOrg(newAlice()))
		s.Issue("gho_bob", readOrg(&testgithub.User{ID: 5, Login: "bob"}))
		s.Exhaust("gho_bob", time.Now().Add(10*time.Minute))
		for range 3 * breakerLimit {
			wantRetry(t, askKind(t, g, "gho_bob"), 10*time.Minute, true)
		}
		wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
		time.Sleep(10 * time.Minute)
		wantYes(t, askKind(t, g, "gho_bob"), "github:5")
	})
}

// Case 133: who floods with bad tokens finds out nothing, and fills nothing.
func TestBadTokensLeaveNothingBehind(t *testing.T) {
	s, g := newGitHub(t, "")
	for i := range 200 {
		wantNo(t, askKind(t, g, fmt.Sprint("ghp_", i)), "GitHub: status 401")
	}
	if n := g.pages.pages.Len(); n != 0 {
		t.Errorf("%d answers are kept", n)
	}
	if n := len(s.Requests()); n != 200 {
		t.Errorf("%d requests were made", n)
	}
}

// Case 132.
func TestManyRequestsWithOneGitHubTokenAreOneQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g := newGitHubInMemory(t, "")
		s.Issue("gho_alice", readOrg(newAlice()))
		s.Intercept(func(http.ResponseWriter, *http.Request) { time.Sleep(time.Second) })
		answers := make(chan Answer)
		for range 100 {
			go func() {
				answers <- g.Authenticate(httptest.NewRequest(http.MethodGet, "/", nil), Credential{Token: "gho_alice"})
			}()
		}
		for range 100 {
			wantYes(t, <-answers, "github:1001")
		}
		wantPaths(t, s, "GET /api/v3/user 200", "GET /api/v3/user/orgs?per_page=100&page=1 200")
	})
}
