package providers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// Case 146, 148: who of those that the API server knows may come in.
func TestServiceAccountsSaysWhoComesIn(t *testing.T) {
	const app, everyone, all = "team-red/app team-blue/job.v2", "team-red/*", "any"
	for _, tc := range []struct {
		username string
		in       []string
	}{
		{"system:serviceaccount:team-red:app", []string{app, everyone, all}},
		{"system:serviceaccount:team-red:other", []string{everyone, all}},
		{"system:serviceaccount:team-red:app2", []string{everyone, all}},
		{"system:serviceaccount:team-blue:job.v2", []string{app, all}},
		{"system:serviceaccount:team-blue:jobxv2", []string{all}},
		{"system:serviceaccount:team-blue:app", []string{all}},
		{"system:serviceaccount:team-red-2:app", []string{all}},
		{"alice", []string{all}},
		{"team-red/app", []string{all}},
		{"any", []string{all}},
		// What only looks like a service account is somebody else's name.
		{"system:serviceaccount:team-red", []string{all}},
		{"system:serviceaccount:team-red:", []string{all}},
		{"system:serviceaccount::app", []string{all}},
		{"system:serviceaccount:team-red:app:", []string{all}},
		{"system:serviceaccount:team-red:app:x", []string{all}},
		{"system:serviceaccount:team-red/app:x", []string{all}},
		{"system:serviceaccount:team-red:*", []string{all}},
		{"system:serviceaccount:team-red:app\\n", []string{}},
		{"system:serviceaccount:Team-Red:app", []string{all}},
		{"System:ServiceAccount:team-red:app", []string{all}},
		{"oidc:system:serviceaccount:team-red:app", []string{all}},
		{"system:node:team-red:app", []string{all}},
	} {
		for _, list := range []string{app, everyone, all} {
			t.Run(tc.username+" of "+list, func(t *testing.T) {
				c := newCluster(whose(`{"username":"` + tc.username + `"}`))
				k := newKubernetes(t, c, "api_server_url "+clusterURL+"\nservice_accounts "+list)
				if slices.Contains(tc.in, list) {
					wantYes(t, askKind(t, k, callers), tc.username)
					return
				}
				if a, ok := askKind(t, k, callers).(*No); !ok {
					t.Errorf("answer is %s, want no", describe(a))
				}
			})
		}
	}
}

// The list counts for token reviews, too, where it may be left out.
func TestServiceAccountsNarrowsATokenReview(t *testing.T) {
	for lines, in := range map[string]bool{
		"": true, "service_accounts any": true, "service_accounts team-red/robot": true, "service_accounts team-red/*": true,
		"service_accounts team-blue/*": false, "service_accounts team-red/other": false,
	} {
		k := newKubernetes(t, newCluster(good(robotInfo)), tokenReview(t)+lines)
		if a := askKind(t, k, callers); in {
			wantYes(t, a, robot)
		} else {
			wantNo(t, a, "caller is none of service_accounts")
		}
	}
}

// Case 147: the cluster's own groups say nothing of what somebody may do with
// models, and everybody has some of them. A rule that names one by mistake
// must not open the door.
func TestTheClustersOwnGroupsAreNoRolesUnlessNamed(t *testing.T) {
	const groups = `["system:masters","system:Masters","devs","system:authenticated","System:masters","SYSTEM:MASTERS","system","systems:x"," system:y","system:"]`
	for _, tc := range []struct{ lines, roles string }{
		{"", "devs System:masters SYSTEM:MASTERS system systems:x  system:y"},
		{"system_groups system:masters", "system:masters devs System:masters SYSTEM:MASTERS system systems:x  system:y"},
		{"system_groups system:other system:authenticated", "devs system:authenticated System:masters SYSTEM:MASTERS system systems:x  system:y"},
		// The names are exact, in both directions.
		{"system_groups system:MASTERS system:master", "devs System:masters SYSTEM:MASTERS system systems:x  system:y"},
	} {
		c := newCluster(whose(`{"username":"` + robot + `","groups":` + groups + `}`))
		yes := wantYes(t, askKind(t, newKubernetes(t, c, selfSubject+tc.lines), callers), robot)
		if got := strings.Join(yes.User.Attributes.Values("roles"), " "); got != tc.roles {
			t.Errorf("%q: roles are %q, want %q", tc.lines, got, tc.roles)
		}
	}
}

