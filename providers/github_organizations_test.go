package providers

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testgithub"
)

// inOrganizations returns a user who is a member of org-1 to org-n.
func inOrganizations(n int) *testgithub.User {
	u := &testgithub.User{ID: 1001, Login: "alice"}
	for i := range n {
		u.Organizations = append(u.Organizations, testgithub.Organization{ID: int64(i + 1), Login: fmt.Sprint("org-", i+1)})
	}
	return u
}

func listPath(page, status int) string {
	return fmt.Sprintf("GET /user/orgs?per_page=100&page=%d %d", page, status)
}

func TestTheGateLetsMembersInAndNobodyElse(t *testing.T) {
	for _, tc := range []struct {
		name, gate, no string
		token          testgithub.Token
	}{
		{"a member", "Acme", "", readOrg(newAlice())},
		{"a member of the second", "other oss", "", readOrg(newAlice())},
		{"on two lines", "other\norganizations oss", "", readOrg(newAlice())},
		{"GitHub does not tell cases apart", "aCmE", "", readOrg(newAlice())},
		{"no member", "other", "token shows none of the configured organizations", readOrg(newAlice())},
		{"a part of the name", "Acm", "token shows none of the configured organizations", readOrg(newAlice())},
		{"more than the name", "Acme-2", "token shows none of the configured organizations", readOrg(newAlice())},
		{"an id is no login", "7", "token shows none of the configured organizations", readOrg(newAlice())},
		{"the user's own login", "alice", "token shows none of the configured organizations", readOrg(newAlice())},
		{"member of nothing", "Acme", "token shows no organization (fine-grained ones never do)", readOrg(&testgithub.User{ID: 1, Login: "Acme"})},
		{
			"a token that shows nothing", "Acme", "token shows no organization (fine-grained ones never do)",
			testgithub.Token{User: newAlice(), FineGrained: true},
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			s, g := newGitHub(t, "organizations "+tc.gate)
			s.Issue("gho_alice", tc.token)
			if answer := askKind(t, g, "gho_alice"); tc.no == "" {
				wantYes(t, answer, "github:1001")
			} else {
				wantNo(t, answer, tc.no)
			}
		})
	}
}

// Folding is of ASCII letters alone: a Kelvin sign is no k, a long s no s.
func TestTheGateFoldsNothingButASCII(t *testing.T) {
	s, g := newGitHub(t, "organizations kiosks")
	for _, login := range []string{"\u212aiosks", "kio\u017fks", "ki\u00f6sks", "kiosks ", "kiosks\u200b"} {
		s.Issue("gho_x", readOrg(&testgithub.User{ID: 5, Login: "x", Organizations: []testgithub.Organization{{ID: 9, Login: login}}}))
		g.answers.noes.Purge()
		wantNo(t, askKind(t, g, "gho_x"), "token shows none of the configured organizations")
	}
}

func TestEveryPageOfOrganizationsIsRead(t *testing.T) {
	s, g := newGitHub(t, "organizations org-201")
	s.Issue("gho_alice", readOrg(inOrganizations(201)))
	yes := wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
	wantPaths(t, s, "GET /user 200", listPath(1, 200), listPath(2, 200), listPath(3, 200))
	if !strings.HasSuffix(yes.User.Attributes.JSON(), `"org-200","org-201"]}`) {
		t.Error("the third page is not in the attributes")
	}
	// A page that is just full is the last.
	s.Issue("gho_bob", readOrg(inOrganizations(200)))
	wantNo(t, askKind(t, g, "gho_bob"), "token shows none of the configured organizations")
	wantPaths(t, s, "GET /user 200", listPath(1, 200), listPath(2, 200))
}

