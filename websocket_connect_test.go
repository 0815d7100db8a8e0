package stackauth_test

import (
	"bufio"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// socketRules tell WebSockets and other requests apart in every way that there
// is. A CONNECT that opens one is a GET with Upgrade, as it is over HTTP/1.1.
const socketRules = `
	public /public
	forbid /v1/admin*
	forbid /v1/closed {
		match {
			header Upgrade websocket
		}
	}
	forbid /v1/tunnel {
		match {
			method CONNECT
		}
	}
	permit /v1/realtime {
		methods GET
		when user with user in roles
		description "users may talk"
	}
	permit /v1/posted {
		methods POST PUT PATCH DELETE OPTIONS
	}
	permit /v1/sockets {
		match {
			header Upgrade websocket
		}
	}
	permit /v1/pages {
		match {
			not header Upgrade *
		}
	}
	permit /v1/connects {
		match {
			method CONNECT
		}
	}
	permit /v1/expression {
		match {
			expression "{http.request.method} == 'GET' && {http.request.header.Connection} == 'Upgrade'"
		}
	}
	permit /v1/closed /v1/tunnel /v1/admin* {
		methods GET
	}
	explain_header roles user
`

// judgedSockets asks for WebSockets over the connection, and for the same paths
// by a plain GET.
func judgedSockets(t *testing.T, g *tlsGateway, stack *stack, issuer *testissuer.Issuer, conn rawConn) {
	stack.answerWith(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			echoSocket(w, r)
			return
		}
		_, _ = io.WriteString(w, "reached")
	})
	t.Cleanup(func() { stack.answerWith(nil) })
	user, stranger := as(issuer, "alice", "user"), as(issuer, "otto", "guest")
	keepSecret("Authorization", user[len("Authorization: "):])
	for _, c := range []struct {
		name, path string
		who        string
		socket     verdict
		get        verdict
	}{
		{"a permit for GET", "/v1/realtime", user, passes, passes},
		{"and its when does not hold", "/v1/realtime", stranger, forbidden, forbidden},
		{"without a token", "/v1/realtime", "x-none: x", unknown, unknown},
		{"a permit for other methods", "/v1/posted", user, forbidden, forbidden},
		{"a path that no rule is for", "/v1/elsewhere", user, forbidden, forbidden},
		{"a forbidden path", "/v1/admin/socket", user, forbidden, forbidden},
		{"a forbidden path in capitals", "/v1/ADMIN", user, forbidden, forbidden},
		{"a forbidden path in disguise", "/v1/%61dmin", user, forbidden, forbidden},
		{"a slash in disguise", "/v1%2Fadmin", user, forbidden, forbidden},
		{"a way up", "/v1/realtime/../admin", user, twoWays, twoWays},
		{"a way up in disguise", "/v1/realtime/%2e%2e/admin", user, twoWays, twoWays},
		{"a forbid that matches Upgrade", "/v1/closed", user, forbidden, passes},
		{"a forbid that matches CONNECT", "/v1/tunnel", user, forbidden, passes},
		{"a permit that matches Upgrade", "/v1/sockets", user, passes, forbidden},
		{"a permit that matches no Upgrade", "/v1/pages", user, forbidden, passes},
		{"a permit that matches CONNECT", "/v1/connects", user, forbidden, forbidden},
		{"a permit with an expression", "/v1/expression", user, passes, forbidden},
	} {
		t.Run(c.name, func(t *testing.T) {
			stack.judged(t, c.socket, func() answer {
				return answeredSocket(t, c.socket == passes, conn.open(t, g.socket(c.path, c.who)...))
			})
			if c.socket == passes {
				stack.openedFor(t, "alice", c.path)
			}
			stack.judged(t, c.get, func() answer { return answered(t, conn.open(t, g.request("GET", c.path, c.who)...)) })
		})
	}
	t.Run("a public path", func(t *testing.T) {
		stack.judged(t, passes, func() answer { return answeredSocket(t, true, conn.open(t, g.socket("/public", user)...)) })
		stack.openedFor(t, "", "/public")
	})
	t.Run("forged headers", func(t *testing.T) {
		a := stack.judged(t, passes, func() answer {
			return answeredSocket(t, true, conn.open(t, g.socket("/v1/realtime", user, "x-auth-user-id: anna", "x_auth_user_id: anna",
				`x-auth-attributes: {"roles":["admin"]}`, "x-tenant-id: victim", "sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==")...))
		})
		stack.openedFor(t, "alice", "/v1/realtime")
		if got := a.Header.Get("X-Stack-Auth-Rule"); got != "users may talk" {
			t.Errorf("alice is told %q", got)
		}
	})
	t.Run("what could be read in two ways", func(t *testing.T) {
		for code, more := range map[string]string{"ambiguous_request": "trailer: x-auth-user-id", "duplicate_credential": stranger} {
			stack.isUntouched(t, func() {
				answered(t, conn.open(t, g.socket("/v1/realtime", user, more)...)).is(t, 400, code)
			})
		}
	})
}

