//go:build integration

package integration

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// oidcProvider is an issuer that npm's oidc-provider makes: opaque tokens,
// introspection, revocation. It knows the same people as Keycloak; its clients
// and resources are listed in oidc/server.mjs.
type oidcProvider struct {
	*part // its url is the issuer
	admin string
}

// Paths of its endpoints, to count requests or break them.
const (
	oidcDiscovery     = "/.well-known/openid-configuration"
	oidcKeys          = "/jwks"
	oidcIntrospection = "/token/introspection"
)

func newOIDC(ctx context.Context, dir string) (*oidcProvider, error) {
	adminPort, err := freePort(ctx)
	if err != nil {
		return nil, err
	}
	p, _, err := newPart(ctx, "oidc/oidc.sh", "STACK_OIDC", "oidc", dir, "STACK_OIDC_ADMIN_PORT="+strconv.Itoa(adminPort))
	if err != nil {
		return nil, err
	}
	return &oidcProvider{part: p, admin: fmt.Sprintf("http://127.0.0.1:%d", adminPort)}, nil
}

// ownOIDC starts another one, which takes a second, for a test that changes
// its keys, breaks it, or counts what it is asked.
func ownOIDC(t *testing.T) *oidcProvider {
	t.Helper()
	o, err := newOIDC(t.Context(), t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := o.stop(context.Background()); err != nil {
			t.Error(err)
		}
	})
	if err := o.start(t.Context()); err != nil {
		t.Fatal(err)
	}
	return o
}

// token gets an access token through a client (svc-basic or svc-post): a
// user's, or the client's own if user is empty. What it is for decides what
// it is: opaque, opaque-short (lives 5 s), opaque-other (for another
// audience), jwt, jwt-es256 or jwt-other. For nothing (empty) it is opaque,
// and has no audience.
func (o *oidcProvider) token(t *testing.T, clientID, user, resource string) string {
	t.Helper()
	form := url.Values{"grant_type": {"client_credentials"}}
	if user != "" {
		form = url.Values{"grant_type": {"password"}, "username": {user}, "password": {user + "-test-only"}}
	}
	if resource != "" {
		form.Set("resource", "urn:stack:"+resource)
		form.Set("scope", "chat")
	}
	a := o.as(t, clientID, "/token", form)
	var got tokens
	if a.status == http.StatusOK {
		a.decode(t, &got)
	}
	if got.Access == "" {
		t.Fatalf("the client %s got no token: %d %s", clientID, a.status, a.body)
	}
	remember(got.Access)
	return got.Access
}

// revoke takes back an opaque token, as the client that got it.
func (o *oidcProvider) revoke(t *testing.T, clientID, token string) {
	t.Helper()
	if a := o.as(t, clientID, "/token/revocation", url.Values{"token": {token}}); a.status != http.StatusOK {
		t.Fatalf("revoking a token as %s: %d %s", clientID, a.status, a.body)
	}
}

// introspect asks about a token as gw-basic, gw-post, gw:odd or gw-signed
// (whose answers are JWTs), which see every token, or as outsider, who does not.
func (o *oidcProvider) introspect(t *testing.T, clientID, token string) answer {
	t.Helper()
	return o.as(t, clientID, oidcIntrospection, url.Values{"token": {token}})
}