// Upstream takes what it has so far. What is on the page that failed may be what
// a rule forbids, so nobody can tell, with a gate or without.
func TestAPageThatFailsLeavesTheOrganizationsUnknown(t *testing.T) {
	refused := func(status int, headers ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) {
			for i := 0; i < len(headers); i += 2 {
				w.Header().Set(headers[i], headers[i+1])
			}
			testgithub.Refuse(w, status, "sorry")
		}
	}
	list := func(body string, link ...string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			w.Header()["Link"] = link
			saying(200, body)(w, r)
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"401":                    refused(401),
		"403":                    refused(403),
		"404":                    refused(404),
		"429":                    refused(429),
		"500":                    refused(500),
		"503":                    refused(503),
		"the rate limit":         refused(403, "X-RateLimit-Remaining", "0"),
		"204":                    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) },
		"304":                    func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) },
		"an empty body":          list(``),
		"null":                   list(`null`),
		"an object":              list(`{"login":"org-201","id":1}`),
		"a list in an object":    list(`{"organizations":[]}`),
		"a list of lists":        list(`[[]]`),
		"a list of names":        list(`["org-201"]`),
		"a list of null":         list(`[null]`),
		"no login":               list(`[{"id":1}]`),
		"an empty login":         list(`[{"id":1,"login":""}]`),
		"a login that is none":   list(`[{"id":1,"login":7}]`),
		"no id":                  list(`[{"login":"org-201"}]`),
		"a bad one behind good":  list(`[{"id":1,"login":"org-201"},{"id":2}]`),
		"cut off":                list(`[{"id":1,"login":"org-201"}`),
		"a login twice":          list(`[{"id":1,"login":"org-201","login":"x"}]`),
		"more behind it":         list(`[{"id":1,"login":"org-201"}] []`),
		"an object that goes on": list(`[{"id":1,"login":"org-201"}],"x":[]`),
		"one that goes on alike": list(`[{"id":1,"login":"org-201"}],"":[]`),
		"one that closes early":  list(`[{"id":1,"login":"org-201"}]}`),
		"a Link without an end":  list(`[{"id":1,"login":"org-201"}]`, `<https://api.github.com/user/orgs?page=4`),
		"a Link of nonsense":     list(`[{"id":1,"login":"org-201"}]`, `next`),
		"a second Link like it":  list(`[{"id":1,"login":"org-201"}]`, `<x>; rel="first"`, `<x>; rel="ne`),
		"too large":              list(`[{"id":1,"login":"` + strings.Repeat("x", 1<<20) + `"}]`),
	} {
		for _, lines := range []string{"", "organizations org-1", "organizations org-201"} {
			t.Run(name+" "+lines, func(t *testing.T) {
				s, g := newGitHub(t, lines)
				s.Issue("gho_alice", readOrg(inOrganizations(201)))
				s.Intercept(func(w http.ResponseWriter, r *http.Request) {
					if r.URL.Query().Get("page") == "3" {
						answer(w, r)
					}
				})
				for range 2 { // it is not remembered
					got := askKind(t, g, "gho_alice")
					wantCannotTell(t, got)
					if text := describe(got); strings.Contains(text, "org-201") || strings.Contains(text, "sorry") {
						t.Errorf("what was received is in %q", text)
					}
				}
				s.Intercept(nil)
				wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
			})
		}
	}
}

func TestATokenWithoutTheScopeForOrganizationsIsNotTakenForOneWithoutThem(t *testing.T) {
	s, g := newGitHub(t, "")
	s.Issue("ghp_alice", testgithub.Token{User: newAlice(), Scopes: []string{"repo"}})
	answer := askKind(t, g, "ghp_alice")
	wantRetry(t, answer, 0, true)
	if text := describe(answer); !strings.Contains(text, "read:org") {
		t.Errorf("the log does not say what is missing: %s", text)
	}
}

func TestAListWithoutAnEndIsGivenUpAfterAHundredPages(t *testing.T) {
	for _, n := range []int{10_000, 10_001} {
		synctest.Test(t, func(t *testing.T) {
			s, g := newGitHubInMemory(t, "")
			s.Issue("gho_alice", readOrg(inOrganizations(n)))
			answer := askKind(t, g, "gho_alice")
			if n == 10_000 {
				wantYes(t, answer, "github:1001")
			} else {
				wantRetry(t, answer, 0, true)
			}
			if received := s.Requests(); len(received) != 101 {
				t.Errorf("%d requests were made, want 101", len(received))
			}
		})
	}
}

// The next page's address is not taken from the answer: it would be a way to
// have the token sent elsewhere.
func TestTheAddressOfTheNextPageIsNotTakenFromTheAnswer(t *testing.T) {
	canary := newJudgeServer(t, saying(200, `[{"id":1,"login":"Acme"}]`))
	s, g := newGitHub(t, "organizations Acme")
	s.Issue("gho_alice", readOrg(newAlice()))
	s.Intercept(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("page") == "1" {
			w.Header().Set("Link", `<`+canary.URL+`/user/orgs?page=2>; rel="next"`)
			saying(200, `[]`)(w, r)
		}
	})
	// The second page of the stand-in is empty, and the last.
	wantNo(t, askKind(t, g, "gho_alice"), "token shows no organization (fine-grained ones never do)")
	wantPaths(t, s, "GET /user 200", listPath(1, 200), listPath(2, 200))
	if canary.calls.Load() != 0 {
		t.Error("the token went to the address that the answer named")
	}
}

