package stackauth_test

import (
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// Other than over HTTP/2, Caddy takes these always (RFC 9220).
func TestAWebSocketOverHTTP3IsJudgedAsAGET(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startTLSGateway(t, protect(issuer, socketRules)+proxy(stack))
	conn := g.dialHTTP3(t)
	judgedSockets(t, g, stack, issuer, conn)
	refusedTunnels(t, g, stack, issuer, conn)
}

func TestAnErrorRouteOpensNoWebSocketOverHTTP3(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startTLSGateway(t, protect(issuer, socketRules, "errors caddy")+proxy(stack)+"handle_errors {\n"+proxy(stack)+"}\n")
	errorRoutesGetNoTunnel(t, g, stack, issuer, g.dialHTTP3(t))
}
