//go:build integration

package integration

import (
	"context"
	"net/http"
	"testing"
	"time"
)

func TestGatewayWorksWhileKeycloakIsDown(t *testing.T) {
	k := ownKeycloak(t)
	stack := echoStack(t)
	knew := startGateway(t, "ogx.Caddyfile", k.issuer, stack)
	alice := k.login(t, "stack-cli", "alice").Access
	bob := k.login(t, "stack-cli", "bob").Access
	wantStatus(t, knew.do(t, request{path: "/v1/models", token: alice}), http.StatusOK)

	if err := k.stop(t.Context()); err != nil {
		t.Fatal(err)
	}
	back := make(chan error, 1)
	returned := false
	t.Cleanup(func() {
		if returned {
			return
		}
		// the next test finds it running, however this one ended
		if err := k.resume(context.Background()); err != nil {
			t.Error(err)
		}
	})

	t.Run("a token that was seen before goes on working", func(t *testing.T) {
		wantStatus(t, knew.do(t, request{path: "/v1/models", token: alice}), http.StatusOK)
	})
	t.Run("a token that was never seen works if its key is known", func(t *testing.T) {
		wantStatus(t, knew.do(t, request{path: "/v1/models", token: bob}), http.StatusOK)
	})
	t.Run("a bad token is still refused", func(t *testing.T) {
		wantRefusal(t, knew.do(t, request{path: "/v1/models", token: bob[:len(bob)-8] + "AAAAAAAA"}), http.StatusUnauthorized, "invalid_token", "")
	})

	begin := time.Now()
	late := startGateway(t, "ogx.Caddyfile", k.issuer, stack)
	t.Run("a gateway starts without Keycloak", func(t *testing.T) {
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("it took %v", took)
		}
	})
	t.Run("a gateway that never had keys says that it cannot tell", func(t *testing.T) {
		a := late.do(t, request{path: "/v1/models", token: alice})
		wantRefusal(t, a, http.StatusServiceUnavailable, "auth_service_unavailable", alice)
	})
	t.Run("what needs no keys is refused as ever", func(t *testing.T) {
		wantRefusal(t, late.do(t, request{path: "/v1/models"}), http.StatusUnauthorized, "missing_credential", "")
		wantRefusal(t, late.do(t, request{path: "/v1/models", token: "opaque-test-only"}), http.StatusUnauthorized, "invalid_token", "")
	})
	t.Run("it serves within 2 s of Keycloak's return", func(t *testing.T) {
		go func() { back <- k.resume(t.Context()) }()
		within(t, 3*time.Minute, "keycloak answers", func() bool {
			a, err := (&gateway{url: k.issuer}).try(t.Context(), request{path: "/.well-known/openid-configuration"})
			return err == nil && a.status == http.StatusOK
		})
		took := within(t, 2*time.Second, "the gateway serves", func() bool {
			a := late.do(t, request{path: "/v1/models", token: alice})
			if a.status != http.StatusOK {
				wantRefusal(t, a, http.StatusServiceUnavailable, "auth_service_unavailable", alice)
			}
			return a.status == http.StatusOK
		})
		t.Logf("served %v after keycloak answered", took.Round(time.Millisecond))
		if err := <-back; err != nil {
			t.Fatal(err)
		}
		returned = true
	})
	t.Run("the gateway that knew the keys never noticed", func(t *testing.T) {
		wantStatus(t, knew.do(t, request{path: "/v1/models", token: alice}), http.StatusOK)
	})
}