// refusedTunnels asks for tunnels that are none of a WebSocket.
func refusedTunnels(t *testing.T, g *tlsGateway, stack *stack, issuer *testissuer.Issuer, conn rawConn) {
	user := as(issuer, "alice", "user")
	other := func(path, protocol string) []string {
		lines := g.socket(path, user)
		lines[4] = ":protocol: " + protocol
		return lines
	}
	for name, lines := range map[string][]string{
		"a plain CONNECT":                {":method: CONNECT", ":authority: " + g.authority, user},
		"a plain CONNECT without a port": {":method: CONNECT", ":authority: localhost", user},
		"connect-udp":                    other("/v1/realtime", "connect-udp"),
		"connect-udp on a public path":   other("/public", "connect-udp"),
		"connect-ip":                     other("/v1/realtime", "connect-ip"),
		"h2c":                            other("/v1/realtime", "h2c"),
		"WebSocket in capitals":          other("/v1/realtime", "WebSocket"),
		"two protocols":                  other("/v1/realtime", "websocket2"),
	} {
		t.Run(name, func(t *testing.T) {
			stack.isUntouched(t, func() {
				a := answered(t, conn.open(t, lines...))
				a.is(t, 405, "method_not_allowed")
				if got := a.Header.Get("Allow"); got != "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS" {
					t.Errorf("Allow is %s", got)
				}
			})
		})
	}
}

// errorRoutesGetNoTunnel: an error route that is a proxy would open the
// WebSocket that was refused.
func errorRoutesGetNoTunnel(t *testing.T, g *tlsGateway, stack *stack, issuer *testissuer.Issuer, conn rawConn) {
	user := as(issuer, "alice", "user")
	for code, lines := range map[string][]string{
		"insufficient_permissions": g.socket("/v1/admin", user),
		"missing_credential":       g.socket("/v1/realtime"),
		"ambiguous_request":        g.socket("/v1//admin", user),
		"method_not_allowed":       {":method: CONNECT", ":authority: " + g.authority, user},
	} {
		stack.isUntouched(t, func() {
			a := answered(t, conn.open(t, lines...))
			if got := a.errorCode(t); got != code || a.StatusCode < 400 {
				t.Errorf("got %d %s, want %s", a.StatusCode, got, code)
			}
		})
	}
	// What is refused, and is no tunnel, is the error route's.
	if a := answered(t, conn.open(t, g.request("GET", "/v1/admin", user)...)); a.body != "reached" {
		t.Errorf("the error route answered %d %s", a.StatusCode, a.body)
	}
	stack.last(t).identity(t, "")
}

// socket are the lines of a CONNECT that opens a WebSocket, and more.
func (g *tlsGateway) socket(path string, more ...string) []string {
	return g.request("CONNECT", path, append([]string{":protocol: websocket", "sec-websocket-version: 13"}, more...)...)
}

// answeredSocket waits for the answer to a CONNECT. If it is to open the tunnel,
// bytes go both ways in it; what is refused has said why, and its stream is over.
func answeredSocket(t testing.TB, open bool, s rawStream) answer {
	t.Helper()
	resp, err := s.answer()
	if err != nil {
		t.Fatalf("waiting for an answer: %v", err)
	}
	if !open || resp.StatusCode != http.StatusOK {
		return read(t, resp)
	}
	if got := resp.Header.Get("X-Auth-User-Id"); got != "" {
		t.Errorf("the stack answered with the identity %s", got)
	}
	if _, err := io.WriteString(s, "ping\n"); err != nil {
		t.Fatal(err)
	}
	text, err := bufio.NewReader(resp.Body).ReadString('\n')
	if err != nil || text != "ping\n" {
		t.Errorf("out of the tunnel came %q, %v", text, err)
	}
	_ = s.Close()
	return answer{resp, text}
}

// openedFor fails the test unless the last that reached the stack is a WebSocket
// as HTTP/1.1 opens it, for the principal.
func (s *stack) openedFor(t testing.TB, principal, path string) {
	t.Helper()
	r := s.last(t)
	r.identity(t, principal)
	if r.Method != http.MethodGet || r.URL.Path != path || r.ProtoMajor != 1 || r.Header.Get("Authorization") != "" {
		t.Errorf("the stack got %s %s %s, Authorization of %d bytes", r.Method, r.URL.Path, r.Proto, len(r.Header.Get("Authorization")))
	}
	for name, want := range map[string]string{"Upgrade": "websocket", "Connection": "Upgrade", "Sec-Websocket-Version": "13"} {
		if got := strings.Join(r.Header[name], "\n"); got != want {
			t.Errorf("the stack got %s: %s", name, got)
		}
	}
	if n := len(r.Header["Sec-Websocket-Key"]); n != 1 {
		t.Errorf("the stack got %d keys", n)
	}
	for name := range r.Header {
		if strings.Contains(name, ":") {
			t.Errorf("the stack got %s", name)
		}
	}
}