// as posts a form in a client's name: by Basic or in the body, as its kind is.
func (o *oidcProvider) as(t *testing.T, clientID, path string, form url.Values) answer {
	t.Helper()
	header := http.Header{"Content-Type": {"application/x-www-form-urlencoded"}}
	if clientID == "gw-signed" {
		header.Set("Accept", "application/token-introspection+jwt")
	}
	if strings.HasSuffix(clientID, "-post") {
		form.Set("client_id", clientID)
		form.Set("client_secret", oidcSecret(clientID))
	} else {
		// RFC 6749, 2.3.1: both are form-encoded first
		(&http.Request{Header: header}).SetBasicAuth(url.QueryEscape(clientID), url.QueryEscape(oidcSecret(clientID)))
	}
	a, err := ask(t.Context(), client, http.MethodPost, o.url+path, header, form.Encode())
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// oidcSecret is what a gateway needs that introspects as this client.
func oidcSecret(clientID string) string {
	if clientID == "gw:odd" {
		return "p+a%41:w/rd =test-only"
	}
	return clientID + "-test-only"
}

func (o *oidcProvider) get(t *testing.T, path string) answer {
	t.Helper()
	a, err := ask(t.Context(), client, http.MethodGet, o.url+path, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// oidcState is what it says about itself: the ids of its keys, newest first
// (an RS256 and an ES256 key of each generation), and how often each path was
// asked for since it was started, broken or not.
type oidcState struct {
	Kids   []string
	Counts map[string]int
}

func (o *oidcProvider) state(t *testing.T) oidcState {
	t.Helper()
	return o.tell(t, http.MethodGet, "/state")
}

// rotate makes new keys, which sign from now on. The old ones are published
// beside them until they are retired, or no longer if keep is false.
func (o *oidcProvider) rotate(t *testing.T, keep bool) {
	t.Helper()
	o.tell(t, http.MethodPost, fmt.Sprintf("/rotate?keep=%t", keep))
}

func (o *oidcProvider) retire(t *testing.T) {
	t.Helper()
	o.tell(t, http.MethodPost, "/retire")
}

// fault is what happens to requests for a path.
type fault struct {
	status int // 0: the right answer, but late; -1: the connection is closed
	times  int // 0: until it is healed
	delay  time.Duration
}

func (o *oidcProvider) breaks(t *testing.T, path string, f fault) {
	t.Helper()
	query := url.Values{
		"path": {path}, "status": {strconv.Itoa(f.status)}, "delay": {strconv.FormatInt(f.delay.Milliseconds(), 10)},
	}
	if f.times > 0 {
		query.Set("times", strconv.Itoa(f.times))
	}
	o.tell(t, http.MethodPost, "/break?"+query.Encode())
}

func (o *oidcProvider) heal(t *testing.T) {
	t.Helper()
	o.tell(t, http.MethodPost, "/heal")
}

func (o *oidcProvider) tell(t *testing.T, method, target string) oidcState {
	t.Helper()
	if o == oidc && method != http.MethodGet {
		t.Fatal("other tests have this provider too: take ownOIDC")
	}
	a, err := ask(t.Context(), client, method, o.admin+target, nil, "")
	if err != nil {
		t.Fatal(err)
	}
	if a.status != http.StatusOK {
		t.Fatalf("%s %s: %d %s", method, target, a.status, a.body)
	}
	var s oidcState
	a.decode(t, &s)
	return s
}

func TestOIDCIntrospectionKnowsItsReaders(t *testing.T) {
	opaque := oidc.token(t, "svc-basic", "alice", "opaque")
	for _, tc := range []struct {
		client string
		active bool
	}{
		{"gw-basic", true},
		{"gw-post", true},
		{"gw:odd", true},
		{"svc-basic", true}, // whose token it is
		{"outsider", false},
	} {
		t.Run(tc.client, func(t *testing.T) {
			a := oidc.introspect(t, tc.client, opaque)
			wantStatus(t, a, http.StatusOK)
			var got struct {
				Active                bool
				Sub, Iss, Aud, Tenant string
				Groups                []string
			}
			a.decode(t, &got)
			if got.Active != tc.active {
				t.Fatalf("active is %v", got.Active)
			}
			if tc.active && (got.Sub != "alice" || got.Iss != oidc.url || got.Aud != "llama-stack" ||
				got.Tenant != "red" || !slices.Equal(got.Groups, []string{"/ml-team", "/eng"})) {
				t.Errorf("it said %s", a.body)
			}
		})
	}
	t.Run("a client that it does not know", func(t *testing.T) {
		wantStatus(t, oidc.introspect(t, "stranger", opaque), http.StatusUnauthorized)
	})
	t.Run("gw-signed gets a JWT", func(t *testing.T) {
		a := oidc.introspect(t, "gw-signed", opaque)
		wantStatus(t, a, http.StatusOK)
		said, _ := claimsOf(t, a.body)["token_introspection"].(map[string]any)
		if said["active"] != true || said["sub"] != "alice" {
			t.Errorf("it said %v", said)
		}
	})
}

func TestOIDCIntrospectionOfEachKindOfToken(t *testing.T) {
	for _, tc := range []struct {
		name, user, resource string
		want                 map[string]any
	}{
		{"for another audience", "bob", "opaque-other", map[string]any{"active": true, "sub": "bob", "aud": "other-api"}},
		{"of a client, which has no sub", "", "opaque", map[string]any{"active": true, "client_id": "svc-post", "sub": nil, "aud": "llama-stack"}},
		{"for nothing in particular", "", "", map[string]any{"active": true, "aud": nil}},
		{"a JWT", "alice", "jwt", map[string]any{"error": "unsupported_token_type"}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			a := oidc.introspect(t, "gw-basic", oidc.token(t, "svc-post", tc.user, tc.resource))
			status := http.StatusOK
			if tc.want["error"] != nil {
				status = http.StatusBadRequest
			}
			wantStatus(t, a, status)
			var got map[string]any
			a.decode(t, &got)
			for name, want := range tc.want {
				if got[name] != want {
					t.Errorf("%s is %v, want %v", name, got[name], want)
				}
			}
		})
	}
	t.Run("one that lives five seconds", func(t *testing.T) {
		a := oidc.introspect(t, "gw-basic", oidc.token(t, "svc-basic", "alice", "opaque-short"))
		var got struct{ Iat, Exp int }
		a.decode(t, &got)
		if got.Exp-got.Iat != 5 {
			t.Errorf("it said %s", a.body)
		}
	})
	t.Run("a revoked one", func(t *testing.T) {
		token := oidc.token(t, "svc-basic", "alice", "opaque")
		oidc.revoke(t, "svc-basic", token)
		if got := oidc.introspect(t, "gw-basic", token).body; got != `{"active":false}` {
			t.Errorf("it said %s", got)
		}
	})
}

func TestOIDCRotatesItsKeys(t *testing.T) {
	o := ownOIDC(t)
	opaque := o.token(t, "svc-basic", "alice", "opaque")
	first := o.state(t).Kids[0]
	check := func(when string, wantKeys int, wantFirst bool) {
		t.Helper()
		a := o.get(t, oidcKeys)
		var set struct{ Keys []struct{ Kid string } }
		a.decode(t, &set)
		if len(set.Keys) != wantKeys || strings.Contains(a.body, first) != wantFirst {
			t.Errorf("%s: the keys are %s; %s was the first", when, a.body, first)
		}
		for i, resource := range []string{"jwt", "jwt-es256"} {
			if kid, want := kidOf(t, o.token(t, "svc-basic", "bob", resource)), o.state(t).Kids[i]; kid != want {
				t.Errorf("%s: %s is signed with %s, want %s", when, resource, kid, want)
			}
		}
	}
	check("at first", 2, true)
	o.rotate(t, true)
	check("rotated", 4, true)
	o.retire(t)
	check("the old ones retired", 2, false)
	o.rotate(t, false)
	check("rotated at once", 2, false)
	if got := o.introspect(t, "gw-basic", opaque).body; !strings.Contains(got, `"active":true`) {
		t.Errorf("the opaque token did not outlive the keys: %s", got)
	}
}

func TestOIDCBreaksAsItIsTold(t *testing.T) {
	o := ownOIDC(t)
	o.breaks(t, oidcDiscovery, fault{status: http.StatusServiceUnavailable, times: 2})
	wantStatus(t, o.get(t, oidcDiscovery), http.StatusServiceUnavailable)
	wantStatus(t, o.get(t, oidcDiscovery), http.StatusServiceUnavailable)
	wantStatus(t, o.get(t, oidcDiscovery), http.StatusOK)

	const late = 300 * time.Millisecond
	o.breaks(t, oidcDiscovery, fault{delay: late, times: 1})
	begin := time.Now()
	wantStatus(t, o.get(t, oidcDiscovery), http.StatusOK)
	if took := time.Since(begin); took < late {
		t.Errorf("it answered after %v", took)
	}

	o.breaks(t, oidcDiscovery, fault{status: -1})
	if a, err := ask(t.Context(), client, http.MethodGet, o.url+oidcDiscovery, nil, ""); err == nil {
		t.Errorf("it answered %d %s", a.status, a.body)
	}
	before := o.state(t).Counts[oidcDiscovery]
	o.heal(t)
	wantStatus(t, o.get(t, oidcDiscovery), http.StatusOK)
	if n := o.state(t).Counts[oidcDiscovery] - before; n != 1 {
		t.Errorf("it counted %d requests", n)
	}
}