// What a userInfo calls `namespace` is not where the account lives: whoever can
// write one (a webhook, an OIDC claim) must not choose somebody's tenant.
func TestTheNamespaceIsTheAccountsOwnAndNobodyElses(t *testing.T) {
	const lines = "api_server_url " + clusterURL + "\nservice_accounts any\ntenant_claim namespace\n"
	for _, tc := range []struct{ name, userInfo, tenant string }{
		{"a service account", `{"username":"` + robot + `"}`, "team-red"},
		{"a service account that names another", `{"username":"` + robot + `","namespace":"team-blue","claims":{"namespace":"team-blue"}}`, "team-red"},
		{"an extra", `{"username":"` + robot + `","extra":{"namespace":["team-blue"]}}`, "team-red"},
		{"a person", `{"username":"alice"}`, ""},
		{"a person who names one", `{"username":"alice","namespace":"team-blue"}`, ""},
		{"a name with a blank", `{"username":"system:serviceaccount:team-red team-blue:robot"}`, ""},
		{"a name with a part too many", `{"username":"system:serviceaccount:team-red:robot:x"}`, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			yes, ok := askKind(t, newKubernetes(t, newCluster(whose(tc.userInfo)), lines), callers).(*Yes)
			if !ok {
				t.Fatal("want yes")
			}
			namespaces := yes.User.Attributes.Values("namespaces")
			if yes.User.Tenant != tc.tenant || strings.Join(namespaces, ",") != tc.tenant {
				t.Errorf("tenant is %q, namespaces are %q; want %q", yes.User.Tenant, namespaces, tc.tenant)
			}
		})
	}
}

func TestTheClaimsOfAUserCanBeMapped(t *testing.T) {
	const person = `{"username":"alice admin","uid":"u-1","groups":["ml team","system:authenticated"],` +
		`"extra":{"example.com/project":["a b","c"],"scopes":["x"]}}`
	const lines = "api_server_url " + clusterURL + "\nservice_accounts any\n"
	for _, tc := range []struct{ lines, principal, attributes string }{
		{"", "alice admin", `{"roles":["ml team"]}`},
		{"principal_prefix k8s:", "k8s:alice admin", `{"roles":["ml team"]}`},
		{"principal_claim uid", "u-1", `{"roles":["ml team"]}`},
		{
			"claims_mapping {\n username owner\n uid ids\n groups teams\n extra.example\\.com/project projects\n extra.scopes scopes\n}", "alice admin",
			`{"ids":["u-1"],"owner":["alice admin"],"projects":["a b","c"],"scopes":["x"],"teams":["ml team"]}`,
		},
		{"claims_mapping {\n}", "alice admin", `{}`},
		// As OGX has it: a user called admin has the role.
		{"claims_mapping ogx", "alice admin", `{"roles":["alice","admin","ml team"]}`},
	} {
		yes := wantYes(t, askKind(t, newKubernetes(t, newCluster(whose(person)), lines+tc.lines), callers), tc.principal)
		var got, want map[string][]string
		if err := json.Unmarshal([]byte(yes.User.Attributes.JSON()), &got); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(tc.attributes), &want); err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("%s: attributes are %v, want %v", tc.lines, got, want)
		}
	}
	if newKubernetes(t, newCluster(nil), selfSubject).YieldsTenant() || !newKubernetes(t, newCluster(nil), selfSubject+"tenant_claim namespace").YieldsTenant() {
		t.Error("a tenant comes from tenant_claim")
	}
	wantNo(t, askKind(t, newKubernetes(t, newCluster(whose(`{"username":"alice"}`)), lines+"principal_claim uid"), "another-"+callers), errNoPrincipal.Error())
}
