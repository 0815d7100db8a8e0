//go:build integration

package integration

import (
	"net/http"
	"strings"
	"testing"
)

func TestOGXBelievesWhoTheGatewaySaysIsCalling(t *testing.T) {
	g := startGateway(t, "ogx.Caddyfile", idp.issuer, ogx.url)
	alice := idp.login(t, "stack-cli", "alice").Access
	bob := idp.login(t, "stack-cli", "bob").Access
	carol := idp.login(t, "stack-cli", "carol").Access // in alice's team ml-team
	file := "/v1/files/" + g.upload(t, alice, "alice's words")

	t.Run("the owner reads what she owns", func(t *testing.T) {
		wantStatus(t, g.do(t, request{path: file, token: alice}), http.StatusOK)
	})
	t.Run("a member of her team reads it, so the attributes arrive", func(t *testing.T) {
		wantStatus(t, g.do(t, request{path: file, token: carol}), http.StatusOK)
	})
	t.Run("somebody of another team does not", func(t *testing.T) {
		wantStatus(t, g.do(t, request{path: file, token: bob}), http.StatusNotFound)
	})
	t.Run("without the gateway a header is enough, so the gateway is what keeps bob out", func(t *testing.T) {
		direct := &gateway{url: ogx.url}
		wantStatus(t, direct.do(t, request{
			path: file, header: map[string][]string{"X-Auth-User-Id": {subject(t, alice)}},
		}), http.StatusOK)
	})

	owner := subject(t, alice)
	for _, tc := range []struct {
		name   string
		header map[string][]string
	}{
		{"the principal's header", map[string][]string{"X-Auth-User-Id": {owner}}},
		{"in lower case", map[string][]string{"x-auth-user-id": {owner}}},
		{"with underscores", map[string][]string{"x_auth_user_id": {owner}, "X_AUTH_USER_ID": {owner}}},
		{"with dots", map[string][]string{"X.Auth.User.Id": {owner}}},
		{"mixed", map[string][]string{"X-Auth_User-Id": {owner}}},
		{"sent twice", map[string][]string{"X-Auth-User-Id": {owner, owner}}},
		{"named by Connection", map[string][]string{"Connection": {"X-Auth-User-Id"}, "X-Auth-User-Id": {owner}}},
		{"a team in the attributes", map[string][]string{"X-Auth-Attributes": {`{"teams":["/ml-team"]}`}}},
		{"a team in attributes with underscores", map[string][]string{"x_auth_attributes": {`{"teams":["/ml-team"]}`}}},
		{"attributes taken away by Connection", map[string][]string{"Connection": {"close, X-Auth-User-Id, X-Auth-Attributes"}}},
	} {
		t.Run("bob stays bob with a forged identity: "+tc.name, func(t *testing.T) {
			wantStatus(t, g.do(t, request{path: file, token: bob, header: tc.header}), http.StatusNotFound)
			list := g.do(t, request{path: "/v1/files", token: bob, header: tc.header})
			wantStatus(t, list, http.StatusOK)
			if strings.Contains(list.body, "words.txt") {
				t.Errorf("bob's list has alice's file: %s", list.body)
			}
		})
		t.Run("nobody becomes somebody with a forged identity: "+tc.name, func(t *testing.T) {
			wantRefusal(t, g.do(t, request{path: file, header: tc.header}), http.StatusUnauthorized, "missing_credential", "")
		})
	}
}

// OGX trusts 127.0.0.1/32 to name the caller. That is the gateway's address,
// and must not be taken for the caller's.
func TestCallerFromAnotherAddressIsServed(t *testing.T) {
	g := startGateway(t, "ogx.Caddyfile", idp.issuer, ogx.url)
	alice := idp.login(t, "stack-cli", "alice").Access
	for _, from := range []string{"127.0.0.1", "127.0.0.2"} {
		t.Run("from "+from, func(t *testing.T) {
			a := g.do(t, request{path: "/v1/models", token: alice, from: from})
			wantStatus(t, a, http.StatusOK)
			wantRefusal(t, g.do(t, request{path: "/v1/models", from: from}), http.StatusUnauthorized, "missing_credential", "")
		})
	}
}

// After an error of its catch-all handler OGX resets the connection. On a
// kept one that made 6 of 18 requests of the next caller a 502.
func TestErrorsOfOneCallerAreNotTheNextOnes502(t *testing.T) {
	g := startGateway(t, "ogx.Caddyfile", idp.issuer, ogx.url)
	alice := idp.login(t, "stack-cli", "alice").Access
	bob := idp.login(t, "stack-cli", "bob").Access
	const chat = `{"model":"standin/llama-small","messages":[{"role":"user","content":"hello"}]}`
	for range 40 {
		wantStatus(t, g.do(t, request{path: "/v1/vector_stores/vs_unknown", token: bob}), http.StatusBadRequest)
		a := g.do(t, request{method: http.MethodPost, path: "/v1/chat/completions", token: alice, body: chat})
		wantStatus(t, a, http.StatusOK)
	}
}
