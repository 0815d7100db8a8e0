package providers

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

func TestNotMineSaysWhy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		o := newProvider(t, issuer, usual+"tokens prefix ey")
		for token, want := range map[string]string{
			"":                                    "",
			"ghp_1":                               "not of the form that tokens names",
			"ey.secret":                           "not a JWT: token does not have three parts",
			sign(issuer, `"iss":"https://other"`): "iss is another issuer",
		} {
			if a := o.ask(t, token); a != Answer(NotMine{Reason: want}) {
				t.Errorf("%s: %#v", token, a)
			}
		}
	})
}

// Contract, several providers: not a JWT, or another iss, is not mine, and
// costs nothing. Case 87: iss is compared exactly.
func TestTokensOfOthersAreNotMineAndCostNoFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		o := newProvider(t, issuer, usual)
		good := issuer.Token("alice", nil)
		key := testissuer.NewKey("key-1", "RS256")
		for name, token := range map[string]string{
			"nothing":                   "",
			"an opaque token":           "ghp_0123456789abcdef",
			"a JWE":                     good + ".a.b",
			"three parts that are none": "a.b.c",
			"unsecured":                 base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + strings.Split(good, ".")[1] + ".",
			"another issuer":            sign(issuer, `"iss":"https://evil.example"`),
			"the issuer with a slash":   sign(issuer, `"iss":"`+idp+`/"`),
			"the issuer in upper case":  sign(issuer, `"iss":"`+strings.ToUpper(idp)+`"`),
			"the issuer with a port":    sign(issuer, `"iss":"`+idp+`:443"`),
			"the issuer in a list":      sign(issuer, `"iss":["`+idp+`"]`),
			"no issuer":                 sign(issuer, `"iss":~`),
			"issuer null":               sign(issuer, `"iss":null`),
			"the issuer second":         sign(issuer, `"iss":"https://evil.example","iss":"`+idp+`"`),
			"alg twice":                 key.SignRaw([]byte(`{"alg":"none","alg":"RS256"}`), claimsJSON(issuer, "")),
			"32 KiB and more":           key.SignRaw([]byte(`{"alg":"RS256"}`), claimsJSON(issuer, `"x":"`+strings.Repeat("x", 32<<10)+`"`)),
		} {
			if a, mine := o.ask(t, token).(NotMine); !mine {
				t.Errorf("%s: %s", name, describe(a))
			}
		}
		// The other one of the two is believed by whoever reads it first.
		wantNo(t, o.ask(t, sign(issuer, `"iss":"`+idp+`","iss":"https://evil.example"`)), "claims: decoding JSON: a member name is there twice")
		if n := issuer.Fetches(); n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}

func TestTheOptionTokensSaysWhichTokensAreMine(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		token := issuer.Token("alice", nil)
		for lines, mine := range map[string]bool{
			"tokens jwt": true, "tokens prefix " + token[:4]: true, "tokens prefix x y": false, "tokens prefix x " + token[:2]: true,
		} {
			a := newProvider(t, issuer, usual+lines).ask(t, token)
			if _, yes := a.(*Yes); yes != mine {
				t.Errorf("%s: %s", lines, describe(a))
			}
		}
	})
}

// Case 29: an algorithm outside the list is refused before a key is looked
// for: it costs the issuer nothing.
func TestAlgorithmsThatAreNotListedAreRefusedBeforeAnyFetch(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		issuer.Publish(testissuer.NewKey("ed", "EdDSA"), testissuer.NewKey("p521", "ES512"))
		o := newProvider(t, issuer, usual)
		refused := []string{
			testissuer.NewKey("p521", "ES512").Sign(issuer.Claims("alice", nil), nil), // costs 1.6 ms: by name only
			testissuer.NewKey("key-1", "RS256").Sign(issuer.Claims("alice", nil), map[string]any{"alg": "rs256"}),
			testissuer.NewKey("key-1", "RS256").Sign(issuer.Claims("alice", nil), map[string]any{"alg": "none"}),
			hmacToken(t, issuer, "HS256", []byte(strings.Repeat("s", 32))),
		}
		for _, token := range refused {
			wantNo(t, o.ask(t, token), "algorithm is not allowed")
		}
		if n := issuer.Fetches(); n != 0 {
			t.Errorf("%d fetches", n)
		}
		wantYes(t, o.ask(t, testissuer.NewKey("ed", "EdDSA").Sign(issuer.Claims("alice", nil), nil)), "alice")

		named := newProvider(t, issuer, usual+"algorithms ES512")
		wantYes(t, named.ask(t, refused[0]), "alice")
		wantNo(t, named.ask(t, testissuer.NewKey("ed", "EdDSA").Sign(issuer.Claims("alice", nil), nil)), "algorithm is not allowed")
	})
}

