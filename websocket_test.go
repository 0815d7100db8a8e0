package stackauth_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddy-stack-auth/caddy-stack-auth/internal/testissuer"
)

// echoSocket answers an upgrade and then sends back what it is sent: not the
// frames of a WebSocket, which nobody between here and there looks at.
func echoSocket(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" {
		w.WriteHeader(http.StatusUpgradeRequired)
		return
	}
	w.Header().Set("Upgrade", "websocket")
	w.Header().Set("Connection", "Upgrade")
	w.Header().Set("X-Auth-User-Id", "admin")
	w.WriteHeader(http.StatusSwitchingProtocols)
	conn, buffered, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	go func() {
		defer conn.Close()
		_, _ = io.Copy(conn, buffered)
	}()
}

const upgrade = "Connection: Upgrade\nUpgrade: websocket\nSec-WebSocket-Version: 13\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\n"

// dialSocket opens a WebSocket through the gateway.
func (g *gateway) dialSocket(t *testing.T, path, lines string) (net.Conn, *bufio.Reader, *http.Response) {
	t.Helper()
	conn, err := net.DialTimeout("tcp", g.Address, timeout)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(timeout))
	head := fmt.Sprintf("GET %s HTTP/1.1\nHost: %s\n%s%s\n", path, g.Address, upgrade, lines)
	if _, err := io.WriteString(conn, strings.ReplaceAll(head, "\n", "\r\n")); err != nil {
		t.Fatal(err)
	}
	reader := bufio.NewReader(conn)
	resp, err := http.ReadResponse(reader, nil)
	if err != nil {
		t.Fatal(err)
	}
	return conn, reader, resp
}

func TestAWebSocketIsJudgedBeforeItIsOpened(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	stack.answerWith(echoSocket)
	g := startGateway(t, protect(issuer,
		"token_source header Authorization Bearer\ntoken_source websocket_protocol openai-insecure-api-key.")+proxy(stack))
	token := issuer.Token("alice", nil)
	keepSecret("Authorization", token)
	t.Run("without a token it stays closed", func(t *testing.T) {
		stack.isUntouched(t, func() {
			_, _, resp := g.dialSocket(t, "/v1/realtime", "")
			read(t, resp).is(t, 401, "missing_credential")
		})
	})
	t.Run("with a bad one, too", func(t *testing.T) {
		stack.isUntouched(t, func() {
			_, _, resp := g.dialSocket(t, "/v1/realtime", bearer(token+"x")+"\n")
			read(t, resp).is(t, 401, "invalid_token")
		})
	})
	for name, lines := range map[string]string{
		"with a token it opens, and bytes go both ways": bearer(token) + "\n",
		"with the token of a browser": "Origin: https://app.example\nSec-WebSocket-Protocol: realtime, openai-insecure-api-key." +
			token + "\n",
		"with forged identity it opens as who it is": bearer(token) + "\nX-Auth-User-Id: admin\nConnection: X-Auth-User-Id\n",
	} {
		t.Run(name, func(t *testing.T) {
			conn, reader, resp := g.dialSocket(t, "/v1/realtime", lines)
			if resp.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("got %d", resp.StatusCode)
			}
			if resp.Header.Get("X-Auth-User-Id") != "" {
				t.Error("the stack answered with identity")
			}
			_, _ = io.WriteString(conn, "ping\n")
			if line, err := reader.ReadString('\n'); line != "ping\n" {
				t.Errorf("got %q, %v", line, err)
			}
			r := stack.last(t)
			r.identity(t, "alice")
			r.isWithout(t, token)
		})
	}
}

func TestAnUpgradeToSomethingElseIsRefused(t *testing.T) {
	issuer, stack := testissuer.New(t), newStack(t)
	g := startGateway(t, protect(issuer, "public /public")+proxy(stack))
	token := issuer.Token("alice", nil)
	keepSecret("Authorization", token)
	for name, lines := range map[string]string{
		"h2c":                    "Connection: Upgrade, HTTP2-Settings\nUpgrade: h2c\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\n",
		"h2c beside websocket":   "Connection: Upgrade\nUpgrade: websocket, h2c\n",
		"h2c in another line":    "Connection: Upgrade\nUpgrade: websocket\nUpgrade: h2c\n",
		"connect-udp":            "Connection: Upgrade\nUpgrade: connect-udp\n",
		"TLS":                    "Connection: Upgrade\nUpgrade: TLS/1.0\n",
		"nothing":                "Connection: Upgrade\nUpgrade:\n",
		"without the Connection": "Upgrade: h2c\n",
	} {
		for _, path := range []string{"/v1/x", "/public"} {
			t.Run(name+" "+path, func(t *testing.T) {
				stack.isUntouched(t, func() {
					g.raw(t, "GET "+path+" HTTP/1.1\n"+bearer(token)+"\n"+lines+"\n").is(t, 400, "ambiguous_request")
				})
			})
		}
	}
	t.Run("any case of websocket is fine", func(t *testing.T) {
		g.raw(t, "GET /v1/x HTTP/1.1\n"+bearer(token)+"\nConnection: upgrade\nUpgrade: WebSocket\n\n").is(t, 200, "")
	})
}
