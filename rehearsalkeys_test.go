package stackauth_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// A gateway that serves has its keys; a command has just begun, and its request
// waits longer than those of clients do.
func TestExplainWaitsForAnIssuerThatTakesItsTime(t *testing.T) {
	issuer := testissuer.New(t)
	issuer.Break(func(w http.ResponseWriter, r *http.Request) {
		select {
		case <-time.After(1200 * time.Millisecond): // clients wait for a second
			_, _ = w.Write(issuer.JWKS())
		case <-r.Context().Done():
		}
	})
	config := writeFile(t, "Caddyfile", "http://localhost:8080 {\nstack_auth {\n"+trust(issuer, "", "timeout 1m")+"permit /v1/models\n}\nreverse_proxy 127.0.0.1:1\n}\n")
	if e := explain(t, issuer.Token("anna", nil)+"\n", "--config", config, "--token", "-", "GET", "/v1/models"); e.Decision != "allow" {
		t.Errorf("got %s, %d", e.Decision, e.Status)
	}
}
