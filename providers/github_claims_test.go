package providers

import (
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testgithub"
)

func TestTheLargestIDIsReadInFull(t *testing.T) {
	s, g := newGitHub(t, "claims_mapping {\n}")
	s.Intercept(saying(200, `{"id":9223372036854775807,"login":"alice"}`))
	wantYes(t, askKind(t, g, "gho_alice"), "github:9223372036854775807")
}

// A login is only lent: alice gives hers up, and mallory registers it.
func TestAUserStaysTheSameWhateverTheLoginIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, g := newGitHubInMemory(t, "")
		alice, mallory := newAlice(), &testgithub.User{ID: 6666, Login: "mallory"}
		s.Issue("gho_alice", readOrg(alice))
		s.Issue("gho_mallory", readOrg(mallory))
		wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
		s.Change(func() { alice.Login = "alice-smith" })
		s.Change(func() { mallory.Login = "alice" })
		time.Sleep(defaultCacheTTL)
		wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
		wantYes(t, askKind(t, g, "gho_mallory"), "github:6666")
	})
}

func TestALoginIsThePrincipalOnlyWhereItIsAskedFor(t *testing.T) {
	for lines, want := range map[string]string{
		"principal_claim login":                             "alice",
		"principal_claim id":                                "1001",
		"principal_claim login\nprincipal_prefix gh:":       "gh:alice",
		"principal_prefix corp-":                            "corp-github:1001",
		"principal_claim absent principal":                  "principal:github:1001",
		"principal_claim principal\nprincipal_prefix ghes:": "ghes:github:1001",
	} {
		s, g := newGitHub(t, lines)
		s.Issue("gho_alice", readOrg(newAlice()))
		wantYes(t, askKind(t, g, "gho_alice"), want)
	}
}

// Case 92. Upstream maps the login to roles: whoever registers the login admin
// is an administrator there.
func TestAUserCalledAdminHasNoRoleAdmin(t *testing.T) {
	for lines, want := range map[string]string{
		"":                   `{}`,
		"claims_mapping ogx": `{"roles":["admin"]}`, // asked for, and warned of
	} {
		log, logged := observer.New(zap.WarnLevel)
		s := testgithub.New(t)
		p, err := loadKind(t, newContext(t, zap.New(log)), "github_token", "github_api_base_url "+s.URL+"\n"+lines)
		if err != nil {
			t.Fatal(err)
		}
		s.Issue("gho_x", readOrg(&testgithub.User{ID: 5, Login: "admin"}))
		if got := wantYes(t, askKind(t, p, "gho_x"), "github:5").User.Attributes.JSON(); got != want {
			t.Errorf("%q: attributes are %s, want %s", lines, got, want)
		}
		if warned := logged.Len() == 1; warned != (lines != "") {
			t.Errorf("%q: warned is %t", lines, warned)
		}
	}
}

// What people write into their profiles must not become what rules are about.
func TestWhatUsersWriteAboutThemselvesIsNoClaim(t *testing.T) {
	free := []string{"name", "company", "blog", "location", "bio", "email", "twitter_username", "hireable", "avatar_url", "notification_email"}
	lines := "claims_mapping {\ntype type\nid uid\nlogin logins\nsite_admin roles\norganization_ids orgs\n"
	alice := newAlice()
	alice.More = map[string]any{"site_admin": true, "principal": "github:1", "organizations": []string{"root"}, "organization_ids": []string{"1"}}
	for _, member := range free {
		lines += member + " roles\n"
		alice.More[member] = "admin"
	}
	s, g := newGitHub(t, lines+"}")
	s.Issue("gho_alice", readOrg(alice))
	yes := wantYes(t, askKind(t, g, "gho_alice"), "github:1001")
	if got := yes.User.Attributes.JSON(); got != `{"logins":["alice"],"orgs":["7","8"],"type":["User"],"uid":["1001"]}` {
		t.Errorf("attributes are %s", got)
	}
}

func TestTheTenantCanBeALogin(t *testing.T) {
	s, g := newGitHub(t, "tenant_claim login")
	s.Issue("gho_alice", readOrg(newAlice()))
	if got := wantYes(t, askKind(t, g, "gho_alice"), "github:1001").User.Tenant; got != "alice" || !g.YieldsTenant() {
		t.Errorf("tenant is %q", got)
	}
	s.Issue("gho_x", readOrg(&testgithub.User{ID: 5, Login: "a.b"}))
	if answer := askKind(t, g, "gho_x"); describe(answer)[:3] != "no:" {
		t.Errorf("a login that is no tenant: %s", describe(answer))
	}
}
