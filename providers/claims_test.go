package providers

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.uber.org/zap"

	"github.com/caddy-stack-auth/caddy-stack-auth/abac"
	"github.com/caddy-stack-auth/caddy-stack-auth/providers/internal/strictjson"
)

func claimsOf(t testing.TB, text string) map[string]any {
	t.Helper()
	claims, err := strictjson.Object([]byte(text))
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return claims
}

// Case 94, and the contract: nested first, then the path as it is written.
func TestClaimPaths(t *testing.T) {
	const claims = `{
		"a": "top", "b": {"c": "nested", "d": {"e": ["deep"]}, "n": null, "": "empty"}, "b.c": "literal",
		"x.y": "literal only", "b.n": "literal behind null", "null": null,
		"https://example.com/roles": ["url"], "with.dot": {"in.it": "escaped"}, "back\\slash": "kept",
		"p\\.q": "written", "list": [{"c": 1}], "": {"": "twice empty"}
	}`
	for path, want := range map[string]string{
		"a":                         `"top"`,
		"b.c":                       `"nested"`, // OGX does so too (auth_providers.py:100-112)
		`b\.c`:                      `"literal"`,
		"b.d.e":                     `["deep"]`,
		"b.n":                       `"literal behind null"`, // JSON null is nothing
		"x.y":                       `"literal only"`,
		"https://example.com/roles": `["url"]`,
		`with\.dot.in\.it`:          `"escaped"`,
		`back\slash`:                `"kept"`,
		`p\.q`:                      `"written"`, // found by neither way but as written
		"null":                      `null`,
		"missing":                   `null`,
		"a.b":                       `null`, // a string has no members
		"list.c":                    `null`, // nor has a list
		"A":                         `null`,
		"b.":                        `"empty"`,
		".":                         `"twice empty"`,
		"a.":                        `null`,
	} {
		p, err := parseClaimPath(path)
		if err != nil {
			t.Errorf("%q: %v", path, err)
			continue
		}
		got, err := json.Marshal(p.find(claimsOf(t, claims)))
		if err != nil || string(got) != want {
			t.Errorf("%q: %s, %v; want %s", path, got, err, want)
		}
	}
	if _, err := parseClaimPath(""); err == nil || err.Error() != "claim path is empty" {
		t.Errorf("an empty path: %v", err)
	}
}

// Cases 91 and 92.
func TestValuesOfAClaim(t *testing.T) {
	for _, tc := range []struct {
		claim, value string
		want         []string
	}{
		{"scope", `"read write"`, []string{"read", "write"}}, // as OAuth writes it
		{"roles", `"x admin"`, []string{"x", "admin"}},
		// Python's split knows these, Go's Fields does not; a forbid may be about b.
		{"roles", `"a\u001cb\u001fc\u0085d\u00a0e\u3000f"`, []string{"a", "b", "c", "d", "e", "f"}},
		{"roles", `" a\t b\n"`, []string{"a", "b"}},
		{"roles", `""`, nil},
		{"roles", `"  "`, nil},
		{"roles", `["x admin","y"]`, []string{"x admin", "y"}}, // in a list one value
		{"roles", `["a",1,null,["b"],{"c":"d"},"e"]`, []string{"a", "e"}},
		{"roles", `[]`, nil},
		{"roles", `5`, nil},
		{"roles", `true`, nil},
		{"roles", `null`, nil},
		{"roles", `{"admin":true}`, nil},
		// They name somebody: "x admin" must not become a value admin.
		{"sub", `"x admin"`, []string{"x admin"}},
		{"username", `"x admin"`, []string{"x admin"}},
		{"preferred_username", `"x admin"`, []string{"x admin"}},
		{"login", `"x admin"`, []string{"x admin"}},
		{"email", `"x admin"`, []string{"x admin"}},
		{"sub", `""`, nil},
		{"sub", `["a b"]`, []string{"a b"}},
		// Only these, and only at the top.
		{"name", `"x admin"`, []string{"x", "admin"}},
		{"Sub", `"x admin"`, []string{"x", "admin"}},
	} {
		sources, err := compileMapping([]ClaimMapping{{tc.claim, "roles"}}, false)
		if err != nil {
			t.Fatal(err)
		}
		claims := claimsOf(t, fmt.Sprintf(`{%q:%s}`, tc.claim, tc.value))
		if got := sources[0].values(claims); len(got) != len(tc.want) || !slices.Equal(got, tc.want) && len(got) > 0 {
			t.Errorf("%s %s: %q, want %q", tc.claim, tc.value, got, tc.want)
		}
	}
	nested, err := compileMapping([]ClaimMapping{{"user.email", "roles"}}, false)
	if err != nil {
		t.Fatal(err)
	}
	if got := nested[0].values(claimsOf(t, `{"user":{"email":"a b"}}`)); len(got) != 2 {
		t.Errorf("a nested email is %q", got)
	}
	if _, err := compileMapping([]ClaimMapping{{"", "roles"}}, false); err == nil {
		t.Error("an empty claim compiles")
	}
}

