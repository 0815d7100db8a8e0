package providers

import (
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// Contract, principal: the first claim that is there as a non-empty string;
// from another claim than the first with the claim's name in front.
func TestPrincipalsComeFromTheFirstClaimThatIsThere(t *testing.T) {
	sub := Common{}
	three := Common{PrincipalClaim: []string{"sub", "username", "user.id"}}
	prefixed := Common{PrincipalPrefix: "kc:", PrincipalClaim: []string{"sub", "client_id"}}
	for _, tc := range []struct {
		name, claims string
		c            Common
		want         string // the principal, or the error with ! in front
	}{
		{"sub", `{"sub":"alice"}`, sub, "alice"},
		{"sub before others", `{"username":"bob","sub":"alice"}`, three, "alice"},
		{"a null is not there", `{"sub":null,"username":"bob"}`, three, "username:bob"},
		{"the second", `{"username":"bob"}`, three, "username:bob"},
		{"a nested third", `{"user":{"id":"5"}}`, three, "user.id:5"},
		{"a literal third", `{"user.id":"5"}`, three, "user.id:5"},
		{"with a prefix", `{"sub":"alice"}`, prefixed, "kc:alice"},
		{"with a prefix, from the second", `{"client_id":"alice"}`, prefixed, "kc:client_id:alice"},
		{"none", `{"email":"a@b"}`, three, "!no claim to take the principal from"},
		// There and no such string: no other claim is looked at, or a token
		// whose sub is broken would be somebody else's.
		{"the first empty", `{"sub":"","username":"bob"}`, three, "!claim sub is not a string with something in it"},
		{"the first a number", `{"sub":5,"username":"bob"}`, three, "!claim sub is not a string with something in it"},
		{"the second a list", `{"username":["bob"]}`, three, "!claim username is not a string with something in it"},
		// Case 80; behind a prefix a blank is not at the edge.
		{"a blank in front", `{"sub":" alice"}`, prefixed, "!claim sub begins or ends with a blank"},
		{"a blank behind, from the second", `{"client_id":"alice "}`, prefixed, "!claim client_id begins or ends with a blank"},
		{"a line break", `{"sub":"a\nb"}`, sub, "!principal has the unprintable character U+000A"},
		// Two people must not become one: this sub would be the client's twin.
		{"a sub that reads as a client", `{"sub":"client_id:alice"}`, prefixed, "!claim sub could be taken for a principal from another claim"},
		{"a sub that begins like a claim", `{"sub":"client_id"}`, prefixed, "kc:client_id"},
		{"a sub with a colon", `{"sub":"system:serviceaccount:a:b"}`, three, "system:serviceaccount:a:b"},
		{"a client that reads as itself", `{"client_id":"client_id:alice"}`, prefixed, "kc:client_id:client_id:alice"},
		{"a claim whose name begins another's", `{"a":"b:x"}`, Common{PrincipalClaim: []string{"sub", "a", "a:b"}}, "!claim a could be taken for a principal from another claim"},
		// Without other claims to be taken for, it is a name like any other.
		{"no other claim", `{"sub":"client_id:alice"}`, sub, "client_id:alice"},
		{"256 bytes", `{"sub":"` + strings.Repeat("s", 253) + `"}`, prefixed, "kc:" + strings.Repeat("s", 253)},
		{"257 bytes with the prefix", `{"sub":"` + strings.Repeat("s", 254) + `"}`, prefixed, "!principal has 257 bytes, more than 256"},
	} {
		user, err := set(t, tc.c).Identify(claimsOf(t, tc.claims))
		switch want, isError := strings.CutPrefix(tc.want, "!"); {
		case isError && (err == nil || err.Error() != want || user != nil):
			t.Errorf("%s: %v, %v; want error %s", tc.name, user, err, want)
		case !isError && (err != nil || user.Principal != want):
			t.Errorf("%s: %v, %v; want %s", tc.name, user, err, want)
		}
	}
}

// Contract, tenant: trimmed, lower-cased; there and no such string is 401.
func TestTenantsComeFromTheirClaim(t *testing.T) {
	for _, tc := range []struct{ claim, claims, want string }{
		{"", `{"sub":"a","org":"acme"}`, ""},
		{"org", `{"sub":"a","org":"acme"}`, "acme"},
		{"org", `{"sub":"a","org":" ACME "}`, "acme"},
		{"org.id", `{"sub":"a","org":{"id":"x-1"}}`, "x-1"},
		{`org\.id`, `{"sub":"a","org.id":"x-2"}`, "x-2"},
		{"org", `{"sub":"a"}`, ""},
		{"org", `{"sub":"a","org":null}`, ""},
		{"org", `{"sub":"a","org":""}`, "!tenant is empty"},
		{"org", `{"sub":"a","org":"a b"}`, "!tenant is not of the form [a-z0-9][a-z0-9_-]*"},
		{"org", `{"sub":"a","org":5}`, "!claim org is not a string"},
		{"org", `{"sub":"a","org":["acme"]}`, "!claim org is not a string"},
		{"org", `{"sub":"a","org":{"id":"x"}}`, "!claim org is not a string"},
		{"org", `{"sub":"a","org":false}`, "!claim org is not a string"},
	} {
		user, err := set(t, Common{TenantClaim: tc.claim}).Identify(claimsOf(t, tc.claims))
		switch want, isError := strings.CutPrefix(tc.want, "!"); {
		case isError && (err == nil || err.Error() != want):
			t.Errorf("%s of %s: %v, want error %s", tc.claim, tc.claims, err, want)
		case !isError && (err != nil || user.Tenant != want):
			t.Errorf("%s of %s: %v, %v; want %q", tc.claim, tc.claims, user, err, want)
		}
	}
}

func TestCommonOptionsThatCouldNotBeMeantAreErrors(t *testing.T) {
	for _, tc := range []struct {
		c    Common
		want string
	}{
		{Common{Name: "A"}, `provider name "A": expected 1 to 64 of a-z, 0-9, _ and -`},
		{Common{Name: "a b"}, `provider name "a b": expected 1 to 64 of a-z, 0-9, _ and -`},
		{Common{Name: "a.b-c"}, `provider name "a.b-c": expected 1 to 64 of a-z, 0-9, _ and -`},
		{Common{Name: strings.Repeat("a", 65)}, `provider name "` + strings.Repeat("a", 65) + `": expected 1 to 64 of a-z, 0-9, _ and -`},
		{Common{ClaimsPreset: "OGX"}, `claims_mapping "OGX": the only preset is ogx`},
		{Common{PrincipalClaim: []string{"sub", ""}}, `principal_claim: claim path is empty`},
	} {
		err := tc.c.SetUp(newContext(t, zap.NewNop()), Defaults{Type: "test"})
		if err == nil || err.Error() != tc.want {
			t.Errorf("error is %v, want %s", err, tc.want)
		}
	}
	// What a guest presets is checked as well.
	for _, d := range []Defaults{{Type: "test", PrincipalClaim: []string{""}}, {Type: "test", Mapping: []ClaimMapping{{"", "roles"}}}} {
		if err := new(Common).SetUp(newContext(t, zap.NewNop()), d); err == nil {
			t.Errorf("%+v is set up", d)
		}
	}
	if _, err := newIdentity(&Common{TenantClaim: ""}, Defaults{}); err != nil {
		t.Error(err)
	}
}

func TestTheNameIsTheTypeUnlessGiven(t *testing.T) {
	if got := set(t, Common{}).Name; got != "test" {
		t.Errorf("name is %q", got)
	}
	long := strings.Repeat("a", 64)
	if got := set(t, Common{Name: long}).Name; got != long {
		t.Errorf("name is %q", got)
	}
}

// Every line of a provider has its name, and the preset that gives a user
// called admin the role admin is warned about.
func TestProvidersLogUnderTheirName(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	c := Common{Name: "kc", ClaimsPreset: "ogx"}
	if err := c.SetUp(newContext(t, zap.New(core)), Defaults{Type: "test", OGX: ogxMapping()}); err != nil {
		t.Fatal(err)
	}
	c.Logger().Info("hello")
	lines := logs.All()
	if len(lines) != 2 || !strings.Contains(lines[0].Message, "maps identity into roles") || lines[1].Message != "hello" {
		t.Fatalf("log is %v", lines)
	}
	for _, line := range lines {
		if line.ContextMap()["provider"] != "kc" {
			t.Errorf("%q has fields %v", line.Message, line.ContextMap())
		}
	}
}

// Outside a handler there is a logger too: Caddy's, or none.
func TestThereIsAlwaysALogger(t *testing.T) {
	if logger(t.Context()) == nil || logger(newContext(t, zap.NewNop()).Context) == nil {
		t.Error("no logger")
	}
	bare := newContext(t, zap.NewNop())
	if logger(bare.WithValue(loggerKey{}, nil)) == nil {
		t.Error("no logger of Caddy")
	}
}
