package providers

import (
	"fmt"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

// Keys of the tests, and what they are known by.
const (
	aliceKey = "example-key-not-a-secret-alice"
	bobKey   = "example-key-not-a-secret-bob"
	carolKey = "example-key-not-a-secret-carol"
)

func hashOf(t testing.TB, key string) string {
	t.Helper()
	hash, err := HashKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return hash
}

// keyLine is a line of the option `key`.
func keyLine(t testing.TB, key, rest string) string {
	t.Helper()
	return "key " + hashOf(t, key) + " " + rest + "\n"
}

func TestWhoeverHasAKeyIsWhomItStandsFor(t *testing.T) {
	p := newKind[*APIKey](t, "api_key", keyLine(t, aliceKey, "alice")+keyLine(t, bobKey, "bob")+keyLine(t, carolKey, "alice"))
	for key, principal := range map[string]string{aliceKey: "alice", bobKey: "bob", carolKey: "alice"} {
		yes := wantYes(t, askKind(t, p, key), principal)
		if !yes.Expires.IsZero() || yes.User.Tenant != "" || yes.User.Attributes.JSON() != "{}" {
			t.Errorf("%s: %+v", principal, yes)
		}
	}
}

// The hash is no secret: it is in the configuration, which Caddy logs and shows
// in its admin API. Whoever reads it must not get in with it.
func TestTheHashOfAKeyIsNotTheKey(t *testing.T) {
	p := newKind[*APIKey](t, "api_key", keyLine(t, aliceKey, "alice"))
	hash := hashOf(t, aliceKey)
	for _, token := range []string{hash, strings.TrimPrefix(hash, "sha256:"), strings.ToUpper(hash)} {
		wantNotMine(t, askKind(t, p, token))
	}
}

func TestWhatIsNotAKeyIsLeftToTheOtherProviders(t *testing.T) {
	p := newKind[*APIKey](t, "api_key", keyLine(t, aliceKey, "alice"))
	for _, token := range []string{
		"", "x", aliceKey[:len(aliceKey)-1], aliceKey + "x", strings.ToUpper(aliceKey), " " + aliceKey, aliceKey + " ", "a.b.c",
		bobKey, strings.Repeat("k", maxCredential), newIssuer().Token("alice", nil), "alice",
	} {
		a := askKind(t, p, token)
		wantNotMine(t, a)
		if reason := a.(NotMine).Reason; token != "" && strings.Contains(reason, token) && len(token) > 1 {
			t.Errorf("the reason %q has the token", reason)
		}
	}
}

func TestHashesAreTakenInEitherCase(t *testing.T) {
	digits := strings.TrimPrefix(hashOf(t, aliceKey), "sha256:")
	p := newKind[*APIKey](t, "api_key", "key sha256:"+strings.ToUpper(digits)+" alice")
	wantYes(t, askKind(t, p, aliceKey), "alice")
}

func TestAttributesOfAKeyAreTheCallersAsTheyAreWritten(t *testing.T) {
	attributes := ` {
		attribute roles "admin user" operator
		attribute sub x
		attribute teams a
		attribute teams b a
		tenant " ACME-1 "
	}`
	for _, c := range []struct{ name, options, principal, want string }{
		{"by themselves", "", "alice", `{"roles":["admin user","operator"],"sub":["x"],"teams":["a","b"]}`},
		{"by a mapping", "claims_mapping {\nteams groups\nroles groups\nnothing roles\n}", "alice", `{"groups":["a","b","admin user","operator"]}`},
		{"by an empty mapping", "claims_mapping {\n}", "alice", `{}`},
		{"behind a prefix", "principal_prefix key:", "key:alice", `{"roles":["admin user","operator"],"sub":["x"],"teams":["a","b"]}`},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := newKind[*APIKey](t, "api_key", c.options+"\n"+keyLine(t, aliceKey, "alice"+attributes))
			u := wantYes(t, askKind(t, p, aliceKey), c.principal).User
			if got := u.Attributes.JSON(); got != c.want || u.Tenant != "acme-1" {
				t.Errorf("tenant %q, attributes %s; want %s", u.Tenant, got, c.want)
			}
		})
	}
}