// set returns a Common that is set up as oauth2_token does it.
func set(t testing.TB, c Common) *Common {
	t.Helper()
	err := c.SetUp(newContext(t, zap.NewNop()), Defaults{Type: "test", Mapping: DefaultMapping(), OGX: ogxMapping(), PrincipalClaim: []string{"sub"}})
	if err != nil {
		t.Fatal(err)
	}
	return &c
}

func identify(t testing.TB, c Common, claims string) *abac.User {
	t.Helper()
	user, err := set(t, c).Identify(claimsOf(t, claims))
	if err != nil {
		t.Fatalf("%s: %v", claims, err)
	}
	return user
}

const fullClaims = `{
	"sub": "admin user", "username": "root user", "login": "l", "roles": ["reader"], "groups": ["g1","g2"], "team": "t1 g1",
	"project": "p", "tenant": "n1", "namespace": ["n2"], "scope": "s", "realm_access": {"roles": ["kc"]}
}`

func TestMappingsOfClaimsToAttributes(t *testing.T) {
	for name, tc := range map[string]struct {
		c    Common
		want string
	}{
		// Case 92: identity is in no default, so a user called admin is none.
		"default": {Common{}, `{"namespaces":["n1","n2"],"projects":["p"],"roles":["reader"],"teams":["g1","g2","t1"]}`},
		"ogx": {
			Common{ClaimsPreset: "ogx"},
			`{"namespaces":["n1","n2"],"projects":["p"],"roles":["admin","user","root"],"teams":["g1","g2","t1"]}`,
		},
		"ogx and more": {
			Common{ClaimsPreset: "ogx", ClaimsMapping: []ClaimMapping{{"realm_access.roles", "roles"}}},
			`{"namespaces":["n1","n2"],"projects":["p"],"roles":["admin","user","root","kc"],"teams":["g1","g2","t1"]}`,
		},
		"own": {
			Common{ClaimsMapping: []ClaimMapping{{"realm_access.roles", "roles"}, {"scope", "scopes"}, {"sub", "names"}}},
			`{"names":["admin user"],"roles":["kc"],"scopes":["s"]}`,
		},
		"none": {Common{ClaimsMapping: []ClaimMapping{}}, `{}`},
		// Contract, aliased-values: one claim for two attributes.
		"one claim twice": {
			Common{ClaimsMapping: []ClaimMapping{{"groups", "teams"}, {"groups", "roles"}, {"roles", "roles"}}},
			`{"roles":["g1","g2","reader"],"teams":["g1","g2"]}`,
		},
	} {
		if got := identify(t, tc.c, fullClaims).Attributes.JSON(); got != tc.want {
			t.Errorf("%s: %s\nwant %s", name, got, tc.want)
		}
	}
}

// Case 96: a value is a value, whatever is in it.
func TestValuesAreTakenAsTheyAre(t *testing.T) {
	user := identify(t, Common{}, `{"sub":"alice","groups":["a,b","c\"d","e\nf","","é","a,b"]}`)
	if got, want := user.Attributes.JSON(), `{"teams":["a,b","c\"d","e\u000af","","\u00e9"]}`; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// Case 95: every one of many groups; dropping one could defeat a forbid.
func TestTenThousandGroupsAreTenThousandGroups(t *testing.T) {
	var groups []string
	for i := range 10_000 {
		groups = append(groups, fmt.Sprint("g", i))
	}
	user := identify(t, Common{}, fmt.Sprintf(`{"sub":"alice","groups":%s}`, mustJSON(t, groups)))
	if got := user.Attributes.Values("teams"); !slices.Equal(got, groups) {
		t.Errorf("%d groups", len(got))
	}
}

func TestMappingsThatCouldNotBeMeantAreErrors(t *testing.T) {
	for _, m := range []ClaimMapping{{"", "roles"}, {"a", ""}, {"a", "id"}, {"a", "1x"}, {"a", strings.Repeat("a", 65)}} {
		c := Common{ClaimsMapping: []ClaimMapping{m}}
		err := c.SetUp(newContext(t, zap.NewNop()), Defaults{Type: "test"})
		if err == nil || !strings.HasPrefix(err.Error(), "claims_mapping: ") {
			t.Errorf("%v: error is %v", m, err)
		}
	}
}
