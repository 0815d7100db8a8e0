package providers

import (
	"net/http"
	"testing"

	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testgithub"
)

// compatKind is newKind in a block that says `compat ogx`, or does not.
func compatKind[P Provider](t testing.TB, compat bool, kind, lines string) P {
	t.Helper()
	ctx := newContext(t, zap.NewNop())
	if compat {
		ctx = WithCompatOGX(ctx)
	}
	p, err := loadKind(t, ctx, kind, lines)
	if err != nil {
		t.Fatalf("provisioning: %v", err)
	}
	return p.(P)
}

// compatCase is what a provider makes of one caller, without `compat ogx` and
// with it.
type compatCase struct {
	name, options     string
	principal, wanted string // without
	principalOGX, ogx string // with
}

func (c *compatCase) check(t *testing.T, ask func(t *testing.T, compat bool) Answer) {
	t.Helper()
	for compat, want := range map[bool][2]string{false: {c.principal, c.wanted}, true: {c.principalOGX, c.ogx}} {
		yes := wantYes(t, ask(t, compat), want[0])
		if got := yes.User.Attributes.JSON(); got != want[1] {
			t.Errorf("compat %t: attributes are %s, want %s", compat, got, want[1])
		}
	}
}

// Row github-id of the contract's section 9, and identity-not-roles.
func TestCompatTakesGitHubsLoginForThePrincipal(t *testing.T) {
	for _, c := range []compatCase{
		{"by default", "", "github:1001", `{"teams":["Acme","oss"]}`, "alice", `{"roles":["alice"],"teams":["Acme","oss"]}`},
		{"with the id by name", "principal_claim principal", "github:1001", `{"teams":["Acme","oss"]}`, "github:1001", `{"roles":["alice"],"teams":["Acme","oss"]}`},
		{"with the login by name", "principal_claim login", "alice", `{"teams":["Acme","oss"]}`, "alice", `{"roles":["alice"],"teams":["Acme","oss"]}`},
		{"with a mapping", "claims_mapping {\nlogin names\n}", "github:1001", `{"names":["alice"]}`, "alice", `{"names":["alice"]}`},
		{"with a prefix", "principal_prefix gh:", "gh:github:1001", `{"teams":["Acme","oss"]}`, "gh:alice", `{"roles":["alice"],"teams":["Acme","oss"]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.check(t, func(t *testing.T, compat bool) Answer {
				s := testgithub.New(t)
				s.Issue("gho_alice", readOrg(newAlice()))
				return askKind(t, compatKind[*GitHubToken](t, compat, "github_token", "github_api_base_url "+s.URL+"\n"+c.options), "gho_alice")
			})
		})
	}
}

// Row system-groups, and identity-not-roles.
func TestCompatKeepsTheClustersOwnGroups(t *testing.T) {
	const groups = `"system:serviceaccounts","system:serviceaccounts:team-red","system:authenticated"`
	for _, c := range []compatCase{
		{"by default", "", robot, `{"namespaces":["team-red"]}`, robot, `{"roles":["` + robot + `",` + groups + `]}`},
		{
			"with a mapping", "claims_mapping {\ngroups teams\nusername names\n}",
			robot, `{"names":["` + robot + `"]}`, robot, `{"names":["` + robot + `"],"teams":[` + groups + `]}`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.check(t, func(t *testing.T, compat bool) Answer {
				k := compatKind[*Kubernetes](t, compat, "kubernetes", selfSubject+c.options)
				k.reaches(newCluster(whose(robotInfo)))
				return askKind(t, k, callers)
			})
		})
	}
	t.Run("whom the gate keeps out stays out", func(t *testing.T) {
		k := compatKind[*Kubernetes](t, true, "kubernetes", "api_server_url "+clusterURL+"\nservice_accounts team-blue/*\n")
		k.reaches(newCluster(whose(robotInfo)))
		wantNo(t, askKind(t, k, callers), "caller is none of service_accounts")
	})
}

// Row identity-not-roles, for the two ways of oauth2_token.
func TestCompatMapsTheSubjectIntoRoles(t *testing.T) {
	claims := map[string]any{"sub": "admin of sales", "username": "root", "groups": []any{"ml"}, "email": "x y"}
	for _, c := range []compatCase{
		{"by default", "", "admin of sales", `{"teams":["ml"]}`, "admin of sales", `{"roles":["admin","of","sales","root"],"teams":["ml"]}`},
		{
			"with a mapping", "claims_mapping {\nsub names\nemail mails\n}",
			"admin of sales", `{"mails":["x y"],"names":["admin of sales"]}`, "admin of sales", `{"mails":["x","y"],"names":["admin","of","sales"]}`,
		},
		{"with an empty one", "claims_mapping {\n}", "admin of sales", `{}`, "admin of sales", `{}`},
		{
			"with the preset", "claims_mapping ogx {\nscope scopes\n}",
			"admin of sales", `{"roles":["admin","of","sales","root"],"teams":["ml"]}`, "admin of sales", `{"roles":["admin","of","sales","root"],"teams":["ml"]}`,
		},
		{"the principal is the same", "principal_claim username", "root", `{"teams":["ml"]}`, "root", `{"roles":["admin","of","sales","root"],"teams":["ml"]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.check(t, func(t *testing.T, compat bool) Answer {
				issuer := newIssuer()
				o := compatKind[*OAuth2Token](t, compat, "oauth2_token", usual+c.options)
				o.client.Transport = tripper{issuer}
				return askKind(t, o, issuer.Token("", claims))
			})
		})
	}
}

// What is nobody's row is the same with compat.
func TestCompatChangesNothingOfOtherProviders(t *testing.T) {
	const key = "sk-compat-test-only-0000000000000000"
	custom := newJudgeServer(t, saying(http.StatusOK, `{"principal":"admin user","attributes":{"roles":["a b"],"sub":["x y"]}}`))
	for kind, c := range map[string]struct{ lines, token, principal, attributes string }{
		"custom":  {"endpoint " + custom.URL, "opaque", "admin user", `{"roles":["a b"],"sub":["x y"]}`},
		"api_key": {"key " + hashOf(t, key) + " admin {\nattribute roles \"a b\"\n}", key, "admin", `{"roles":["a b"]}`},
	} {
		for _, compat := range []bool{false, true} {
			yes := wantYes(t, askKind(t, compatKind[Provider](t, compat, kind, c.lines), c.token), c.principal)
			if got := yes.User.Attributes.JSON(); got != c.attributes {
				t.Errorf("%s, compat %t: attributes are %s", kind, compat, got)
			}
		}
	}
}