func TestAKeyEndsAtItsInstant(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		end := time.Now().Add(36 * time.Hour).Truncate(time.Second)
		// The same instant, as somebody elsewhere writes it.
		written := end.In(time.FixedZone("", -5*3600)).Format(time.RFC3339)
		p := newKind[*APIKey](t, "api_key", keyLine(t, aliceKey, "alice {\nexpires "+written+"\n}")+keyLine(t, bobKey, "bob"))
		if yes := wantYes(t, askKind(t, p, aliceKey), "alice"); !yes.Expires.Equal(end) {
			t.Errorf("expires %s, want %s", yes.Expires, end)
		}
		time.Sleep(time.Until(end) - time.Nanosecond)
		wantYes(t, askKind(t, p, aliceKey), "alice")
		time.Sleep(time.Nanosecond)
		wantNo(t, askKind(t, p, aliceKey), reasonExpired)
		time.Sleep(1000 * time.Hour)
		wantNo(t, askKind(t, p, aliceKey), reasonExpired)
		wantYes(t, askKind(t, p, bobKey), "bob")
	})
}

// The first of these is Go's zero time, which elsewhere means "never".
func TestAKeyThatIsOverLoadsWithAWarningAndIsNoGood(t *testing.T) {
	for _, expires := range []string{"0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "2001-01-01T00:00:00.5+01:00"} {
		core, logs := observer.New(zap.WarnLevel)
		p, err := loadKind(t, newContext(t, zap.New(core)), "api_key", keyLine(t, aliceKey, "alice {\nexpires "+expires+"\n}")+keyLine(t, bobKey, "bob"))
		if err != nil {
			t.Fatal(err)
		}
		wantNo(t, askKind(t, p, aliceKey), reasonExpired)
		wantYes(t, askKind(t, p, bobKey), "bob")
		if all := logs.All(); len(all) != 1 || all[0].Message != "keys have expired" || fmt.Sprint(all[0].ContextMap()["principals"]) != "[alice]" {
			t.Errorf("%s: logged %v", expires, all)
		}
	}
}

// Case 229. What is measured in noise elsewhere is asserted of the structure
// here: no answer makes anything, so none takes longer for what it makes.
func TestNoAnswerAllocates(t *testing.T) {
	file := newKeyFile(t, entry(t, bobKey, "bob"))
	p := newKind[*APIKey](t, "api_key", "file "+file.path+"\n"+keyLine(t, aliceKey, "alice")+
		keyLine(t, carolKey, "carol {\nexpires 2001-01-01T00:00:00Z\n}"))
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/", nil)
	for name, token := range map[string]string{
		"a key": aliceKey, "a key of the file": bobKey, "an expired key": carolKey, "an unknown key": "example-key-not-a-secret-nobody",
		"a long token": strings.Repeat("k", maxCredential), "no token": "",
	} {
		var a Answer
		if n := fewestAllocs(func() { a = p.Authenticate(r, Credential{Token: token}) }); n != 0 {
			t.Errorf("%s: %s with %v allocations", name, describe(a), n)
		}
	}
}

