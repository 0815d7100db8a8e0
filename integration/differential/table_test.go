//go:build integration

package differential

import (
	"os"
	"slices"
	"strings"
	"testing"
)

// The table of differences, and what shows each: the comparisons of routes,
// resources and claims, in which every row of theirs has to occur, or a test
// about what OGX's three functions are not asked. Claims are compared in the
// package providers.
func TestEveryRowOfTheTableIsShown(t *testing.T) {
	const (
		claims = "../../providers/claims_upstream_test.go"
		compat = "../../compat_test.go"
		kinds  = "../../providers/compat_test.go"
	)
	for _, row := range []struct {
		name   string
		compat bool
		kinds  string
		file   string
		test   string
	}{
		{name: "ambiguous-path", kinds: "routes"},
		{name: "forbid-any-case", kinds: "routes"},
		{name: "permit-whole-path", compat: true, kinds: "routes resources"},
		{name: "bad-expression", kinds: "routes resources"},
		{name: "id-prefix", compat: true, kinds: "resources"},
		{name: "unless-any", compat: true, kinds: "resources"}, // routes: so in OGX, too
		{name: "owner-match", compat: true, kinds: "resources"},
		{name: "tenantless", compat: true, kinds: "resources"},
		{name: "unowned", compat: true, kinds: "resources"},
		{name: "anonymous", kinds: "routes resources"},
		{name: "expressions", kinds: "routes resources"},
		{name: "route-owner-condition", kinds: "routes"},
		{name: "identity-not-roles", compat: true, file: claims, test: `Name: "identity-not-roles", Compat: true}`},
		{name: "list-values", file: claims, test: `Name: "list-values"}`},
		{name: "aliased-values", file: claims, test: `Name: "aliased-values"}`},
		{name: "public-paths", file: compat, test: `{"public-paths", `},
		{name: "empty-principal", file: compat, test: `t.Run("empty-principal", `},
		{name: "system-groups", compat: true, file: kinds, test: "func TestCompatKeepsTheClustersOwnGroups("},
		{name: "github-id", compat: true, file: kinds, test: "func TestCompatTakesGitHubsLoginForThePrincipal("},
		// deny-is-final is of requests that name a model: nothing decides about
		// those yet.
	} {
		for kind, rows := range map[string][]Row{"routes": routeRows, "resources": resourceRows} {
			i := slices.IndexFunc(rows, func(r Row) bool { return r.Name == row.name })
			switch compared := strings.Contains(row.kinds, kind); {
			case compared != (i >= 0):
				t.Errorf("%s: compared for %s: %t, want %t", row.name, kind, i >= 0, compared)
			case compared && rows[i].Compat != row.compat:
				t.Errorf("%s: compat ogx switches it: %t, want %t", row.name, rows[i].Compat, row.compat)
			}
		}
		if row.file == "" {
			continue
		}
		source, err := os.ReadFile(row.file)
		if err != nil {
			t.Error(err)
		} else if !strings.Contains(string(source), row.test) {
			t.Errorf("%s: %s has no %s", row.name, row.file, row.test)
		}
	}
}