// Cases 43 and 44 (CVE-2018-0114, RFC 8725, section 3.10): a token that says
// where its key is, or brings it, is asked for nothing.
func TestAddressesInATokenAreNeverAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		var asked []string
		o := newProvider(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked = append(asked, r.Host+r.URL.Path)
			issuer.ServeHTTP(w, r)
		}), usual)
		evil := testissuer.NewKey("evil", "RS256")
		for name, value := range map[string]any{
			"jku": "https://evil.example/jwks", "x5u": "https://169.254.169.254/x", "jwk": evil.JWK, "x5c": []string{"MII"},
		} {
			wantNo(t, o.ask(t, evil.Sign(issuer.Claims("admin", nil), map[string]any{name: value})), "header has "+name)
		}
		// Nor is its iss, whatever it says.
		wantNotMine(t, o.ask(t, evil.Sign(issuer.Claims("admin", map[string]any{"iss": "https://evil.example"}), nil)))
		if len(asked) != 0 {
			t.Errorf("asked: %q", asked)
		}
		// Case 45: a kid is a name and no address, path or query.
		for _, kid := range []string{"../../dev/null", "https://evil.example/k", "' OR 1=1--", "|id"} {
			wantNo(t, o.ask(t, evil.Sign(issuer.Claims("admin", nil), map[string]any{"kid": kid})), "no key of the issuer fits the token")
		}
		for _, address := range asked {
			if address != "idp.example/jwks" && address != "idp.example/.well-known/openid-configuration" {
				t.Errorf("asked: %s", address)
			}
		}
	})
}

func TestTokensOfEveryDefaultAlgorithmAreAccepted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		o := newProvider(t, issuer, usual)
		for _, algorithm := range []string{"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"} {
			issuer.Publish(testissuer.NewKey(algorithm, algorithm))
			time.Sleep(10 * time.Second) // the pause between two fetches for unknown keys
			wantYes(t, o.ask(t, issuer.Token("alice", nil)), "alice")
		}
	})
}

// Unknown is only said where it is known; else it is 503, and clients retry.
func TestWithoutTheIssuersKeysNobodyCanTell(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		issuer.Break(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
		o := newProvider(t, issuer, usual)
		good := issuer.Token("alice", nil)
		wantCannotTell(t, o.ask(t, good))
		wantCannotTell(t, o.ask(t, good)) // within the pause
		issuer.Break(nil)
		time.Sleep(time.Second)
		wantYes(t, o.ask(t, good), "alice")

		stranger := testissuer.NewKey("stranger", "ES256").Sign(issuer.Claims("admin", nil), nil)
		wantNo(t, o.ask(t, stranger), "no key of the issuer fits the token")
		forged := testissuer.NewKey("stranger", "RS256").Sign(issuer.Claims("admin", nil), map[string]any{"kid": "key-1"})
		wantNo(t, o.ask(t, forged), "signature does not verify")
		wantNo(t, o.ask(t, testissuer.NewKey("key-1", "RS256").Sign(issuer.Claims("a", nil), map[string]any{"alg": "PS256"})), "no key of the issuer fits the token")
		wantNo(t, o.ask(t, testissuer.NewKey("key-1", "RS256").Sign(issuer.Claims("a", nil), map[string]any{"crit": []string{"x"}})), "header has crit")
		if n := o.answers.yeses.Len(); n != 1 {
			t.Errorf("%d answers are kept, want the good one's", n)
		}
	})
}

// A caller who hangs up stops waiting; what it caused goes on for the others.
func TestACallerWhoHangsUpStopsWaiting(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		release := make(chan struct{})
		issuer.Break(func(w http.ResponseWriter, _ *http.Request) {
			<-release
			_, _ = w.Write(issuer.JWKS())
		})
		o := newProvider(t, issuer, usual)
		token := issuer.Token("alice", nil)
		ctx, hangUp := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		wg.Go(func() {
			r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/", nil)
			wantCannotTell(t, o.Authenticate(r, Credential{Token: token}))
		})
		synctest.Wait()
		for range 20 {
			wg.Go(func() { wantYes(t, o.ask(t, token), "alice") })
		}
		synctest.Wait()
		hangUp()
		synctest.Wait()
		close(release)
		wg.Wait()
		if n := issuer.Fetches(); n != 1 {
			t.Errorf("%d fetches", n)
		}
	})
}

