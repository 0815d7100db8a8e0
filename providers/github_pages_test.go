package providers

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testgithub"
)

// A refresh after cache_ttl is asked, and counts nothing of the caller's 5000
// requests an hour.
func TestWhatHasNotChangedCostsNothingOfTheRateLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g := newGitHubInMemory(t, "organizations org-150")
		s.Issue("gho_alice", readOrg(inOrganizations(150)))
		wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
		wantPaths(t, s,
			"GET /api/v3/user 200", "GET /api/v3/user/orgs?per_page=100&page=1 200", "GET /api/v3/user/orgs?per_page=100&page=2 200")
		for range 50 {
			time.Sleep(defaultCacheTTL)
			yes := wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
			if !strings.HasSuffix(yes.User.Attributes.JSON(), `"org-149","org-150"]}`) {
				t.Fatal("organizations are missing")
			}
			wantPaths(t, s,
				"GET /api/v3/user 304", "GET /api/v3/user/orgs?per_page=100&page=1 304", "GET /api/v3/user/orgs?per_page=100&page=2 304")
		}
		if n := s.Spent("gho_alice"); n != 3 {
			t.Errorf("%d requests counted, want 3", n)
		}
	})
}

func TestWhatHasChangedIsReadAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g := newGitHubInMemory(t, "cache_ttl 0s")
		alice := newAlice()
		s.Issue("gho_alice", readOrg(alice))
		wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
		s.Change(func() {
			alice.Organizations = append(alice.Organizations, testgithub.Organization{ID: 9, Login: "third"})
		})
		s.Requests()
		for _, status := range []int{200, 304} {
			if got := wantYes(t, askKind(t, g, "gho_alice"), "github:1001").User.Attributes.JSON(); got != `{"teams":["Acme","oss","third"]}` {
				t.Errorf("attributes are %s", got)
			}
			wantPaths(t, s, "GET /api/v3/user 304", fmt.Sprintf("GET /api/v3/user/orgs?per_page=100&page=1 %d", status))
		}
	})
}

// "Nothing new" is only believed of what was asked, with the same token: what is
// known by one token is never said of another.
func TestNothingNewIsNothingKnown(t *testing.T) {
	s, g := newGitHub(t, "cache_ttl 0s")
	s.Issue("gho_alice", readOrg(newAlice()))
	wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
	s.Requests()
	s.Intercept(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	wantRetry(t, askKind(t, g, "gho_mallory"), 0, true)
	for _, r := range s.Requests() {
		if tag, sent := r.Header["If-None-Match"]; sent {
			t.Errorf("another token is shown with the tag %q", tag)
		}
	}
}

// Even of a GitHub that gives everybody the same tags.
func TestTheOrganizationsOfOneTokenNeverServeAnother(t *testing.T) {
	s, g := newGitHub(t, "organizations Acme\ncache_ttl 0s")
	users := map[string]string{
		"Bearer gho_alice": `[{"id":7,"login":"Acme"}]`, "Bearer gho_mallory": `[{"id":9,"login":"mallory-inc"}]`,
	}
	s.Intercept(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("ETag", `"same"`)
		switch {
		case r.Header.Get("If-None-Match") == `"same"`:
			w.WriteHeader(http.StatusNotModified)
		case r.URL.Path == "/user":
			saying(200, `{"id":1,"login":"x"}`)(w, r)
		default:
			saying(200, users[r.Header.Get("Authorization")])(w, r)
		}
	})
	for range 3 {
		wantYes(t, askKind(t, g, "gho_alice"), "github:1")
		g.answers.noes.Purge()
		wantNo(t, askKind(t, g, "gho_mallory"), "token shows none of the configured organizations")
	}
}

// A token that GitHub refuses is forgotten with all that it showed: issued again
// to nobody knows whom, it starts with nothing.
func TestARefusedTokenIsForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g := newGitHubInMemory(t, "")
		s.Issue("gho_alice", readOrg(inOrganizations(250)))
		s.Issue("gho_bob", readOrg(newAlice()))
		wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
		wantYes(t, askKind(t, g, "gho_bob"), "github:1001")
		if n := g.pages.pages.Len(); n != 6 {
			t.Fatalf("%d answers are kept, want 6", n)
		}
		s.Revoke("gho_alice")
		time.Sleep(defaultCacheTTL)
		wantNo(t, askKind(t, g, "gho_alice"), "GitHub: status 401")
		if n := g.pages.pages.Len(); n != 2 {
			t.Errorf("%d answers are kept, want the other token's 2", n)
		}
		time.Sleep(noTTL)
		s.Issue("gho_alice", readOrg(newAlice()))
		s.Requests()
		wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
		for _, r := range s.Requests() {
			if r.Header.Get("If-None-Match") != "" {
				t.Errorf("%s was asked with a tag of before", r.Path)
			}
		}
	})
}

// What another server said, or the same one reached in another way, is not what
// this one says: a transport that checks no certificates must not vouch for one
// that does.
func TestWhatIsKeptIsOfOneServerReachedInOneWay(t *testing.T) {
	s, g := newGitHub(t, "cache_ttl 0s")
	s.Issue("gho_alice", readOrg(newAlice()))
	wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
	s.Requests()
	for lines, status := range map[string]int{
		"github_api_base_url " + s.URL:                                                     304,
		"github_api_base_url " + s.URL + "/":                                               304,
		"github_api_base_url " + s.URL + "\nclaims_mapping {\norganizations x\n}":          304,
		"github_api_base_url " + strings.Replace(s.URL, "127.0.0.1", "localhost", 1):       200,
		"github_api_base_url " + s.URL + "\ntransport http {\ntls_insecure_skip_verify\n}": 200,
	} {
		other, err := loadKind(t, newContext(t, zap.NewNop()), "github_token", "cache_ttl 0s\n"+lines)
		if err != nil {
			t.Fatal(err)
		}
		wantYes(t, askKind(t, other, "gho_alice"), "github:1001")
		for _, r := range s.Requests() {
			if r.Status != status {
				t.Errorf("%q: status is %d, want %d", lines, r.Status, status)
			}
		}
	}
}