func TestWhetherAPageFollowsIsReadAsTheRFCHasIt(t *testing.T) {
	for _, tc := range []struct {
		links []string
		next  bool
		bad   bool
	}{
		{nil, false, false},
		{[]string{""}, false, false},
		{[]string{`<https://x/?page=2>; rel="next", <https://x/?page=9>; rel="last"`}, true, false},
		{[]string{`<https://x/?page=1>; rel="prev", <https://x/?page=3>; rel="next"`}, true, false},
		{[]string{`<https://x/?page=1>; rel="first"`}, false, false},
		{[]string{`<https://x/?page=1>; rel="first"`, `<https://x/?page=3>; rel="next"`}, true, false},
		{[]string{`<x>;rel=next`}, true, false},
		{[]string{`<x> ; REL = "NEXT"`}, true, false},
		{[]string{`<x>; rel="last next"`}, true, false},
		{[]string{`<x>; title="a, b; rel=\"next\""; rel="last"`}, false, false},
		{[]string{`<x>; rel="last"; rel="next"`}, false, false},
		{[]string{`<https://x/?a=b,c;rel="next">; rel="last"`}, false, false},
		{[]string{`<x>; rel="nextish"`}, false, false},
		{[]string{`<x>; rel="n\ext"`}, true, false},
		{[]string{`<x>; crossorigin; rel="next"`}, true, false},
		{[]string{`, ,<x>; rel=next,`}, true, false},
		{[]string{`<x>`}, false, false},
		{[]string{`x`}, false, true},
		{[]string{`>`}, false, true},
		{[]string{`<x`}, false, true},
		{[]string{`<x>; rel="next`}, false, true},
		{[]string{`<x>; rel=`}, false, true},
		{[]string{`<x>; =next`}, false, true},
		{[]string{`<x>;`}, false, true},
		{[]string{`<x> rel="next"`}, false, true},
		{[]string{`<x>; rel="next" <y>; rel="last"`}, false, true},
	} {
		next, err := hasNextPage(http.Header{"Link": tc.links})
		if (err != nil) != tc.bad || next != tc.next {
			t.Errorf("%q: %t, %v", tc.links, next, err)
		}
	}
}

// Who does without organizations needs neither the request nor the scope.
func TestOrganizationsAreAskedForOnlyWhereSomethingIsMadeOfThem(t *testing.T) {
	for lines, asked := range map[string]bool{
		"":                                  true, // the default mapping
		"claims_mapping ogx":                true,
		"claims_mapping {\n}":               false,
		"claims_mapping {\nlogin logins\n}": false,
		"claims_mapping {\norganizations teams\n}":                 true,
		"claims_mapping {\norganization_ids teams\n}":              true,
		"claims_mapping {\norganizations.x teams\n}":               true,
		"claims_mapping {\n}\norganizations Acme":                  true,
		"claims_mapping {\n}\ntenant_claim organizations":          true,
		"claims_mapping {\n}\ntenant_claim login":                  false,
		"claims_mapping {\n}\nprincipal_claim login":               false,
		"claims_mapping {\n}\nprincipal_claim login organizations": true,
	} {
		s, g := newGitHub(t, lines)
		// With the scope of nothing, every question for organizations fails.
		s.Issue("ghp_alice", testgithub.Token{User: newAlice()})
		answer := askKind(t, g, "ghp_alice")
		if _, good := answer.(*Yes); good == asked {
			t.Errorf("%q: %s", lines, describe(answer))
		}
		if got := len(s.Requests()) > 1; got != asked {
			t.Errorf("%q: asked for organizations is %t", lines, got)
		}
	}
}

func TestLeavingAnOrganizationCountsWhenTheAnswerIsAskedForAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g := newGitHubInMemory(t, "organizations Acme")
		alice := newAlice()
		s.Issue("gho_alice", readOrg(alice))
		wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
		s.Change(func() { alice.Organizations = slices.Clone(alice.Organizations[1:]) })
		time.Sleep(defaultCacheTTL)
		wantNo(t, askKind(t, g, "gho_alice"), "token shows none of the configured organizations")
	})
}

// Two gates in front of one GitHub, as after a reload: the answer of one is not
// the other's, although what GitHub said is known to both.
func TestTheGateOfAnotherProviderDoesNotCount(t *testing.T) {
	s, open := newGitHub(t, "")
	s.Issue("gho_alice", readOrg(newAlice()))
	wantYes(t, askKind(t, open, "gho_alice"), "github:1001")
	gated, err := loadKind(t, newContext(t, zap.NewNop()), "github_token", "organizations other\ngithub_api_base_url "+s.URL)
	if err != nil {
		t.Fatal(err)
	}
	wantNo(t, askKind(t, gated, "gho_alice"), "token shows none of the configured organizations")
}
