package stackauth_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/net/http2"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// extendedCONNECT lets a server of Go take WebSockets over HTTP/2 (RFC 8441). It
// is read once, when the process starts, and off otherwise.
const extendedCONNECT = "http2xconnect=1"

// withExtendedCONNECT runs the test in a process that has it, and reports
// whether this is the one.
func withExtendedCONNECT(t *testing.T) bool {
	t.Helper()
	if strings.Contains(os.Getenv("GODEBUG"), extendedCONNECT) {
		return true
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), self, "-test.run=^"+t.Name()+"$", "-test.v", "-test.timeout=2m")
	cmd.Env = append(os.Environ(), "GODEBUG="+strings.TrimPrefix(os.Getenv("GODEBUG")+","+extendedCONNECT, ","))
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()+" (") {
		t.Errorf("with GODEBUG=%s: %v\n%s", extendedCONNECT, err, out)
	}
	return false
}

func TestWebSocketsOverHTTP2AreOffUnlessGoIsToldOtherwise(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startTLSGateway(t, protect(issuer, socketRules)+proxy(stack))
	conn, user := g.dialHTTP2(t), as(issuer, "alice", "user")
	if v := conn.allows[http2.SettingEnableConnectProtocol]; v != 0 {
		t.Errorf("the server says %d", v)
	}
	for _, path := range []string{"/v1/realtime", "/v1/admin", "/public"} {
		stack.isUntouched(t, func() {
			resp, err := conn.open(t, g.socket(path, user)...).answer()
			reset, ok := errors.AsType[http2.StreamError](err)
			if !ok || reset.Code != http2.ErrCodeProtocol {
				t.Errorf("%s: got %v, %v", path, resp, err)
			}
		})
	}
	stack.isUntouched(t, func() {
		answered(t, conn.open(t, ":method: CONNECT", ":authority: "+g.authority, user)).is(t, 405, "method_not_allowed")
	})
}

func TestAWebSocketOverHTTP2IsJudgedAsAGET(t *testing.T) {
	if !withExtendedCONNECT(t) {
		return
	}
	issuer, stack := testissuer.New(t), newStack(t)
	g := startTLSGateway(t, protect(issuer, socketRules)+proxy(stack))
	conn := g.dialHTTP2(t)
	if v := conn.allows[http2.SettingEnableConnectProtocol]; v != 1 {
		t.Fatalf("the server says %d", v)
	}
	judgedSockets(t, g, stack, issuer, conn)
	refusedTunnels(t, g, stack, issuer, conn)
	t.Run("a GET with a protocol does not leave the gateway", func(t *testing.T) {
		lines := g.socket("/v1/pages", as(issuer, "alice", "user"))
		lines[0] = ":method: GET"
		stack.isUntouched(t, func() { // Go hands it to us, and does not send it on
			if a := answered(t, conn.open(t, lines...)); a.StatusCode != 502 {
				t.Errorf("got %d %s", a.StatusCode, a.body)
			}
		})
	})
}

func TestAnErrorRouteOpensNoWebSocketOverHTTP2(t *testing.T) {
	if !withExtendedCONNECT(t) {
		return
	}
	issuer, stack := testissuer.New(t), newStack(t)
	g := startTLSGateway(t, protect(issuer, socketRules, "errors caddy")+proxy(stack)+"handle_errors {\n"+proxy(stack)+"}\n")
	errorRoutesGetNoTunnel(t, g, stack, issuer, g.dialHTTP2(t))
}
