//go:build integration

package integration

import (
	"net/http"
	"strings"
	"testing"
)

// In this OGX whoever shares a role reads what the other owns, and all users
// of the realm share one: what keeps them apart is the tenant alone.
func TestTenantFromAClaimKeepsTenantsApart(t *testing.T) {
	g := startGateway(t, "tenants.Caddyfile", idp.issuer, ogxMulti.url)
	alice := idp.login(t, "stack-cli", "alice").Access // red
	dora := idp.login(t, "stack-cli", "dora").Access   // red
	bob := idp.login(t, "stack-cli", "bob").Access     // blue
	carol := idp.login(t, "stack-cli", "carol").Access // none
	id := g.upload(t, alice, "words of the red ones")
	file := "/v1/files/" + id

	for _, tc := range []struct {
		name, token string
		status      int
	}{
		{"alice of tenant red reads her file", alice, http.StatusOK},
		{"dora of tenant red reads it too", dora, http.StatusOK},
		{"bob of tenant blue does not", bob, http.StatusNotFound},
	} {
		t.Run(tc.name, func(t *testing.T) {
			wantStatus(t, g.do(t, request{path: file, token: tc.token}), tc.status)
			list := g.do(t, request{path: "/v1/files", token: tc.token})
			wantStatus(t, list, http.StatusOK)
			if got, want := strings.Contains(list.body, id), tc.status == http.StatusOK; got != want {
				t.Errorf("the file is in the list: %v, want %v", got, want)
			}
		})
	}
	for _, header := range []string{"X-Tenant-Id", "x-tenant-id", "X_Tenant_Id", "x.tenant.id"} {
		t.Run("bob stays in his tenant with a forged "+header, func(t *testing.T) {
			forged := map[string][]string{header: {"red"}}
			wantStatus(t, g.do(t, request{path: file, token: bob, header: forged}), http.StatusNotFound)
		})
	}
	t.Run("a caller without a tenant is refused by the gateway", func(t *testing.T) {
		wantRefusal(t, g.do(t, request{path: "/v1/models", token: carol}), http.StatusForbidden, "tenant_required", carol)
	})
	t.Run("a caller without a tenant does not get one from a header", func(t *testing.T) {
		forged := map[string][]string{"X-Tenant-Id": {"red"}}
		wantRefusal(t, g.do(t, request{path: file, token: carol, header: forged}), http.StatusForbidden, "tenant_required", carol)
	})
}