func TestOnlyTagsThatCanBeSentBackAreKept(t *testing.T) {
	for tag, want := range map[string]bool{
		`"a"`: true, `W/"a"`: true, `""`: true, `"` + strings.Repeat("x", maxTag-2) + `"`: true,
		``: false, `a`: false, `"`: false, `W/`: false, `W/"`: false, `w/"a"`: false, `"a" "b"`: false, `"a"b"`: false,
		`"a b"`: false, "\"a\x00\"": false, "\"a\xff\"": false, `"` + strings.Repeat("x", maxTag-1) + `"`: false,
	} {
		if got := tagOf(http.Header{"Etag": {tag}}); got != tag && want || got != "" && !want {
			t.Errorf("%q: kept is %q", tag, got)
		}
	}
}

// An answer without a tag replaces what was known: it must not come back.
func TestAnAnswerWithoutATagForgetsTheOneBeforeIt(t *testing.T) {
	s, g := newGitHub(t, "cache_ttl 0s\nclaims_mapping {\n}")
	s.Issue("gho_alice", readOrg(newAlice()))
	wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
	s.Intercept(saying(200, `{"id":5,"login":"bob"}`))
	wantYes(t, askKind(t, g, "gho_alice"), "github:5")
	s.Intercept(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotModified) })
	wantCannotTell(t, askKind(t, g, "gho_alice"))
}

// R9: a hundred thousand people with many organizations each.
func TestWhatIsKeptOfGitHubNeedsBoundedMemory(t *testing.T) {
	for name, organizations := range map[string]int{"users": 0, "few organizations": 5, "many": 100} {
		t.Run(name, func(t *testing.T) {
			pages, err := newGitHubPages()
			if err != nil {
				t.Fatal(err)
			}
			before := heap()
			for i := range 100_000 / (1 + organizations/5) {
				page := &githubPage{tag: fmt.Sprintf(`W/"%064d"`, i)}
				if organizations == 0 {
					page.user = &githubUser{id: fmt.Sprint(i), login: fmt.Sprint("user-", i), kind: "User"}
				}
				for o := range organizations {
					page.organizations = append(page.organizations, githubOrganization{fmt.Sprint(i * o), fmt.Sprint("organization-", i, "-", o)})
				}
				var key answerKey
				binary.BigEndian.PutUint64(key[:], uint64(i))
				pages.put(key, page)
			}
			if n := pages.pages.Len(); n < 400 || n > maxGitHubPages {
				t.Errorf("%d answers are kept", n)
			}
			if counted := pages.bytes.Load(); counted > maxGitHubPageBytes {
				t.Errorf("%d bytes are counted", counted)
			}
			// Twice: what is counted fills it nearly, and others need memory meanwhile.
			if grown := heap() - before; grown > 2*maxGitHubPageBytes {
				t.Errorf("the heap grew by %d KiB", grown>>10)
			}
			pages.pages.Purge()
			if left := pages.bytes.Load(); left != 0 {
				t.Errorf("an empty store counts %d bytes", left)
			}
		})
	}
}

func TestAnEnormousPageIsNotKept(t *testing.T) {
	pages, err := newGitHubPages()
	if err != nil {
		t.Fatal(err)
	}
	pages.put(answerKey{}, &githubPage{tag: `"a"`, user: &githubUser{id: "1", login: strings.Repeat("x", maxGitHubPageSize)}})
	if pages.pages.Len() != 0 || pages.bytes.Load() != 0 {
		t.Errorf("%d answers of %d bytes are kept", pages.pages.Len(), pages.bytes.Load())
	}
}

func TestParallelPagesAreCountedOnce(t *testing.T) {
	pages, err := newGitHubPages()
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i := range 2000 {
				key := answerKey{byte(i % 10)}
				if i%3 == 0 {
					pages.remove(key)
				}
				pages.put(key, &githubPage{tag: `"a"`, user: &githubUser{id: "1", login: fmt.Sprint(i)}})
			}
		})
	}
	wg.Wait()
	var kept int64
	for _, p := range pages.pages.Values() {
		kept += p.size()
	}
	if counted := pages.bytes.Load(); counted != kept || pages.pages.Len() != 10 {
		t.Errorf("%d bytes are counted and %d kept, in %d pages", counted, kept, pages.pages.Len())
	}
}

// Reloads keep it, and it ends with the last configuration that used it.
func TestWhatIsKeptEndsWithItsLastUser(t *testing.T) {
	_, a := newGitHub(t, "")
	_, b := newGitHub(t, "")
	if a.pages != b.pages {
		t.Fatal("two providers have two stores")
	}
	a.pages.put(answerKey{}, &githubPage{tag: `"a"`})
	if err := errors.Join(a.Cleanup(), a.Cleanup()); err != nil || b.pages.pages.Len() != 1 {
		t.Errorf("%d answers after the first user went twice, %v", b.pages.pages.Len(), err)
	}
	if err := b.Cleanup(); err != nil || b.pages.pages.Len() != 0 {
		t.Errorf("%d answers after the last user went, %v", b.pages.pages.Len(), err)
	}
	if err := new(GitHubToken).Cleanup(); err != nil {
		t.Errorf("one that was never set up: %v", err)
	}
}