func TestAKeyAndAJWTFindTheirProvidersInEitherOrder(t *testing.T) {
	issuer := newIssuer()
	jwts := newProvider(t, issuer, usual)
	keys := newKind[*APIKey](t, "api_key", "principal_prefix key:\n"+keyLine(t, aliceKey, "alice"))
	for _, list := range [][]Provider{{jwts, keys}, {keys, jwts}} {
		chain, err := NewChain(list, false)
		if err != nil {
			t.Fatal(err)
		}
		for token, want := range map[string]string{aliceKey: "key:alice", issuer.Token("alice", nil): "alice"} {
			a, _ := chain.Authenticate(httptest.NewRequestWithContext(t.Context(), "GET", "/", nil), Credential{Token: token})
			wantYes(t, a, want)
		}
		a, by := chain.Authenticate(httptest.NewRequestWithContext(t.Context(), "GET", "/", nil), Credential{Token: bobKey})
		wantNotMine(t, a)
		if by != nil || strings.Contains(a.(NotMine).Reason, bobKey) {
			t.Errorf("taken by %v: %+v", by, a)
		}
	}
	if issuer.Fetches() != 1 {
		t.Errorf("%d fetches: a key is shown to the issuer", issuer.Fetches())
	}
}

// It claims only what it knows, so nobody behind it is there in vain; but it is,
// behind somebody who claims every opaque token.
func TestKeysAreClaimedOneByOne(t *testing.T) {
	keys := newKind[*APIKey](t, "api_key", keyLine(t, aliceKey, "alice"))
	more := newKind[*APIKey](t, "api_key", "principal_prefix b:\n"+keyLine(t, bobKey, "bob"))
	more.Name = "more"
	opaque := newKind[*OAuth2Token](t, "oauth2_token", usual+"principal_prefix o:\nintrospection {\nclient_id a\nclient_secret b\n}")
	for _, list := range [][]Provider{{keys, more}, {keys, opaque}, {keys, more, opaque}} {
		if _, err := NewChain(list, false); err != nil {
			t.Error(err)
		}
	}
	if _, err := NewChain([]Provider{opaque, keys}, false); err == nil || !strings.Contains(err.Error(), "never be asked") {
		t.Errorf("behind one that claims everything: %v", err)
	}
}

func TestATenantIsYieldedWhereAKeyHasOneOrTheFileMay(t *testing.T) {
	file := "file " + newKeyFile(t).path + "\n"
	for _, c := range []struct {
		lines            string
		yields, optional bool
	}{
		{keyLine(t, aliceKey, "alice"), false, true},
		{keyLine(t, aliceKey, "alice") + keyLine(t, bobKey, "bob {\ntenant acme\n}"), true, false},
		{file, true, true},
		{file + keyLine(t, aliceKey, "alice"), true, true},
		{file + keyLine(t, aliceKey, "alice {\ntenant acme\n}"), true, false},
	} {
		p := newKind[*APIKey](t, "api_key", c.lines)
		if p.YieldsTenant() != c.yields || p.TenantsAreOptional() != c.optional {
			t.Errorf("%s\nyields %t, optional %t", c.lines, p.YieldsTenant(), p.TenantsAreOptional())
		}
	}
}

func TestHashKeyRefusesWhatNoCallerCanPresent(t *testing.T) {
	// Of an implementation that is not ours: printf abc | sha256sum.
	if got, err := HashKey("abc"); err != nil || got != "sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("got %s, %v", got, err)
	}
	if _, err := HashKey(strings.Repeat("k", maxCredential)); err != nil {
		t.Error(err)
	}
	for key, want := range map[string]string{
		"":                                     "key is empty",
		strings.Repeat("k", maxCredential+1):   "key has more than 32768 bytes",
		"example key":                          "has a character that no token can have",
		"example,key":                          "has a character that no token can have",
		`"example-key"`:                        "has a character that no token can have",
		"example-key\n":                        "has a character that no token can have",
		"example-key\x00":                      "has a character that no token can have",
		"example-kéy":                          "has a character that no token can have",
		"example-\x7fkey":                      "has a character that no token can have",
		"\u200bexample-key-not-a-secret-alice": "has a character that no token can have",
	} {
		got, err := HashKey(key)
		if err == nil || got != "" || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %q, %v", key, got, err)
		} else if strings.Contains(err.Error(), "example") {
			t.Errorf("the error has the key: %v", err)
		}
	}
}