// Tokens without a kid cannot tell that the issuer has rotated: they are tried
// again with its new keys, once in ten seconds.
func TestTokensWithoutAKidSurviveARotation(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		o := newProvider(t, issuer, usual)
		nameless := func(k *testissuer.Key) string {
			return k.Sign(issuer.Claims("alice", nil), map[string]any{"kid": nil})
		}
		wantYes(t, o.ask(t, nameless(testissuer.NewKey("key-1", "RS256"))), "alice")
		issuer.Publish(testissuer.NewKey("key-2", "RS256"))
		wantYes(t, o.ask(t, nameless(testissuer.NewKey("key-2", "RS256"))), "alice")
		forged := nameless(testissuer.NewKey("stranger", "RS256"))
		wantNo(t, o.ask(t, forged), "no key of the issuer fits the token")
		fetches := issuer.Fetches()
		for range 50 {
			wantNo(t, o.ask(t, forged), "no key of the issuer fits the token")
		}
		if issuer.Fetches() != fetches {
			t.Error("bad signatures cause fetches")
		}
		issuer.Publish(testissuer.NewKey("key-3", "RS256"))
		time.Sleep(10 * time.Second)
		wantNo(t, o.ask(t, forged), "signature does not verify") // the new key was tried
		issuer.Break(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTeapot) })
		time.Sleep(10 * time.Second)
		wantCannotTell(t, o.ask(t, forged))
	})
}

// Several issuers in one block, each with keys of its own: the key of the one
// signs nothing for the other, whatever the token says of itself.
func TestAnIssuersKeyCannotSignForAnother(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		one := testissuer.NewUnstarted("https://one.example")
		two := testissuer.NewUnstarted("https://two.example")
		two.Retire("key-1")
		two.Publish(testissuer.NewKey("two", "ES256"))
		a := newProvider(t, one, "issuer https://one.example\naudience stack-test\nprincipal_prefix one:")
		b := newProvider(t, two, "issuer https://two.example\naudience stack-test\nprincipal_prefix two:")
		a.Name, b.Name = "one", "two"
		chain, err := NewChain([]Provider{a, b}, false)
		if err != nil {
			t.Fatal(err)
		}
		judge := func(token string) (Answer, Provider) {
			return chain.Authenticate(httptest.NewRequestWithContext(t.Context(), "GET", "/", nil), Credential{Token: token})
		}
		for issuer, want := range map[*testissuer.Issuer]string{one: "one:alice", two: "two:alice"} {
			answer, by := judge(issuer.Token("alice", nil))
			wantYes(t, answer, want)
			if by.Options().Name+":alice" != want {
				t.Errorf("answered by %s", by.Options().Name)
			}
		}
		answer, by := judge(testissuer.NewKey("key-1", "RS256").Sign(two.Claims("admin", nil), nil))
		wantNo(t, answer, "one: iss is another issuer; two: no key of the issuer fits the token")
		if by != Provider(b) {
			t.Error("the token was shown to the wrong issuer's provider")
		}
		answer, by = judge(sign(one, `"iss":"https://three.example"`))
		wantNotMine(t, answer)
		if by != nil {
			t.Error("a token of nobody was answered by somebody")
		}
	})
}

func hmacToken(t *testing.T, issuer *testissuer.Issuer, algorithm string, secret []byte) string {
	t.Helper()
	token, err := jwt.NewWithClaims(jwt.GetSigningMethod(algorithm), jwt.MapClaims(issuer.Claims("alice", nil))).SignedString(secret)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// Contract: HS* only when named, and only with a key from a local file.
func TestASecretFromALocalFileVerifiesWhatIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issuer := newIssuer()
		secret := []byte(strings.Repeat("s", 64))
		path := filepath.Join(t.TempDir(), "jwks.json")
		set := map[string]any{"keys": []any{map[string]any{"kty": "oct", "k": base64.RawURLEncoding.EncodeToString(secret)}}}
		b, err := json.Marshal(set)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		o := newProvider(t, issuer, usual+"algorithms HS256 HS512\njwks {\n file "+path+"\n}")
		wantYes(t, o.ask(t, hmacToken(t, issuer, "HS256", secret)), "alice")
		wantYes(t, o.ask(t, hmacToken(t, issuer, "HS512", secret)), "alice")
		wantNo(t, o.ask(t, hmacToken(t, issuer, "HS384", secret)), "algorithm is not allowed")
		wantNo(t, o.ask(t, hmacToken(t, issuer, "HS256", []byte("guess"))), "no key of the issuer fits the token")
		wantNo(t, o.ask(t, issuer.Token("alice", nil)), "algorithm is not allowed")
	})
}
